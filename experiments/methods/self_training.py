"""Self-training by round, from the results of `run.py`.

`python experiments/methods/run.py FOLDER --experiment experiments/self_training --to predictions` makes the results;
`python experiments/methods/self_training.py FOLDER` prints a row per recipe, and draws some images through the rounds
to FOLDER/rounds.jpg. Agreement is that of the predictions on training images with those of the round before; it needs
no masks.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from measured import costs_of, print_table, scores_of, workflow_of
from pictures import nodes_sheet

from seedbed.plan.commands import Workflow
from seedbed.plan.judges import ROUND_AGREEMENT
from seedbed.plan.task import Task
from seedbed.runtime.judging import read_judgement

HEADINGS = (
    *("recipe", "learns from", "labels, train: mIoU", "precision", "recall"),
    *("predictions, train: mIoU", "val: mIoU", "precision", "recall"),
    *("agreement with the round before", "training, CPU s"),
)
DRAWN = {
    "binary-0": ("cams", "confident_regions", "predictions"),
    "binary-1": ("superpixel_masks", "predictions"),
    "binary-2": ("predictions",),
    "binary-3": ("predictions",),
    "binary-plain-1": ("predictions",),
    "binary-plain-3": ("predictions",),
}
"""What the picture shows, by recipe."""
IMAGES, HEIGHT = 8, 110
FIGURES = ("mean_iou", "mean_precision", "mean_recall")


def rows(workflow: Workflow) -> Iterator[tuple[str, ...]]:
    """One row per recipe that has run."""
    for recipe in workflow.config.recipes:
        tasks = workflow.graph().recipe_tasks(recipe, workflow.config.rngs[0])
        predictions = tasks["predictions"]
        val = scores_of(predictions, "val")
        if val is None:
            continue
        segmenter = predictions.sources["segmenter"]
        labels = segmenter.sources.get("labels")
        taught = scores_of(labels, "train") if labels else None
        train = scores_of(predictions, "train")
        yield (
            f"`{recipe}`",
            f"`{labels.owner}`, {labels.name}" if labels else "the true masks",
            *(f"{taught['scores'][key]:.3f}" if taught else "" for key in FIGURES),
            f"{train['scores']['mean_iou']:.3f}" if train else "",
            *(f"{val['scores'][key]:.3f}" for key in FIGURES),
            agreement(predictions),
            f"{costs_of(segmenter)['seconds']:.0f}",
        )


def agreement(predictions: Task) -> str:
    """Share of the pixels of training images with the label of the round before; empty for the first round."""
    path = predictions.folder.parent / ROUND_AGREEMENT / f"{predictions.name}-train.json"
    return f"{read_judgement(path).content['scores']['agreement']:.3f}" if path.exists() else ""


def draw(folder: Path) -> None:
    """The pictures."""
    workflow = workflow_of(folder)
    sheet = nodes_sheet(workflow, workflow.config.dataset, DRAWN, IMAGES, HEIGHT)
    sheet.save(folder / "rounds.jpg", quality=85)


if __name__ == "__main__":
    status = print_table(HEADINGS, rows)
    if status == 0:
        draw(Path(sys.argv[1]))
    sys.exit(status)
