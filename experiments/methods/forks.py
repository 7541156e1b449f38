"""Commands of the workflow without an engine: several at once, each in a fork of one process that has imported torch.

For a machine that has no Snakemake, or on which starting Python costs more than the work itself. A command whose files
exist is not run again, whatever it would make now: this is for a new folder, or one that the same parameters have left.
"""

import os
import sys
import time
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from seedbed.plan.commands import (
    ALL_STAGES,
    GATHER,
    Command,
    judge_main,
    judgement_command,
    masks_command,
    prepare_command,
    task_commands,
)
from seedbed.plan.judges import Judgement
from seedbed.plan.task import unique_tasks
from seedbed.plan.tasks import TaskGraph
from seedbed.runtime.options import gather_main, main
from seedbed.stages.registry import STAGES

IMPORTED = ("lightning_fabric", "numba", "pandas", "scipy.sparse", "timm", "torch", "torchvision")


def commands_of(graph: TaskGraph, judgements: Iterable[Judgement]) -> list[Command]:
    """Every command that the judgements need, by shard, inputs first; what the first judgement needs comes first."""
    found = {command.unit: command for command in (prepare_command(graph), masks_command(graph))}
    for judgement in judgements:
        sources = judgement.sources.values()
        for task in unique_tasks(task for source in sources for task in source.ancestors()):
            found |= {command.unit: command for command in task_commands(graph, task, by_shard=True)}
        found[judgement.key] = judgement_command(graph, judgement)
    return [*found.values()]


def run(commands: Iterable[Command], jobs: int, on_gpu: int, deadline: float) -> list[str]:
    """Run the commands in the current folder, the first that can run first; what each prints lies under `logs/`.

    Args:
        jobs: commands at once.
        on_gpu: those of them that may use the GPU; its memory and time are shared.
        deadline: at this time of `time.monotonic()` those that run are ended, and no more are started.

    Returns:
        Names of the commands that failed or were not run; what needs a failed one is not started.
    """
    for module in IMPORTED:
        import_module(module)
    # Jobs share a device, which the locks of `seedbed.runtime.gpu` would not let them; under SLURM these stand aside.
    os.environ["SLURM_JOB_ID"] = "0"
    waiting = [command for command in commands if not all(path.exists() for path in command.writes)]
    running: dict[int, Command] = {}
    failed: list[Command] = []
    total, start = len(waiting), time.monotonic()
    while waiting or running:
        if time.monotonic() > deadline:
            for process in running:
                os.kill(process, 15)
            break
        to_come = {path for command in (*waiting, *running.values(), *failed) for path in command.writes}
        ready = [command for command in waiting if to_come.isdisjoint(command.reads)]
        if not ready and not running:
            break
        for command in ready:
            full = _uses_gpu(command) and sum(map(_uses_gpu, running.values())) >= on_gpu
            if len(running) < jobs and not full:
                waiting.remove(command)
                running[_start(command)] = command
        process, status = os.waitpid(-1, os.WNOHANG)
        if not process:
            time.sleep(0.02)
            continue
        command = running.pop(process)
        if status:
            failed.append(command)
        ended = f"{total - len(waiting) - len(running)} of {total}"
        print(
            f"{time.monotonic() - start:6.0f} s  {ended}  {'FAILED  ' * bool(status)}{command.unit}",
            flush=True,
        )
    return [command.unit for command in (*failed, *running.values(), *waiting)]


def _uses_gpu(command: Command) -> bool:
    stage = ALL_STAGES.get(Path(command.words[1]).stem)
    return stage is not None and stage.gpu


def _start(command: Command) -> int:
    """Fork a process that runs the command as its script would, and return its id."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        log = Path("logs", f"{command.log}.txt")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as stream:
            os.dup2(stream.fileno(), 1)
            os.dup2(stream.fileno(), 2)
        name, words = Path(command.words[1]).stem, list(command.words[2:])
        if name == GATHER:
            status = gather_main(STAGES, words)
        elif name == "judge":
            status = judge_main(words)
        else:
            status = main(ALL_STAGES[name], words)
    except BaseException:  # whatever happens, the fork does not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
