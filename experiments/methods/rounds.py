"""SC-CAM by round and by number of sub-categories, from the results of `experiments/methods/run.py`.

`python experiments/methods/run.py FOLDER --experiment experiments/sccam` makes the results;
`python experiments/methods/rounds.py FOLDER` prints a row per recipe: mean IoU of its CAMs on the training images at
Otsu's threshold, at the fixed one and at the best one (chosen with masks), F-score at the fixed one, mAP on val, the
CPU seconds of its last training, and how far its sub-categories agree with those of the round before (adjusted Rand
index, mean over classes; 1 is the same, 0 is chance).
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterator
from statistics import fmean

from measured import costs_of, otsu_score, print_table, scores_of
from sklearn.metrics import adjusted_rand_score

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.tables import CLASS, IMAGE, TABLE
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task

HEADINGS = (
    *("recipe", "round", "K", "CAM, Otsu", "CAM, fixed 0.25", "CAM, best (chosen with masks)"),
    *("F-score, fixed 0.25", "mAP, val", "training, CPU s", "agreement with the round before"),
)


def rows(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    """One row per recipe and seed that has run."""
    for recipe in workflow.config.recipes:
        for rng in workflow.config.rngs:
            tasks = workflow.graph().recipe_tasks(recipe, rng)
            cams, classification = tasks["cams"], tasks["classification"]
            scored, classified = scores_of(cams, "train"), scores_of(classification, "val")
            if scored is None or classified is None:
                continue
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
                f"{costs_of(cams.sources['classifier'])['seconds']:.0f}",
                agreement,
            )


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


if __name__ == "__main__":
    sys.exit(print_table(HEADINGS, rows))
