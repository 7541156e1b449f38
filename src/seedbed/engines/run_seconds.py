"""Seconds of earlier runs, as the facts that every stage command leaves beside its output say; durations in words."""

import json
from collections.abc import Sequence
from math import inf
from pathlib import Path
from statistics import median

from seedbed.plan.commands import ALL_STAGES
from seedbed.regular_files import read_regular
from seedbed.runtime.paths import RUNS


def run_seconds(results: Path, dataset: str) -> dict[str, float]:
    """Median seconds of one run by stage, from all `.runs/*.json` of a data set; unreadable ones are skipped."""
    seconds: dict[str, list[float]] = {}
    for path in (results / dataset).glob(f"**/{RUNS}/*.json"):
        try:
            facts = json.loads(read_regular(path))
            stage, took = stage_of(facts["command"]), float(facts["seconds"])
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
            continue
        if isinstance(stage, str) and stage in ALL_STAGES and 0 <= took < inf:
            seconds.setdefault(stage, []).append(took)
    return {stage: median(values) for stage, values in seconds.items()}


def stage_of(command: Sequence[str]) -> str:
    """The stage in a command's words; for a judge it is the first option of the script that all judges share."""
    script = Path(command[0]).stem
    return command[1] if script == "judge" else script


def human_duration(seconds: float) -> str:
    """Seconds as people read them: 12 s, 3 min, 2.4 h."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 3570 else f"{seconds / 3600:.1f} h"
