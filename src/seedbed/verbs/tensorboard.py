"""`seedbed tensorboard`: what is cached of trainings and scores, as event files for TensorBoard.

One run per owner and point on the axes: every step of every history, and every headline score, at the kept epoch that
its node reads, or else at step 0.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.models import HISTORY
from seedbed.engines.soundness import CACHED, Examiner
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import SCORES
from seedbed.plan.reports import ALL, Report
from seedbed.plan.task import Task
from seedbed.runtime.judging import HEADLINES, read_judgement
from seedbed.training.history import LEADING

_, STEP, _ = LEADING
SUFFIX = ".seedbed"
EVENT_FILES = f"events.out.tfevents.*{SUFFIX}"


class Scalar(NamedTuple):
    """One point of a curve."""

    tag: str
    step: int
    value: float


def curves(workflow: Workflow, recipes: Sequence[str] = ()) -> dict[str, list[Scalar]]:
    """All points by run, `owner/axes`; what has not been made yet is left out.

    Args:
        recipes: those selected in params.yaml if empty.

    Raises:
        SeedbedError: an unknown recipe, or a file disagrees with its manifest.
    """
    report = Report(workflow.graph(), ALL, tuple(workflow.points(ALL, recipes)))
    found: dict[str, list[Scalar]] = {}
    for task in report.tasks:
        if HISTORY in task.stage.files and task.manifest.exists():
            found.setdefault(_run(task), []).extend(_history(task))
    for judgement in report.judged_by(SCORES):
        if judgement.path.exists():
            scores = read_judgement(judgement.path).scores
            step = next(iter(judgement.task.epochs.values()), 0)
            found.setdefault(_run(judgement.task), []).extend(
                Scalar(f"scores/{judgement.name}/{metric}", step, float(scores[metric]))
                for metric in HEADLINES
                if scores.get(metric) is not None
            )
    return {run: points for run, points in found.items() if points}


def stale_runs(workflow: Workflow, recipes: Sequence[str] = ()) -> list[str]:
    """Trained nodes and scores among these points that a run would make again, by their keys."""
    graph = workflow.graph()
    report, examiner = Report(graph, ALL, tuple(workflow.points(ALL, recipes))), Examiner(graph)
    states = {
        task.key: examiner.task(task)
        for task in report.tasks
        if HISTORY in task.stage.files and task.manifest.exists()
    }
    states |= {
        judgement.key: examiner.judgement(judgement)
        for judgement in report.judged_by(SCORES)
        if judgement.path.exists()
    }
    return [key for key, state in states.items() if state != CACHED]


def _run(task: Task) -> str:
    return f"{task.owner}/{task.axes}"


def _history(task: Task) -> Iterator[Scalar]:
    """Every value of every step, and the epoch."""
    text = Artifact(task.folder).file(HISTORY).read_text()
    for row in csv.DictReader(io.StringIO(text)):
        for name, value in row.items():
            if name != STEP and value:
                yield Scalar(f"{task.name}/{name}", int(row[STEP]), float(value))


def write_events(runs: Mapping[str, Sequence[Scalar]], out: Path) -> int:
    """Write one event file per run, instead of those of an earlier call.

    Returns:
        How many points were written.
    """
    from tensorboardX import SummaryWriter

    for earlier in out.rglob(EVENT_FILES):
        earlier.unlink()
    for run, points in runs.items():
        with SummaryWriter(str(out / run), filename_suffix=SUFFIX) as events:
            for point in points:
                events.add_scalar(point.tag, point.value, point.step)
    return sum(map(len, runs.values()))
