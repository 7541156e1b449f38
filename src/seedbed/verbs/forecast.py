"""What a run will cost: the median seconds of earlier runs of the same stage on the same data set.

Every stage command leaves `.runs/UNIT.json` beside its output; a sharded node costs its missing shards' runs. Seconds
depend on parameters and device too, so this is a forecast, and it takes no account of checkpoints to resume from.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from seedbed.plan.judges import Judgement
from seedbed.plan.state import State
from seedbed.plan.tasks import Task
from seedbed.runtime.paths import RUNS
from seedbed.stages.registry import COMMANDS


@dataclass(frozen=True)
class Forecast:
    """Seconds of one worker.

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
        """`unknown` where nothing is known, `3 min + unknown` where a part is."""
        if not self.unknown:
            return human_duration(self.seconds) if self.seconds else ""
        return f"{human_duration(self.seconds)} + unknown" if self.seconds else "unknown"


def run_seconds(results: Path, dataset: str) -> dict[str, float]:
    """Median seconds of one run by stage, from all `.runs/*.json` of a data set; unreadable ones are passed over."""
    seconds: dict[str, list[float]] = {}
    for path in (results / dataset).glob(f"**/{RUNS}/*.json"):
        try:
            facts = json.loads(path.read_bytes())
            stage, took = Path(facts["command"][0]).stem, float(facts["seconds"])
        except (OSError, ValueError, KeyError, IndexError, TypeError):
            continue
        if stage in COMMANDS:
            seconds.setdefault(stage, []).append(took)
    return {stage: median(values) for stage, values in seconds.items()}


def task_forecast(task: Task, state: State, seconds: Mapping[str, float]) -> Forecast:
    """Of what a run would do for a task: nothing where it is cached, the missing shards where it is partial."""
    if state.status == "cached":
        return Forecast(0.0, {})
    runs = 1
    if task.stage.sharded:
        missing = [s for s in task.shard_names if not all(file.exists() for file in task.shard_files(s))]
        runs = len(task.shard_names if state.status == "stale" else missing)
    return forecast(task.stage.name, runs, seconds)


def judgement_forecast(
    judgement: Judgement, states: Mapping[str, State], seconds: Mapping[str, float]
) -> Forecast:
    """Of a scores or threshold file: due where it is missing, other parameters made it, or a source is not cached."""
    sources = [states[task.key].status for task in judgement.sources.values() if task.key in states]
    due = any(status != "cached" for status in sources) or _made_with(judgement.path) != judgement.slice()
    return forecast(judgement.stage.name, 1, seconds) if due else Forecast(0.0, {})


def _made_with(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())["parameters"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forecast(stage: str, runs: int, seconds: Mapping[str, float]) -> Forecast:
    """Of a number of runs of a stage."""
    known = seconds.get(stage)
    return Forecast(0.0, {stage: runs} if runs else {}) if known is None else Forecast(known * runs, {})


def human_duration(seconds: float) -> str:
    """Seconds as people read them: 12 s, 3 min, 2.4 h."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 3570 else f"{seconds / 3600:.1f} h"
