"""What a run of Snakemake says: a line per finished job with its place in the whole, and what runs now.

    12 of 42  dump_cams results/composites/psa/rng0/cams train-0: 31 s; about 4 min left

The time left is the sum over the jobs that are left, at the mean of their rule in this run, or else at the median of
the runs before (`.runs/`), divided by how many jobs ran at once so far. Where a rule has never run, it is a lower
bound. Gathering shards counts as nothing.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from seedbed.engines.run_seconds import human_duration, run_seconds
from seedbed.plan.commands import ALL_STAGES, GATHER, JUDGE_STAGES
from seedbed.runtime.locks import is_locked, lock_path
from seedbed.runtime.progress_mark import read_mark

TAIL = 12
"""Lines of each log of a failed job that are shown."""
SHOWN = 4
"""Running jobs that are named."""
RESTART = re.compile(r"Trying to restart job (\d+)\.")
JUDGE = "judge"
"""The rule of all judges."""
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
    since: float

    @property
    def lock(self) -> Path:
        """The file whose lock it holds while it works."""
        return lock_path(self.folder, self.unit)


class RunLines:
    """From Snakemake's events to lines.

    Args:
        results: folder of the results.
        is_dry: nothing will run; only the table of jobs is shown.
        shows_logs: show the end of a failed job's logs.
        base: folder that paths are relative to.
    """

    def __init__(self, results: Path, is_dry: bool, shows_logs: bool, base: Path = Path()) -> None:
        self.is_dry, self.shows_logs, self.base = is_dry, shows_logs, base
        self.results = base / results
        self.left: Counter[str] = Counter()
        self.total = self.done = 0
        self.running: dict[int, Running] = {}
        self.failed: dict[int, Running] = {}
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._dataset = ""
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
        if restarted := RESTART.fullmatch(text):
            return [self._restarted(int(restarted[1])) or text]
        return [] if not text or text.startswith(NOISE) or text == "None" else [text]

    def status(self) -> str:
        """One line of what runs now; empty if nothing does.

        A job that was started but does not hold its output's lock is pending: it may still wait in a cluster's queue.
        """
        if not self.running:
            return ""
        jobs = sorted(self.running.values(), key=lambda job: job.since)
        told = [_told(job) for job in jobs if is_locked(job.lock)]
        counts = [f"{self.done} of {self.total} done", *self._failures()]
        if pending := len(jobs) - len(told):
            counts.append(f"{pending} pending")
        if more := told[SHOWN:]:
            told[SHOWN:] = [f"… and {len(more)} more"]
        return "; ".join([", ".join(counts), " | ".join(told)] if told else [", ".join(counts)])

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
        folder, rule = Path(str(output)).parent, record.rule_name
        is_file = rule == JUDGE or (rule in ALL_STAGES and ALL_STAGES[rule].writes_file)
        unit = shard or (Path(str(output)).name if is_file else rule)
        what = " ".join((record.rule_msg or f"{rule} {folder}").split())
        self.running[record.jobid] = Running(rule, what, self.base / folder, unit, now)
        if not self._dataset and self.results in self.running[record.jobid].folder.parents:
            self._dataset = (self.base / folder).relative_to(self.results).parts[0]
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
        ending = "".join(f"; {one}" for one in ([f"{left} left"] if left else []) + self._failures())
        return [f"{place}  {job.what}: {human_duration(now - job.since)}{ending}"]

    def _job_error(self, record: Any, now: float) -> list[str]:
        job = self.running.pop(record.jobid, None)
        if job is not None:
            self.failed[record.jobid] = job
            self.left[job.rule] -= 1
        logs = [str(log) for log in record.log if str(log)]
        lines = [
            f"failed: {job.what if job else record.rule_name}" + (f"; log: {', '.join(logs)}" if logs else "")
        ]
        reason = (record.rule_msg or "").splitlines()
        lines += [
            f"    {line}" for line in [*reason, *(f"{name}: {value}" for name, value in record.aux.items())]
        ]
        for log in logs if self.shows_logs else []:
            lines += [f"    {log}:"] if len(logs) > 1 else []
            lines += [f"    {line}" for line in _tail(self.base / log)]
        return lines

    def _restarted(self, jobid: int) -> str:
        """A failed job that is left again, because it is about to be started once more."""
        job = self.failed.pop(jobid, None)
        if job is None:
            return ""
        self.left[job.rule] += 1
        return f"started again: {job.what}"

    def _failures(self) -> list[str]:
        return [f"{len(self.failed)} failed"] if self.failed else []

    def _progress(self, record: Any, now: float) -> list[str]:
        return []

    def _shellcmd(self, record: Any, now: float) -> list[str]:
        text = getattr(record, "shellcmd", None) or getattr(record, "cmd", None)
        return [str(text)] if text else []

    def time_left(self, now: float) -> str:
        """In words; empty if nothing is left or nothing is known."""
        jobs = {rule: count for rule, count in self.left.items() if count > 0 and rule != GATHER}
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
        return f"{'about' if jobs.keys() <= known.keys() else 'at least'} {human_duration(left)}"

    def _history(self) -> Mapping[str, float]:
        """Seconds of each rule in the runs before on this data set."""
        if self._before is None:
            found = run_seconds(self.results, self._dataset)
            judges = [seconds for stage, seconds in found.items() if stage in JUDGE_STAGES]
            self._before = found | ({JUDGE: fmean(judges)} if judges else {})
        return self._before


def _told(job: Running) -> str:
    """A job that holds its lock, with what its mark says, and for how long it has held it."""
    with suppress(FileNotFoundError):
        held = human_duration(time.time() - job.lock.stat().st_mtime)
        return " ".join(f"{job.what} {read_mark(job.folder, job.unit)} {held}".split())
    return job.what


def _tail(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()[-TAIL:]
    except OSError:
        return []
