"""What the tables of this folder read from the results of `run.py`."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.config import read_config
from seedbed.plan.task import Task
from seedbed.recipes import RecipeBook
from seedbed.runtime.background_option import OTSU, background_score
from seedbed.runtime.judging import read_judgement
from seedbed.runtime.paths import RUNS

if TYPE_CHECKING:
    import pandas as pd


def score_path(task: Task, split: str) -> Path:
    """Where `evaluate` writes."""
    return task.folder.parent / "scores" / f"{task.name}-{split}.json"


def scores_of(task: Task, split: str) -> dict[str, Any] | None:
    """What `evaluate` wrote, or None where it is missing: the recipe has not run, or has stopped."""
    path = score_path(task, split)
    return read_judgement(path).content if path.exists() else None


def otsu_score(cams: Task, curve: list[dict[str, float]]) -> tuple[float, float]:
    """Otsu's threshold, as the stages take it, and the mean IoU at the nearest threshold of the curve."""
    threshold = background_score(OTSU, Artifact(cams.manifest))
    return threshold, min(curve, key=lambda point: abs(point["threshold"] - threshold))["mean_iou"]


def costs_of(task: Task) -> dict[str, float]:
    """CPU seconds of all runs of a task's commands, and the peak memory of the largest, in MB."""
    runs = [json.loads(path.read_bytes()) for path in (task.folder / RUNS).glob("*.json")]
    return {
        "seconds": sum(run.get("cpu_seconds", math.nan) for run in runs),
        "memory": max(run["peak_memory_mb"] for run in runs),
    }


def workflow_of(folder: Path) -> Workflow:
    """The workflow in the folder that `run.py` was given, wherever the caller stands."""
    return Workflow(read_config(folder / "params.yaml"), RecipeBook(folder / "recipes"), folder / "results")


def print_table(headings: Sequence[str], rows: Callable[[Workflow], Iterable[tuple[str, ...]]]) -> int:
    """Print the table of the folder that the command line names; exit status 1 if there is nothing to print."""
    if len(sys.argv) != 2:
        sys.exit(f"expected the folder that run.py was given: python {sys.argv[0]} FOLDER")
    folder = Path(sys.argv[1])
    try:
        workflow = workflow_of(folder)
        printed = list(rows(workflow))
    except SeedbedError as error:
        print(f"{error}; run experiments/methods/run.py first", file=sys.stderr)
        return 1
    if not printed:
        print(
            f"{folder} holds nothing of {workflow.config.dataset}, the `dataset` of its params.yaml, that this "
            "table shows yet; go on with experiments/methods/run.py, or name another data set there",
            file=sys.stderr,
        )
        return 1
    print_rows(headings, printed)
    return 0


def figures(values: "pd.Series") -> Iterator[str]:
    """Each to three digits, nothing where there is none."""
    return ("" if math.isnan(value) else f"{value:.3f}" for value in values)


def summary(regrets: "pd.DataFrame", columns: int) -> Iterator[tuple[str, ...]]:
    """Median and worst of each criterion, below a table that begins with so many other columns."""
    for title, values in (("median", regrets.median()), ("worst", regrets.max())):
        yield (title, *[""] * (columns - 1), *figures(values))


def print_rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a markdown table."""
    for row in (headings, ("---",) * len(headings), *rows):
        print(f"| {' | '.join(row)} |")
