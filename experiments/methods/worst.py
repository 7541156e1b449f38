"""The images on which a recipe's predictions are worst, and what sets them apart, from the results of `run.py`.

`python experiments/methods/worst.py FOLDER RECIPE [NODE] [SPLIT]` prints the twelve images with the lowest mean IoU
over the classes in mask or prediction, background included, then the means over them and over all images, and draws
them to FOLDER/worst.jpg. FOLDER/masks.jpg shows training images with their masks (`training_masks` of best-lite, or
`pseudo_masks`) beside images of the split with predictions, evenly spread. Of several random seeds it takes the
first. NODE must hold label maps; by default it is `predictions`, and SPLIT `val`.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from measured import print_rows, score_path, workflow_of
from pictures import cells_sheet, shown_images

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.base import Dataset
from seedbed.datasets.table import open_dataset
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task
from seedbed.report.overlays import overlay_labels
from seedbed.runtime.judging import read_judgement

SHOWN, SPREAD = 12, 5
MASKS = ("training_masks", "pseudo_masks")
"""Nodes with masks of the training images; the first one that has been made is drawn."""
HEIGHT = 130


class Errors(NamedTuple):
    """What is wrong in one image; shares are of its known pixels."""

    mean_iou: float
    classes: int
    foreground: float
    missed: float
    added: float
    confused: float


def errors_of(counts: np.ndarray) -> Errors:
    """Errors of an image from its counts [K, K + 1]: true class, predicted class or neutral."""
    known, predicted = counts.sum(1), counts.sum(0)[:-1]
    hits, pixels = np.diag(counts), max(1, counts.sum())
    there = (known + predicted) > 0
    iou = hits[there] / (known + predicted - hits)[there]
    objects = counts[1:, 1:-1]
    return Errors(
        mean_iou=float(iou.mean()) if there.any() else 1.0,
        classes=int((known[1:] > 0).sum()),
        foreground=known[1:].sum() / pixels,
        missed=counts[1:, 0].sum() / pixels,
        added=counts[0, 1:-1].sum() / pixels,
        confused=(objects.sum() - np.trace(objects)) / pixels,
    )


def _row(title: str, images: list[Errors]) -> Iterator[str]:
    yield title
    for name, value in zip(Errors._fields, np.mean(images, axis=0), strict=True):
        yield f"{value:.1f}" if name == "classes" else f"{value:.3f}"


def _lines(data: Dataset, task: Task, split: str, ids: Sequence[str]) -> list[list[np.ndarray]]:
    """Photograph, label map and truth of each image."""
    store, lines = Artifact(task.manifest).open(split), []
    for image_id in ids:
        photo, truth = np.array(data.image(image_id)), data.mask(image_id)
        assert truth is not None
        lines.append([photo, overlay_labels(photo, store[image_id]), overlay_labels(photo, truth)])
    return lines


def _two_columns(lines: Sequence[list[np.ndarray]]) -> list[list[np.ndarray]]:
    """The second half of the lines beside the first; of an odd number the last is left out."""
    half = len(lines) // 2
    return [left + right for left, right in zip(lines[:half], lines[half:], strict=False)]


def show(workflow: Workflow, folder: Path, recipe: str, node: str, split: str) -> None:
    """Print the table and draw the pictures into the folder.

    Raises:
        SeedbedError: there is no such node, or it has not been scored as label maps.
    """
    graph, rng = workflow.graph(), workflow.config.rngs[0]
    task, tasks = graph.task(recipe, node, rng), graph.recipe_tasks(recipe, rng)
    if task.stage.meaning.form.name != "label_maps":
        raise SeedbedError(f"node {node} of recipe {recipe} holds {task.stage.makes}, not label maps")
    found = read_judgement(score_path(task, split))
    sparse = found.image_counts
    assert sparse is not None, "label maps are judged image by image"
    size = len(found.content["counts"])
    data = open_dataset(workflow.config.dataset, graph.declaration)
    ids = data.image_ids(split)
    errors = {
        image_id: errors_of(row.toarray().reshape(size, size + 1))
        for image_id, row in zip(ids, sparse, strict=True)
    }
    worst = sorted(ids, key=lambda image_id: errors[image_id].mean_iou)[:SHOWN]
    rows = [tuple(_row(image_id, [errors[image_id]])) for image_id in worst]
    rows += [
        tuple(_row("mean of these", [errors[image_id] for image_id in worst])),
        tuple(_row("mean of all", list(errors.values()))),
    ]
    print_rows(("image", *Errors._fields), rows)
    both = _two_columns(_lines(data, task, split, worst))
    cells_sheet(["photograph", node, "truth"] * 2, both, HEIGHT).save(folder / "worst.jpg", quality=80)
    lines = _lines(data, task, split, shown_images(data, split, SPREAD))
    titles = [f"{split} image", node, "truth"]
    if made := [name for name in MASKS if name in tasks and tasks[name].manifest.exists()]:
        masks = _lines(data, tasks[made[0]], "train", shown_images(data, "train", SPREAD))
        lines = [left + right for left, right in zip(masks, lines, strict=False)]
        titles = ["training image", made[0], "truth", *titles]
    cells_sheet(titles, lines, HEIGHT).save(folder / "masks.jpg", quality=80)
    print(f"pictures: {folder / 'worst.jpg'}, {folder / 'masks.jpg'}")


def main() -> int:
    """Show the errors of the node that the command line names; exit status 1 if there is nothing to show."""
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(f"expected: python {sys.argv[0]} FOLDER RECIPE [NODE] [SPLIT]")
    folder, recipe, *others = sys.argv[1:]
    node, split = (*others, *("predictions", "val")[len(others) :])
    try:
        show(workflow_of(Path(folder)), Path(folder), recipe, node, split)
    except SeedbedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
