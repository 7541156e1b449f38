"""Rows of sample pictures: image | CAM | confident regions | refined CAM | pseudo mask | prediction | truth.

The images come from the first shard of each split, spread evenly over it; in each stretch an image with classes
that were not shown yet is preferred, then one with many classes. There is one line per chain of nodes; what an earlier
line shows is not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seedbed.artifacts.label_maps import voc_palette
from seedbed.artifacts.meanings import MEANINGS
from seedbed.report import overlays
from seedbed.report.blocks import Block, Cell, Gallery, Legend, Sample
from seedbed.report.pictures import DRAWN, Pictures, label_cell, pictures_of
from seedbed.report.results import Node, Results
from seedbed.report.section import Page, Section

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("split", "image_id", "columns")
NOTE = (
    "From the first shard of each split, spread evenly. CAMs: the strongest class, from blue (0) to red (1). Label "
    "maps: VOC's colours, background dimmed, neutral pixels striped.\n"
    "Truth is shown for judgement; nothing was made from it unless the ledger of a node says so."
)

Line = tuple[str, list[Node]]
"""A chain of nodes with its name."""


def frame(page: Page) -> pd.DataFrame:
    """One row per image shown, with the headings of its pictures."""
    import pandas as pd

    splits = dict.fromkeys(split for node in drawn_nodes(page.results).values() for split in node.splits)
    rows = [
        {"split": split, "image_id": image_id, "columns": " | ".join(columns_of(lines).values())}
        for split in splits
        for lines in (lines_of(page, split),)
        for image_id in images_of(page, split, lines)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The legend, and one gallery per split."""
    images: dict[str, list[str]] = {}
    for split, image_id in zip(frame["split"], frame["image_id"], strict=True):
        images.setdefault(split, []).append(image_id)
    shown = page.progress(images.items(), len(images), "report")
    galleries = [gallery(page, split, image_ids) for split, image_ids in shown]
    return [legend(page.dataset.mask_classes), *galleries] if galleries else []


def legend(classes: Sequence[str]) -> Legend:
    """The label maps' colours."""
    palette = voc_palette()
    return Legend(
        tuple(
            (name, "#{:02x}{:02x}{:02x}".format(*palette[3 * k : 3 * k + 3]))
            for k, name in enumerate(classes, start=1)
        )
    )


def drawn_nodes(results: Results) -> dict[str, Node]:
    """Nodes that have pictures, by key."""
    return {
        key: node for key, node in results.nodes.items() if node.meaning.form.name in DRAWN and node.splits
    }


def chains(results: Results) -> list[Line]:
    """Paths from CAMs to the last label maps, each with its name and the nodes shown; of several rngs the lowest."""
    shown = drawn_nodes(results)
    rngs = [node.place.axes.rng for node in shown.values() if node.place.axes.rng is not None]
    lowest = min(rngs, default=None)
    inner = {above for key in shown for above in results.ancestors[key] if above != key}
    return [
        (str(node.place), [shown[k] for k in results.ancestors[key] if k in shown])
        for key, node in shown.items()
        if key not in inner and node.place.axes.rng in (None, lowest)
    ]


def lines_of(page: Page, split: str) -> list[Line]:
    """The part of the chains that a split has; at most as many as the page has rows for."""
    lines = [(name, [n for n in nodes if split in n.splits]) for name, nodes in chains(page.results)]
    return [(name, nodes) for name, nodes in lines if nodes][: page.parameters.sample_rows]


def columns_of(lines: Iterable[Line]) -> dict[str, str]:
    """Heading of each column by node name, in the order of `MEANINGS`, then of the chain."""
    order = list(MEANINGS.values())
    meanings = {node.name: node.meaning for _, nodes in lines for node in nodes}
    shown = list(meanings.values())
    return {
        name: meaning.heading + (f" ({name})" if shown.count(meaning) > 1 else "")
        for name, meaning in sorted(meanings.items(), key=lambda item: order.index(item[1]))
    }


