"""`seedbed watch`: how far a run is, whichever engine runs it, here or on a cluster that shares this folder.

What runs is what holds its output's lock; how far it is, its mark says (`seedbed.runtime.progress_mark`). What is left
is counted as `seedbed plan` counts it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seedbed.engines.jobs import jobs_left
from seedbed.engines.run_lines import duration, seconds_of_stages
from seedbed.engines.soundness import Examiner
from seedbed.plan.commands import Workflow
from seedbed.runtime.locks import is_locked
from seedbed.runtime.paths import RESULTS, WORK
from seedbed.runtime.progress_mark import read_mark

WATCH_S = 5.0
"""Seconds between two looks."""


@dataclass(frozen=True)
class RunningJob:
    """A job that holds the lock of its output."""

    folder: Path
    unit: str
    since: float
    """Seconds since the epoch."""


def running_jobs(results: Path) -> Iterator[RunningJob]:
    """The jobs that write below a folder now, in the order in which they started."""
    found = []
    for path in results.glob(f"**/{WORK}/*.lock"):
        if path.parent.parent != results and is_locked(path):  # there the engine itself holds one
            found.append(RunningJob(path.parent.parent, path.stem, path.stat().st_mtime))
    return iter(sorted(found, key=lambda job: job.since))


def watch_text(workflow: Workflow, reports: tuple[str, ...], results: Path = RESULTS) -> str:
    """What is done, what runs, and what is left.

    Args:
        reports: `all`, `sweep`.
        results: folder of the results.
    """
    commands = workflow.commands(reports, by_shard=True)
    due = jobs_left(workflow, reports, Examiner(workflow.graph()))
    known = seconds_of_stages(results)
    stages = [Path(command.words[1]).stem for command in due]
    work = sum(known.get(stage, 0.0) for stage in stages)
    lines = [f"{len(commands) - len(due)} of {len(commands)} jobs done"]
    if work:
        bound = "" if set(stages) <= known.keys() else "at least "
        lines[0] += f"; those left took {bound}{duration(work)} of work in the runs before"
    for job in running_jobs(results):
        parts = (
            str(job.folder),
            job.unit,
            read_mark(job.folder, job.unit),
            duration(time.time() - job.since),
        )
        lines.append("  " + "  ".join(part for part in parts if part))
    return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing runs"])


def watch(read: Callable[[], Workflow], reports: tuple[str, ...], once: bool) -> None:
    """Print it again and again on a cleared terminal; once, if asked for or if the output is not a terminal."""
    while True:
        text = watch_text(read(), reports)
        if once or not sys.stdout.isatty():
            print(text)
            return
        print(f"\x1b[H\x1b[2J{text}", flush=True)
        time.sleep(WATCH_S)
