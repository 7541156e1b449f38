"""File times in the order of the work, so that Snakemake leaves alone what the other engine made or restored.

Snakemake has no records of files that it did not make, and goes by their times. `dvc checkout` gives restored files
times in no order, and slices that are written anew are younger than what was made with equal ones before. Where times
alone are out of order, and the files are what their command would write, they get a new time.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from seedbed.engines.soundness import Examiner, State
from seedbed.plan.commands import (
    Command,
    Workflow,
    judgement_command,
    prepare_command,
    report_command,
    task_commands,
)

LOGS = Path("logs")


def settle(workflow: Workflow) -> list[str]:
    """Give sound files that are older than their inputs a new time.

    Contents are compared, and so data are read, only where times are out of order.

    Returns:
        units of the commands whose files got a new time.
    """
    steps = list(_steps(workflow, Examiner(workflow.graph(), "hash")))
    makers = {path: number for number, (command, _) in enumerate(steps) for path in command.writes}
    settled = []
    for number, (command, _) in enumerate(steps):
        newer = newer_inputs(command)
        concerned = {number, *(makers[path] for path in newer if path in makers)}
        if newer and all(steps[n][1]().status == "cached" for n in concerned):
            if not touch(command):
                break
            settled.append(command.unit)
    return settled


def _steps(workflow: Workflow, examiner: Examiner) -> Iterator[tuple[Command, Callable[[], State]]]:
    """Every command as Snakemake runs them, in an order that runs, and the state of what it made, taken alone."""
    graph = workflow.graph()
    yield prepare_command(graph), examiner.index
    for task in workflow.tasks:
        *shards, whole = task_commands(graph, task, by_shard=True)
        for shard, command in zip(task.shard_names, shards, strict=True):
            yield command, partial(examiner.shard, task, shard)
        yield whole, partial(examiner.task, task, alone=True)
    for judgement in workflow.judgements.values():
        yield judgement_command(graph, judgement), partial(examiner.judgement, judgement, alone=True)
    for report in workflow.reports.values():
        yield report_command(report), partial(examiner.report, report, alone=True)


def newer_inputs(command: Command) -> list[Path]:
    """Files that a command reads and that are younger than a file that it wrote; none where it wrote nothing yet."""
    written = [_time(path) for path in command.writes]
    if None in written:
        return []
    written.append(_time(benchmark(command)))
    oldest = min(time for time in written if time is not None)
    return [path for path in command.reads if (_time(path) or 0) > oldest]


def benchmark(command: Command) -> Path:
    """Snakemake's benchmark of a command, whose time Snakemake takes for that of an output."""
    return LOGS / f"{command.log}.tsv"


def touch(command: Command) -> bool:
    """Give the files that a command wrote, and its benchmark, the present time.

    Returns:
        whether this was allowed; in a tree that belongs to someone else it is not.
    """
    try:
        for path in (*command.writes, benchmark(command)):
            if path.exists():
                os.utime(path, follow_symlinks=False)
    except PermissionError:
        return False
    return True


def _time(path: Path) -> int | None:
    """Nanoseconds; for a link into DVC's cache, the link's or the target's, whichever is younger."""
    try:
        return max(path.stat().st_mtime_ns, path.lstat().st_mtime_ns)
    except FileNotFoundError:
        return None
