"""What a run will cost: the median seconds of earlier runs of the same stage on the same data set.

Every stage command leaves `.runs/UNIT.json` beside its output; the jobs are those that are left
(`seedbed.engines.jobs`). Seconds also depend on parameters and device, so this is only a forecast; it ignores
checkpoints to resume from.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seedbed.engines.run_seconds import human_duration, stage_of
from seedbed.plan.commands import GATHER, Command


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


def forecast(jobs: Iterable[Command], seconds: Mapping[str, float]) -> Forecast:
    """Cost of jobs; gathering shards costs next to nothing."""
    stages = Counter(stage_of(job.words[1:]) for job in jobs)
    del stages[GATHER]
    known = sum((count * seconds[stage] for stage, count in stages.items() if stage in seconds), 0.0)
    return Forecast(known, {stage: count for stage, count in stages.items() if stage not in seconds})
