"""`seedbed watch`: how far along a run is, whichever engine runs it, here or on a cluster that shares this folder.

What runs is what holds its output's lock; how far along it is, its mark says (`seedbed.runtime.progress_mark`). What is
left is counted as `seedbed plan` counts it.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from seedbed.engines.jobs import jobs_left
from seedbed.engines.run_seconds import human_duration, run_seconds
from seedbed.engines.soundness import Examiner
from seedbed.plan.commands import Workflow
from seedbed.runtime.locks import is_locked
from seedbed.runtime.paths import RESULTS, WORK
from seedbed.runtime.progress_mark import mark_path, read_mark
from seedbed.runtime.run import WHOLE
from seedbed.verbs.forecast import forecast

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
    held: dict[Path, dict[str, float]] = defaultdict(dict)
    for path in results.glob(f"**/{WORK}/*.lock"):
        if path.parent.parent != results and is_locked(path):  # there the engine itself holds one
            with suppress(FileNotFoundError):
                held[path.parent.parent][path.stem] = path.stat().st_mtime
    found = []
    for folder, units in held.items():
        if WHOLE in units:  # one job, which holds the locks of all shards
            units = {_unit_in_work(folder, units): units[WHOLE]}
        found += [RunningJob(folder, unit, since) for unit, since in units.items()]
    return iter(sorted(found, key=lambda job: job.since))


def _unit_in_work(folder: Path, units: Mapping[str, float]) -> str:
    """The shard with the latest mark, or else `whole`."""
    marked = {}
    for unit in units:
        with suppress(FileNotFoundError):
            marked[unit] = mark_path(folder, unit).stat().st_mtime
    return max(marked, key=marked.__getitem__, default=WHOLE)


def watch_text(workflow: Workflow, reports: tuple[str, ...], results: Path = RESULTS) -> str:
    """What is done, what runs, and what is left.

    Args:
        reports: `all`, `sweep`.
        results: folder of the results.
    """
    commands = workflow.commands(reports, by_shard=True)
    due = jobs_left(workflow, reports, Examiner(workflow.graph()))
    cost = forecast(due, run_seconds(results, workflow.config.dataset))
    lines = [f"{len(commands) - len(due)} of {len(commands)} jobs done"]
    if cost.seconds:
        bound = "at least " if cost.unknown else ""
        lines[0] += f"; those left took {bound}{human_duration(cost.seconds)} of work in the runs before"
    for job in running_jobs(results):
        parts = (
            str(job.folder),
            job.unit,
            read_mark(job.folder, job.unit),
            human_duration(time.time() - job.since),
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
