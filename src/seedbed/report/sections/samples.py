"""Rows of sample pictures: image | CAM | confident regions | refined CAM | pseudo mask | prediction | truth.

The images come from the first shard of each split, spread evenly over it; in each stretch an image with classes
that were not shown yet is preferred, then one with many classes. There is one line per chain of nodes; what an earlier
line shows is not repeated. Nodes of one meaning in different chains share a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from seedbed.artifacts.label_maps import voc_palette
from seedbed.artifacts.meanings import MEANINGS, Meaning
from seedbed.report import overlays
from seedbed.report.blocks import Block, Cell, Gallery, Legend, Sample
from seedbed.report.pictures import DRAWN, Mask, Pictures, label_cell, pictures_of
from seedbed.report.results import Node, Results, at_lowest_rng
from seedbed.report.section import Page, Section

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("split", "image_id", "columns")
NOTE = (
    "From the first shard of each split, spread evenly. CAMs: the strongest class, from blue (0) to red (1). Label "
    "maps: VOC's colours, background dimmed, neutral pixels striped. "
    "Of several nodes of one name in a chain, which rounds of training have, only the last is shown.\n"
    "Truth is shown for judgement; nothing was made from it unless the ledger of a node says so."
)

Line = tuple[str, list[Node]]
"""A chain of nodes with its name."""


class Row(NamedTuple):
    """A chain of nodes with its name, as it stands in the columns: None where it has no node."""

    name: str
    nodes: tuple[Node | None, ...]


class Column(NamedTuple):
    """A column of pictures: nodes of one meaning, by name; a chain has at most one of them."""

    meaning: Meaning
    names: dict[str, None]


def frame(page: Page) -> pd.DataFrame:
    """One row per image shown, with the headings of its pictures."""
    import pandas as pd

    splits = dict.fromkeys(split for node in drawn_nodes(page.results).values() for split in node.splits)
    rows = [
        {"split": split, "image_id": image_id, "columns": " | ".join(headings(columns))}
        for split in splits
        for lines in (lines_of(page, split),)
        for columns in (columns_of(lines),)
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
    kept = {node.key for node in at_lowest_rng(shown.values())}
    inner = {above for key in shown for above in results.ancestors[key] if above != key}
    return [
        (str(node.place), [shown[k] for k in results.ancestors[key] if k in shown])
        for key, node in shown.items()
        if key not in inner and key in kept
    ]


def lines_of(page: Page, split: str) -> list[Line]:
    """The part of the chains that a split has; at most as many as the page has rows for."""
    lines = [(name, [n for n in nodes if split in n.splits]) for name, nodes in chains(page.results)]
    return [(name, nodes) for name, nodes in lines if nodes][: page.parameters.sample_rows]


def columns_of(lines: Iterable[Line]) -> list[Column]:
    """The columns, in the order of `MEANINGS`, then of the chains.

    A node stands in the column of its name if an earlier chain has one, or else in the first of its meaning that its
    chain leaves free.
    """
    found: list[Column] = []
    for _, nodes in lines:
        taken = [column for node in nodes for column in found if _is_named(column, node)]
        for node in nodes:
            if any(_is_named(column, node) for column in taken):
                continue
            free = (c for c in found if c.meaning == node.meaning and not any(c is t for t in taken))
            column = next(free, None)
            if column is None:
                found.append(column := Column(node.meaning, {}))
            column.names[node.name] = None
            taken.append(column)
    order = list(MEANINGS.values())
    return sorted(found, key=lambda column: order.index(column.meaning))


def _is_named(column: Column, node: Node) -> bool:
    return column.meaning == node.meaning and node.name in column.names


def headings(columns: Sequence[Column]) -> tuple[str, ...]:
    """The heading of each column, with the node's name if several are of one meaning and it has no other name."""
    meanings = [column.meaning for column in columns]
    return tuple(
        column.meaning.heading
        + (f" ({', '.join(column.names)})" if meanings.count(column.meaning) > 1 else "")
        for column in columns
    )


def rows_of(lines: Iterable[Line], columns: Sequence[Column]) -> list[Row]:
    """The chains, each node in its column; of two of one name, which rounds of training have, the last."""
    return [
        Row(
            name,
            tuple(next((n for n in reversed(nodes) if _is_named(column, n)), None) for column in columns),
        )
        for name, nodes in lines
    ]


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
    rows = rows_of(lines, columns)
    nodes = {node.key: node for _, nodes in lines for node in nodes}
    stored = {key: pictures_of(node, split, page.dataset) for key, node in nodes.items()}
    return Gallery(
        title=split,
        columns=headings(columns),
        samples=tuple(sample_of(page, image_id, rows, stored) for image_id in image_ids),
    )


def sample_of(page: Page, image_id: str, rows: Sequence[Row], stored: Mapping[str, Pictures]) -> Sample:
    """The pictures of one image.

    Args:
        rows: nodes, one line of pictures per row.
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
        lines=tuple(_cells(image_id, photo, rows, stored, mask)),
        truth=None if mask is None else label_cell(mask, photo, dataset.mask_classes),
    )


def _cells(
    image_id: str,
    photo: overlays.Picture,
    rows: Sequence[Row],
    stored: Mapping[str, Pictures],
    mask: Mask | None,
) -> list[tuple[str, tuple[Cell | None, ...]]]:
    """The name and cells of each line: nothing if it has no such node, a repeated cell if it was shown before."""
    names = [
        {node.name for node in column if node} for column in zip(*(row.nodes for row in rows), strict=True)
    ]
    seen: set[str] = set()
    found = []
    for name, nodes in rows:
        there = [node if node and image_id in stored[node.key] else None for node in nodes]
        votes = (stored[node.key].strongest(image_id) for node in there if node)
        strongest = next((class_id for class_id in votes if class_id is not None), None)
        cells: list[Cell | None] = []
        for node, named in zip(there, names, strict=True):
            if node is None:
                cells.append(None)
            elif node.key in seen:
                cells.append(Cell(b"", "as above", repeated=True))
            else:
                seen.add(node.key)
                cell = stored[node.key].cell(image_id, photo, strongest, mask)
                cells.append(
                    replace(cell, caption=f"{node.name}: {cell.caption}") if len(named) > 1 else cell
                )
        found.append((name, tuple(cells)))
    return found


SECTION = Section("Samples", 100, frame, blocks, NOTE)
