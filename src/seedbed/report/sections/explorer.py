"""The explorer: move the thresholds, and see what becomes of the CAMs of some images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seedbed.artifacts.label_maps import voc_palette
from seedbed.artifacts.maps import MapStore
from seedbed.cam.thresholds import Regions
from seedbed.errors import SeedbedError
from seedbed.report import overlays
from seedbed.report.blocks import Block, Paragraph
from seedbed.report.explored import Codes, Explored, background_score_of, coded, packed
from seedbed.report.interactive import ExploredImage, ExploredNode, Explorer
from seedbed.report.results import Node, at_lowest_rng
from seedbed.report.section import Page, Section
from seedbed.report.sections.samples import choose_images
from seedbed.runtime.regions_option import DEFAULT_REGIONS

if TYPE_CHECKING:
    import pandas as pd

NAME = "explorer"
COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "image_id", "height", "width"),
    *("bg_threshold", "fg_threshold", "regions_foreground", "regions_background", "regions_neutral"),
    *("regions_mean_iou", "background_score", "mask_foreground", "mask_background", "mask_mean_iou"),
)
MEANINGS = ("cams", "refined_cams")
MOST_NODES = 12
"""Nodes whose scores travel with the page, CAMs first: a sweep has one more per pair."""
NOTE = (
    "Confident regions: background where the largest score is at most the background threshold, foreground where it is "
    "at least the foreground threshold, neutral between. Pseudo mask: a class where its score is above the background "
    "score. Scores are those of the labelled classes, in 256 levels on a small grid, and there is no CRF, so figures "
    "differ a little from those of the nodes. mIoU is of the image, neutral pixels left out. The background score "
    "begins at Otsu's threshold of the images shown."
)


class Taken(NamedTuple):
    """One image with the scores of the nodes; None where a node has none of it."""

    split: str
    image_id: str
    size: tuple[int, int]
    truth: np.ndarray | None
    by_node: tuple[Explored | None, ...]


class Shown(NamedTuple):
    """What the page's table and its block are made from."""

    nodes: tuple[Node, ...]
    taken: tuple[Taken, ...]
    starts: tuple[tuple[Regions, float], ...]
    """Where each node's sliders begin: its pair of thresholds, its background score."""


def nodes_of(page: Page) -> list[Node]:
    """The first `MOST_NODES` of `scored_nodes`."""
    return scored_nodes(page)[:MOST_NODES]


def scored_nodes(page: Page) -> list[Node]:
    """Nodes that hold scores of classes, CAMs first; of several random seeds the lowest."""
    found = [node for node in page.results.nodes.values() if node.meaning.name in MEANINGS and node.splits]
    return sorted(at_lowest_rng(found), key=lambda node: MEANINGS.index(node.meaning.name))


def pairs_of(page: Page) -> list[Regions]:
    """The pairs of thresholds on the page, in ascending order; the default pair if there are none."""
    return _pairs(page.results.nodes.values()) or [Regions.parse(DEFAULT_REGIONS)]


def _pairs(nodes: Iterable[Node]) -> list[Regions]:
    labels = {node.place.axes.regions for node in nodes}
    found = [Regions.parse(label) for label in labels if label]
    pairs = [regions for regions in found if regions.kind == "thresholds"]
    return sorted(pairs, key=lambda regions: (regions.low, regions.high))


def start_of(page: Page, node: Node) -> Regions:
    """The pair at which a node's sliders begin: its own, or the first of what was made from it, or of the page."""
    nodes = page.results.nodes
    after = _pairs(nodes[key] for key in page.results.descendants(node.key))
    return (_pairs([node]) or after or pairs_of(page))[0]


def shown_of(page: Page) -> Shown:
    """The same for the table and the block."""
    if NAME not in page.kept:
        nodes = tuple(nodes_of(page))
        taken = tuple(taken_of(page, nodes))
        pairs = (start_of(page, node) for node in nodes)
        page.kept[NAME] = Shown(nodes, taken, tuple(zip(pairs, _start_scores(taken, nodes), strict=True)))
    shown: Shown = page.kept[NAME]
    return shown


def taken_of(page: Page, nodes: Sequence[Node]) -> list[Taken]:
    """Images of the first shard of each split, chosen as the samples are."""
    number, found = page.parameters.explorer_images, []
    for split in dict.fromkeys(split for node in nodes for split in node.splits) if number else ():
        stores: list[MapStore | None] = [
            node.artifact.open(shard=f"{split}-0") if split in node.splits else None for node in nodes
        ]
        for store in filter(None, stores):
            store.check_sizes(page.dataset.image_ids(split), page.dataset.size)
        held = [i for i in page.dataset.image_ids(split) if any(store and i in store for store in stores)]
        for image_id in choose_images(held, page.dataset.labels, number):
            found.append(_taken(page, split, image_id, stores))
    return found


