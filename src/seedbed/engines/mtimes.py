"""File times in the order of the work, so that Snakemake leaves alone what the other engine made or restored.

Snakemake has no records of files that it did not make, and goes by their times. `dvc checkout` gives restored files
times in no order, and slices that are written anew are younger than what was made with equal ones before. Where times
alone are out of order, and the files are what their command would write, they get a new time. A clock that was wrong
hides what is stale: it is younger than its slice. Such files get an older time.
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from seedbed.engines.data_state import DataState, look
from seedbed.engines.soundness import CACHED, Examiner, State
from seedbed.plan.commands import (
    Command,
    Workflow,
    judgement_command,
    masks_command,
    prepare_command,
    report_command,
    task_commands,
)
from seedbed.plan.task import Task

LOGS = Path("logs")
SECOND = 1_000_000_000


def settle(workflow: Workflow, data: DataState | None = None) -> list[str]:
    """Bring the times of files in line with what they were made from.

    Times in the future are set to now. Sound files that are older than their inputs get the present time, too;
    contents are compared, and so data are read, only where times are out of order. Stale files that are not older
    than their inputs get an older time than these; only their manifests and sizes are compared.

    Args:
        data: what planning saw of the data set; it is looked at if None.

    Returns:
        units of the commands whose files got another time.
    """
    graph = workflow.graph()
    data = data or look(graph)
    found = list(steps(workflow, Examiner(graph, "hash", data)))
    glances = [state for _, state in steps(workflow, Examiner(graph, "size", data))]
    makers = {path: number for number, (command, _) in enumerate(found) for path in command.writes}
    settled = []
    try:
        _end_future(
            [path for command, _ in found for path in (*command.reads, *command.writes, benchmark(command))]
        )
        for number, (command, _) in enumerate(found):
            newer = newer_inputs(command)
            concerned = {number, *(makers[path] for path in newer if path in makers)}
            if newer and all(found[n][1]().status == "cached" for n in concerned):
                _give_time(command, time.time_ns())
            elif not newer and _is_there(command) and glances[number]().status == "stale":
                _give_time(command, min(filter(None, map(_time, command.reads)), default=0) - SECOND)
            else:
                continue
            settled.append(command.unit)
    except PermissionError:
        pass  # the tree belongs to someone else
    return settled


def steps(workflow: Workflow, examiner: Examiner) -> Iterator[tuple[Command, Callable[[], State]]]:
    """Every command as Snakemake runs them, in an order that runs, and the state of what it made, taken alone."""
    graph = workflow.graph()
    yield prepare_command(graph), examiner.index
    yield masks_command(graph), partial(examiner.masks, alone=True)
    for task in workflow.tasks:
        *shards, whole = task_commands(graph, task, by_shard=True)
        for shard, command in zip(task.shard_names, shards, strict=True):
            yield command, partial(_shard_state, examiner, task, shard)
        yield whole, partial(examiner.task, task, alone=True)
    for judgement in workflow.judgements.values():
        yield judgement_command(graph, judgement), partial(examiner.judgement, judgement, alone=True)
    for report in workflow.reports.values():
        yield report_command(report), partial(examiner.report, report, alone=True)


def _shard_state(examiner: Examiner, task: Task, shard: str) -> State:
    """Of a shard; where sizes are enough, the manifest of a sound node vouches for all of its shards."""
    if examiner.depth == "size" and examiner.task(task, alone=True) == CACHED:
        return CACHED
    return examiner.shard(task, shard)


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


def _end_future(paths: list[Path]) -> None:
    """Give the present time to files whose time is yet to come."""
    now = time.time_ns()
    for path in dict.fromkeys(paths):
        if (_time(path) or 0) > now:
            _set_time(path, now)


def _is_there(command: Command) -> bool:
    """Whether everything is there that a command reads and writes; else times do not matter to Snakemake."""
    return all(path.exists() for path in (*command.writes, *command.reads))


def _give_time(command: Command, nanoseconds: int) -> None:
    """Give the files that a command wrote, and its benchmark, a time."""
    for path in (*command.writes, benchmark(command)):
        if path.exists():
            _set_time(path, nanoseconds)


def _set_time(path: Path, nanoseconds: int) -> None:
    os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


def _time(path: Path) -> int | None:
    """Nanoseconds; for a link into DVC's cache, the link's or the target's, whichever is younger."""
    try:
        return max(path.stat().st_mtime_ns, path.lstat().st_mtime_ns)
    except FileNotFoundError:
        return None
