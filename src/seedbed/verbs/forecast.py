"""What a run will cost: the median seconds of earlier runs of the same stage on the same data set.

Every stage command leaves `.runs/UNIT.json` beside its output; a sharded node costs the runs of its missing shards.
Seconds also depend on parameters and device, so this is only a forecast; it ignores checkpoints to resume from.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from seedbed.engines.soundness import State, finished_shards
from seedbed.plan.commands import ALL_STAGES
from seedbed.plan.tasks import Task
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

    @classmethod
    def total(cls, parts: Sequence["Forecast"]) -> "Forecast":
        """The sum."""
        unknown: dict[str, int] = {}
        for part in parts:
            for stage, count in part.unknown.items():
                unknown[stage] = unknown.get(stage, 0) + count
        return cls(sum((part.seconds for part in parts), 0.0), unknown)

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
            facts = json.loads(path.read_bytes())
            stage, took = _stage_of(facts["command"]), float(facts["seconds"])
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            continue
        if stage in ALL_STAGES:
            seconds.setdefault(stage, []).append(took)
    return {stage: median(values) for stage, values in seconds.items()}


def task_forecast(task: Task, state: State, seconds: Mapping[str, float]) -> Forecast:
    """Cost of what a run would do for a node: nothing if it is cached, the missing shards if it is partial."""
    runs = 1
    if task.stage.sharded:
        finished = 0 if state.status == "stale" else finished_shards(task)
        runs = len(task.shard_names) - finished
    return forecast(task.stage.name, state, seconds, runs)


def forecast(stage: str, state: State, seconds: Mapping[str, float], runs: int = 1) -> Forecast:
    """Cost of a number of runs of a stage; nothing if what they make is cached."""
    if state.status == "cached":
        return Forecast(0.0, {})
    known = seconds.get(stage)
    return Forecast(0.0, {stage: runs} if runs else {}) if known is None else Forecast(known * runs, {})


def _stage_of(command: Sequence[str]) -> str:
    """The stage in a command's words; for a judge it is the first option of the script that all judges share."""
    script = Path(command[0]).stem
    return command[1] if script == "judge" else script