def images_of(page: Page, split: str, lines: Sequence[Line]) -> list[str]:
    """Ids of the images shown for a split; fewer if there are many lines."""
    if not lines or page.parameters.samples == 0:
        return []
    first = pictures_of(lines[0][1][0], split, page.dataset)
    candidates = [image_id for image_id in page.dataset.image_ids(split) if image_id in first]
    room = max(1, page.parameters.sample_rows // len(lines))
    return choose_images(candidates, page.dataset.labels, min(page.parameters.samples, room))


def choose_images(
    image_ids: Sequence[str], labels: Callable[[str], Sequence[bool] | np.ndarray], number: int
) -> list[str]:
    """One image of each of `number` equal stretches: new classes first, then many classes, then the earliest.

    Args:
        image_ids: candidates, in the data set's order.
        labels: image-level labels of an image.
        number: how many; all if there are fewer.
    """
    number = min(number, len(image_ids))
    shown: set[int] = set()
    chosen = []
    for place in range(number):
        stretch = image_ids[len(image_ids) * place // number : len(image_ids) * (place + 1) // number]
        classes = {i: set(np.flatnonzero(labels(i)).tolist()) for i in stretch}
        best = max(stretch, key=lambda i: (len(classes[i] - shown), len(classes[i])))
        shown |= classes[best]
        chosen.append(best)
    return chosen


def gallery(page: Page, split: str, image_ids: Sequence[str]) -> Gallery:
    """The pictures of some images of a split."""
    lines = lines_of(page, split)
    columns = columns_of(lines)
    nodes = {node.key: node for _, nodes in lines for node in nodes}
    stored = {key: pictures_of(node, split, page.dataset) for key, node in nodes.items()}
    return Gallery(
        title=split,
        columns=tuple(columns.values()),
        samples=tuple(sample_of(page, image_id, lines, list(columns), stored) for image_id in image_ids),
    )


def sample_of(
    page: Page, image_id: str, lines: Sequence[Line], columns: Sequence[str], stored: Mapping[str, Pictures]
) -> Sample:
    """The pictures of one image.

    Args:
        lines: chains of nodes, each of which becomes a line.
        columns: names of nodes; a line has a cell for each.
        stored: pictures of each node, by key.
    """
    dataset = page.dataset
    image = dataset.image(image_id)
    size = overlays.thumbnail_size((image.height, image.width), page.parameters.thumbnail)
    photo = overlays.shrink_photo(image, size)
    labels = zip(dataset.classes, dataset.labels(image_id), strict=True)
    mask = dataset.mask(image_id)
    return Sample(
        image_id=image_id,
        photo=Cell(overlays.jpeg(photo), ", ".join(name for name, there in labels if there) or "no class"),
        lines=tuple(_cells(image_id, photo, lines, columns, stored)),
        truth=None if mask is None else label_cell(mask, photo, dataset.mask_classes),
    )


def _cells(
    image_id: str,
    photo: overlays.Picture,
    lines: Sequence[Line],
    columns: Sequence[str],
    stored: Mapping[str, Pictures],
) -> list[tuple[str, tuple[Cell | None, ...]]]:
    """The name and cells of each line: nothing if it has no such node, a repeated cell if it was shown before."""
    seen: set[str] = set()
    found = []
    for name, nodes in lines:
        keys = {node.name: node.key for node in nodes if image_id in stored[node.key]}
        votes = (stored[key].strongest(image_id) for key in keys.values())
        strongest = next((class_id for class_id in votes if class_id is not None), None)
        cells: list[Cell | None] = []
        for column in columns:
            key = keys.get(column)
            if key is None:
                cells.append(None)
            elif key in seen:
                cells.append(Cell(b"", "as above", repeated=True))
            else:
                seen.add(key)
                cells.append(stored[key].cell(image_id, photo, strongest))
        found.append((name, tuple(cells)))
    return found


SECTION = Section("Samples", 100, frame, blocks, NOTE)