def _taken(page: Page, split: str, image_id: str, stores: Sequence[MapStore | None]) -> Taken:
    dataset = page.dataset
    width, height = dataset.size(image_id)
    size = overlays.thumbnail_size((height, width), page.parameters.explorer_side)
    mask = dataset.mask(image_id)
    truth = None if mask is None else overlays.shrink_labels(mask, size)
    lookup = dataset.in_mask_classes(np.arange(256, dtype=np.uint8)[None])[0]
    by_node = tuple(
        Explored(
            store[image_id].class_ids,
            _codes(store, image_id, size),
            lookup,
            truth,
            len(dataset.mask_classes),
        )
        if store and image_id in store
        else None
        for store in stores
    )
    return Taken(split, image_id, size, truth, by_node)


def _codes(store: MapStore, image_id: str, size: tuple[int, int]) -> Codes:
    scores = [overlays.shrink_scores(score, size) for score in store.scores(image_id)]
    return coded(np.stack(scores)) if scores else np.zeros((0, *size), np.uint8)


def _start_scores(taken: Sequence[Taken], nodes: Sequence[Node]) -> list[float]:
    columns = ([one.by_node[k] for one in taken] for k in range(len(nodes)))
    return [background_score_of([one.codes for one in column if one]) for column in columns]


def frame(page: Page) -> pd.DataFrame:
    """One row per image and node: what the explorer says where its sliders begin."""
    import pandas as pd

    shown = shown_of(page)
    rows = []
    for place, (node, (start, score)) in enumerate(zip(shown.nodes, shown.starts, strict=True)):
        for one in shown.taken:
            explored = one.by_node[place]
            if explored is not None:
                rows.append(_place(node, one) | _row(one.image_id, explored, start, score))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _place(node: Node, one: Taken) -> dict[str, Any]:
    height, width = one.size
    shown = {"node": node.name, "split": one.split, "image_id": one.image_id}
    return node.place.columns() | shown | {"height": height, "width": width}


def _row(image_id: str, explored: Explored, start: Regions, score: float) -> dict[str, Any]:
    try:
        regions = explored.shares(explored.regions(start.low, start.high))
        mask = explored.shares(explored.mask(score))
    except ValueError as error:
        raise SeedbedError(f"image {image_id!r}: {error}") from None
    return {
        "bg_threshold": start.low,
        "fg_threshold": start.high,
        "background_score": score,
        **{f"regions_{name}": value for name, value in regions.items()},
        **{f"mask_{name}": value for name, value in mask.items()},
    }


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One explorer of all images, and what it leaves out; none without CAMs."""
    if frame.empty:
        return []
    nodes, taken, starts = shown_of(page)
    palette = voc_palette()
    all_nodes = len(scored_nodes(page))
    left_out = f"The explorer has {len(nodes)} of {all_nodes} nodes with scores, CAMs first."
    return [
        *([Paragraph(left_out)] if len(nodes) < all_nodes else []),
        Explorer(
            nodes=tuple(
                ExploredNode(f"{node.name} ({node.place})", start.low, start.high, score)
                for node, (start, score) in zip(nodes, starts, strict=True)
            ),
            images=tuple(_image(page, one) for one in page.progress(taken, len(taken), "report")),
            label_classes=tuple(page.dataset.classes),
            classes=tuple(
                (name, "#{:02x}{:02x}{:02x}".format(*palette[3 * k : 3 * k + 3]))
                for k, name in enumerate(page.dataset.mask_classes, start=1)
            ),
            pairs=tuple((regions.low, regions.high) for regions in pairs_of(page)),
        ),
    ]


def _image(page: Page, one: Taken) -> ExploredImage:
    image = page.dataset.image(one.image_id)
    size = overlays.thumbnail_size((image.height, image.width), 2 * page.parameters.explorer_side)
    labels = zip(page.dataset.classes, page.dataset.labels(one.image_id), strict=True)
    return ExploredImage(
        image_id=one.image_id,
        split=one.split,
        photo=overlays.jpeg(overlays.shrink_photo(image, size)),
        labels=tuple(name for name, there in labels if there),
        size=one.size,
        scored=tuple(node.class_ids if node else () for node in one.by_node),
        class_ids=tuple(
            tuple(int(node.lookup[k + 1]) for k in node.class_ids) if node else () for node in one.by_node
        ),
        codes=tuple(packed(node.codes) if node and len(node.codes) else None for node in one.by_node),
        truth=None if one.truth is None else packed(one.truth),
    )


SECTION = Section("Explorer", 75, frame, blocks, NOTE)
