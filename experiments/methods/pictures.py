"""Sheets of pictures from the results of `run.py`: a row per image, a column per node."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.table import open_dataset
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task
from seedbed.report.overlays import overlay_heat, overlay_labels


def nodes_sheet(
    workflow: Workflow, dataset: str, nodes: Mapping[str, Sequence[str]], images: int, height: int
) -> Image.Image:
    """A row per training image: photograph, maps and label maps of nodes, truth.

    Args:
        nodes: names of nodes by recipe; what has not been made is left out.
        images: rows.
        height: of a cell, in pixels.
    """
    graph = workflow.graph(dataset)
    found: list[tuple[str, Task]] = []
    for recipe, names in nodes.items():
        tasks = graph.recipe_tasks(recipe, workflow.config.rngs[0])
        found += [(f"{recipe}\n{name}", tasks[name]) for name in names if tasks[name].manifest.exists()]
    opened = [
        (title, Artifact(task.manifest).open("train"), task.stage.meaning.form.name) for title, task in found
    ]
    data = open_dataset(dataset, graph.declaration)
    lines = []
    for image_id in shown_images(data, "train", images):
        photo, truth = np.array(data.image(image_id)), data.mask(image_id)
        assert truth is not None
        cells = [
            overlay_heat(photo, store.scores(image_id).max(0))
            if form == "maps"
            else overlay_labels(photo, store[image_id])
            for _, store, form in opened
        ]
        lines.append([photo, *cells, overlay_labels(photo, truth)])
    return cells_sheet(["photograph", *(title for title, *_ in opened), "truth"], lines, height)


def shown_images(data: Any, split: str, count: int) -> list[str]:
    """Images with a class, evenly spread."""
    ids = [image_id for image_id in data.image_ids(split) if data.labels(image_id).sum()]
    return ids[:: max(1, len(ids) // count)][:count]


def cells_sheet(titles: Sequence[str], lines: Sequence[Sequence[np.ndarray]], height: int) -> Image.Image:
    """A row of pictures per line, below titles of one or two lines."""
    width, gap, head = height * 4 // 3, 4, 30
    sheet = Image.new("RGB", (len(titles) * (width + gap), head + len(lines) * (height + gap)), "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        draw.text((column * (width + gap), 2), title, fill="black")
        for row, line in enumerate(lines):
            cell = Image.fromarray(line[column])
            cell.thumbnail((width, height))
            sheet.paste(cell, (column * (width + gap), head + row * (height + gap)))
    return sheet
