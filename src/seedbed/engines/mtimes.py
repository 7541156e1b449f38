"""File times in the order of the work, so that Snakemake leaves alone what the other engine made or restored.

Snakemake has no records of files that it did not make, and goes by their times. `dvc checkout` gives restored files
times in no order, and slices that are written anew are younger than what was made with equal ones before. Where times
alone are out of order, and the files are what their command would write (`certificate`), they get a new time.
"""

import os
from pathlib import Path

from seedbed.engines.soundness import Examiner, verdict
from seedbed.plan.commands import Command, Workflow

LOGS = Path("logs")


def settle(workflow: Workflow) -> list[str]:
    """Give sound files that are older than their inputs a new time.

    Contents are compared, and so data are read, only where times are out of order.

    Returns:
        units of the commands whose files got a new time.
    """
    steps = list(Examiner(workflow).steps())
    makers = {path: number for number, (command, _) in enumerate(steps) for path in command.writes}
    sound: dict[int, bool] = {}

    def is_sound(number: int) -> bool:
        if number not in sound:
            sound[number] = verdict(*steps[number]).sound
        return sound[number]

    settled = []
    for number, (command, _) in enumerate(steps):
        newer = newer_inputs(command)
        if newer and all(is_sound(n) for n in {number, *(makers[path] for path in newer if path in makers)}):
            if not touch(command):
                break
            settled.append(command.unit)
    return settled


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
    name = command.unit
    if "--shard" in command.words:
        name = "-".join(name.rsplit("/", 1))
    elif Path(command.words[1]).stem == "gather":
        name += "-gather"
    return LOGS / f"{name}.tsv"


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
