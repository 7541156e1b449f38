"""What a run of Snakemake says: a line per finished job with its place in the whole, and what runs now.

    12 of 42  dump_cams results/composites/psa/rng0/cams train-0: 31 s; about 4 min left

The time left is the sum over the jobs that are left, at the mean of their rule in this run, or else in the runs before
(`.runs/`), divided by how many jobs ran at once so far. Where a rule has never run, it is a lower bound.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from seedbed.runtime.paths import RUNS
from seedbed.runtime.progress_mark import read_mark

TAIL = 12
"""Lines of a failed job's log that are shown."""
NOISE = (
    "Building DAG",
    "Using shell",
    "Using workflow specific profile",
    "Select jobs",
    "Execute ",
    "Assuming unrestricted",
    "host:",
    "Config file",
    "Rules claiming",
    "Provided ",
    "Conda environments",
    "Singularity containers",
    "Reasons:",
    "Complete log",
)
"""What Snakemake tells without an event, and nobody needs."""
TARGETS = ("all", "sweep")


@dataclass
class Running:
    """A job that was started."""

    rule: str
    what: str
    folder: Path
    unit: str
    log: str
    since: float


class RunLines:
    """From Snakemake's events to lines.

    Args:
        results: folder of the results.
        is_dry: nothing will run; only the table of jobs is shown.
        shows_logs: show the end of a failed job's log.
        base: folder that paths are relative to.
    """

    def __init__(self, results: Path, is_dry: bool, shows_logs: bool, base: Path = Path()) -> None:
        self.is_dry, self.shows_logs, self.base = is_dry, shows_logs, base
        self.results = base / results
        self.left: Counter[str] = Counter()
        self.total = self.done = 0
        self.running: dict[int, Running] = {}
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._before: Mapping[str, float] | None = None
        self._first: float | None = None

    def of(self, record: logging.LogRecord, now: float) -> list[str]:
        """The lines of an event, at a time in seconds by any clock."""
        event = str(getattr(record, "event", None) or "")
        handler = getattr(self, f"_{event}", None)
        if handler is not None:
            found: list[str] = handler(record, now)
            return found
        if event and record.levelno < logging.WARNING:
            return []
        text = record.getMessage().strip("\n")
        return [] if not text or text.startswith(NOISE) or text == "None" else [text]

    def status(self, now: float) -> str:
        """One line of what runs now; empty if nothing does."""
        jobs = sorted(self.running.values(), key=lambda job: job.since)
        told = [
            " ".join([job.what, read_mark(job.folder, job.unit), duration(now - job.since)]) for job in jobs
        ]
        return (
            f"{self.done} of {self.total} done; " + " | ".join(" ".join(one.split()) for one in told)
            if told
            else ""
        )

    def _run_info(self, record: Any, now: float) -> list[str]:
        stats = {n: int(count) for n, count in record.stats.items() if n not in ("total", *TARGETS)}
        is_told, self.left, self.total = bool(self.total), Counter(stats), sum(stats.values())
        if self.is_dry:  # told before and after
            return [] if is_told else [record.getMessage().rstrip()]
        rules = ", ".join(f"{count} {name}" for name, count in sorted(stats.items()))
        return [f"{self.total} jobs: {rules}"]

    def _job_info(self, record: Any, now: float) -> list[str]:
        if self.is_dry or record.rule_name in TARGETS:
            return []
        self._first = now if self._first is None else self._first
        output = next(iter(record.output), "")
        shard = str(record.wildcards.get("shard", ""))
        folder = Path(str(output)).parent
        unit = shard or (Path(str(output)).name if "judge" in record.wildcards else record.rule_name)
        what = record.rule_msg or f"{record.rule_name} {folder}"
        log = next(iter(record.log), "")
        self.running[record.jobid] = Running(
            record.rule_name, " ".join(what.split()), self.base / folder, unit, str(log), now
        )
        return []

    def _job_finished(self, record: Any, now: float) -> list[str]:
        job = self.running.pop(record.job_id, None)
        if job is None:  # a target
            return []
        self.done += 1
        self.left[job.rule] -= 1
        self.seconds[job.rule].append(now - job.since)
        place = f"{self.done:>{len(str(self.total))}} of {self.total}"
        left = self.time_left(now)
        return [f"{place}  {job.what}: {duration(now - job.since)}{f'; {left} left' if left else ''}"]

    def _job_error(self, record: Any, now: float) -> list[str]:
        job = self.running.pop(record.jobid, None)
        log = next(iter(record.log), "") if getattr(record, "log", None) else ""
        path = self.base / (job.log if job else str(log))
        lines = [f"failed: {job.what if job else record.rule_name}; log: {path.relative_to(self.base)}"]
        if self.shows_logs and path.is_file():
            lines += [f"    {line}" for line in path.read_text(errors="replace").splitlines()[-TAIL:]]
        return lines

    def _progress(self, record: Any, now: float) -> list[str]:
        return []

    def _shellcmd(self, record: Any, now: float) -> list[str]:
        text = getattr(record, "cmd", None) or record.getMessage()
        return [str(text)] if text and text != "None" and not self.is_dry else []

    def time_left(self, now: float) -> str:
        """In words; empty if nothing is left or nothing is known."""
        jobs = {rule: count for rule, count in self.left.items() if count > 0}
        finished = [one for seconds in self.seconds.values() for one in seconds]
        if not jobs or not finished or self._first is None or now <= self._first:
            return ""
        known = {**self._history(), **{rule: fmean(seconds) for rule, seconds in self.seconds.items()}}
        spent = dict.fromkeys(jobs, 0.0)
        for job in self.running.values():
            spent[job.rule] = spent.get(job.rule, 0.0) + min(now - job.since, known.get(job.rule, 0.0))
        work = sum(max(0.0, known.get(rule, 0.0) * count - spent[rule]) for rule, count in jobs.items())
        busy = sum(finished) + sum(now - job.since for job in self.running.values())
        if not work:
            return ""
        left = work / max(1.0, busy / (now - self._first))
        return f"{'about' if jobs.keys() <= known.keys() else 'at least'} {duration(left)}"

    def _history(self) -> Mapping[str, float]:
        """Mean seconds of each stage's commands in the runs before."""
        if self._before is None:
            self._before = seconds_of_stages(self.results)
        return self._before


def seconds_of_stages(results: Path) -> dict[str, float]:
    """Mean seconds by the clock of each stage's commands, as the facts of their runs say."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in results.glob(f"**/{RUNS}/*.json"):
        try:
            facts = json.loads(path.read_text())
            found[Path(facts["command"][0]).stem].append(float(facts["seconds"]))
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            continue
    return {stage: fmean(seconds) for stage, seconds in found.items()}


def duration(seconds: float) -> str:
    """In words: 41 s, 4 min, 1 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
