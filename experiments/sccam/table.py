"""SC-CAM by round and by number of sub-categories, from the results of `experiments/methods/run.py`.

`python experiments/methods/run.py FOLDER --experiment experiments/sccam` makes the results;
`python experiments/sccam/table.py FOLDER` prints a row per recipe: mean IoU of its CAMs on the training images at
Otsu's threshold, at the fixed one and at the best one (chosen with masks), F-score at the fixed one, mAP on val, the
seconds of its last training, and how far its sub-categories agree with those of the round before (adjusted Rand index,
mean over classes; 1 is the same, 0 is chance).
"""

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
from sklearn.metrics import adjusted_rand_score

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.tables import CLASS, IMAGE, TABLE
from seedbed.cam.otsu import otsu_threshold, score_histogram
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.config import read_config
from seedbed.plan.tasks import Task
from seedbed.recipes import RecipeBook
from seedbed.runtime.judging import read_judgement
from seedbed.runtime.paths import RUNS

HEADINGS = (
    *("recipe", "round", "K", "CAM, Otsu", "CAM, fixed 0.25", "CAM, best (chosen with masks)"),
    *("F-score, fixed 0.25", "mAP, val", "training, s", "agreement with the round before"),
)


def rows(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    """One row per recipe and seed that has run."""
    for recipe in workflow.config.recipes:
        for rng in workflow.config.rngs:
            tasks = workflow.graph().recipe_tasks(recipe, rng)
            cams, classification = tasks["cams"], tasks["classification"]
            if not (score_path(cams, "train").exists() and score_path(classification, "val").exists()):
                continue
            scored = read_judgement(score_path(cams, "train")).content
            classified = read_judgement(score_path(classification, "val")).content
            tables = [task for task in cams.ancestors() if task.stage.makes == "subcategories"]
            clusters = Artifact(tables[-1].manifest).manifest.facts["clusters"] if tables else ""
            threshold, at_otsu = otsu_score(cams, scored["curve"])
            agreement = f"{agreement_of(*tables[-2:]):.2f}" if len(tables) > 1 else ""
            yield (
                *(f"`{recipe}` rng {rng}", str(len(tables)), str(clusters)),
                f"{at_otsu:.3f} at {threshold:.2f}",
                f"{scored['scores']['mean_iou']:.3f}",
                f"{scored['best']['mean_iou']:.3f} at {scored['best']['threshold']:.2f}",
                f"{scored['scores']['mean_f1']:.3f}",
                f"{classified['scores']['mean_average_precision']:.3f}",
                f"{seconds_of(cams.sources['classifier']):.0f}",
                agreement,
            )


def score_path(task: Task, split: str) -> Path:
    """Where `evaluate` writes."""
    return task.folder.parent / "scores" / f"{task.name}-{split}.json"


def otsu_score(cams: Task, curve: list[dict[str, float]]) -> tuple[float, float]:
    """Otsu's threshold of all training images with a class, and the mean IoU at the nearest threshold of the curve."""
    store = Artifact(cams.manifest).open("train")
    histogram = sum(
        score_histogram(store.scores(image_id).max(0)) for image_id in store if store[image_id].class_ids
    )
    threshold = otsu_threshold(np.asarray(histogram))
    return threshold, min(curve, key=lambda point: abs(point["threshold"] - threshold))["mean_iou"]


def seconds_of(task: Task) -> float:
    """Of all runs of a task's commands."""
    return sum(json.loads(path.read_bytes())["seconds"] for path in (task.folder / RUNS).glob("*.json"))


def agreement_of(before: Task, after: Task) -> float:
    """Adjusted Rand index of two tables, mean over classes."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    for task in (before, after):
        by_class: dict[str, dict[str, str]] = defaultdict(dict)
        with (task.folder / TABLE).open(newline="") as stream:
            for row in csv.DictReader(stream):
                by_class[row[CLASS]][row[IMAGE]] = row["cluster"]
        for class_id, clusters in by_class.items():
            found[class_id].append([clusters[image_id] for image_id in sorted(clusters)])
    return fmean(adjusted_rand_score(*pair) for pair in found.values())


def main(folder: Path) -> int:
    """Print the table; exit status 1 if there is nothing to print."""
    try:
        config = read_config(folder / "params.yaml")
        printed = list(rows(Workflow(config, RecipeBook(folder / "recipes"), folder / "results")))
    except SeedbedError as error:
        print(f"{error}; run experiments/methods/run.py first", file=sys.stderr)
        return 1
    if not printed:
        print(f"{folder} holds no scores yet; go on with experiments/methods/run.py", file=sys.stderr)
        return 1
    for row in (HEADINGS, ("---",) * len(HEADINGS), *printed):
        print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected the folder that run.py was given: python experiments/sccam/table.py FOLDER")
    sys.exit(main(Path(sys.argv[1])))
