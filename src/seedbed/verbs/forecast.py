"""What a run will cost: the median seconds of earlier runs of the same stage on the same data set.

Every stage command leaves `.runs/UNIT.json` beside its output; the jobs are those that are left
(`seedbed.engines.jobs`). Seconds also depend on parameters and device, so this is only a forecast; it ignores
checkpoints to resume from.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median

from seedbed.plan.commands import ALL_STAGES, GATHER, Command
from seedbed.regular_files import read_regular
from seedbed.runtime.paths import RUNS
from seedbed.verbs.terminal import human_duration


@dataclass(frozen=True)
class Forecast:
    """Seconds on one worker.

    Attributes:
        seconds: of everything whose stage has run before.
        unknown: commands of stages that have not, by stage.
    """

    seconds: float
    unknown: Mapping[str, int]

    def __str__(self) -> str:
        """`unknown` if nothing is known, `3 min + unknown` if only a part is."""
        if not self.unknown:
            return human_duration(self.seconds) if self.seconds else ""
        return f"{human_duration(self.seconds)} + unknown" if self.seconds else "unknown"


def run_seconds(results: Path, dataset: str) -> dict[str, float]:
    """Median seconds of one run by stage, from all `.runs/*.json` of a data set; unreadable ones are skipped."""
    seconds: dict[str, list[float]] = {}
    for path in (results / dataset).glob(f"**/{RUNS}/*.json"):
        try:
            facts = json.loads(read_regular(path))
            stage, took = _stage_of(facts["command"]), float(facts["seconds"])
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError):
            continue
        if isinstance(stage, str) and stage in ALL_STAGES and 0 <= took < inf:
            seconds.setdefault(stage, []).append(took)
    return {stage: median(values) for stage, values in seconds.items()}


def forecast(jobs: Iterable[Command], seconds: Mapping[str, float]) -> Forecast:
    """Cost of jobs; gathering shards costs next to nothing."""
    stages = Counter(_stage_of(job.words[1:]) for job in jobs)
    del stages[GATHER]
    known = sum((count * seconds[stage] for stage, count in stages.items() if stage in seconds), 0.0)
    return Forecast(known, {stage: count for stage, count in stages.items() if stage not in seconds})


def _stage_of(command: Sequence[str]) -> str:
    """The stage in a command's words; for a judge it is the first option of the script that all judges share."""
    script = Path(command[0]).stem
    return command[1] if script == "judge" else script
