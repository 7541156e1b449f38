"""Label maps as they change while a network is trained: the same chain from several kept epochs (ISIM, Fig. 4 and 5).

Nothing here knows a method: label maps made in the same way from `classifier@epoch5`, `classifier@epoch15`, … are one
series.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from seedbed.artifacts.label_maps import LabelMaps
from seedbed.labels import IGNORE
from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Gallery, Table
from seedbed.report.pictures import pictures_of
from seedbed.report.results import Node, Place, Results
from seedbed.report.section import Page, Section
from seedbed.report.sections.samples import Row, choose_images, legend, sample_of
from seedbed.report.tables import figure

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "epoch", "images"),
    *("foreground", "background_images", "changed", "mean_iou"),
)
NOTE = (
    "The same steps from the weights after several epochs of one training. Shares are of the pixels in the first shard "
    "of each split."
)


class Series(NamedTuple):
    """Label maps of one training by epoch, in rising order."""

    place: Place
    nodes: dict[int, Node]


def series_of(results: Results) -> list[Series]:
    """Series of at least two epochs."""
    found: dict[tuple[str, ...], Series] = {}
    for node in results.nodes.values():
        if node.meaning.form.name != "label_maps" or not node.splits:
            continue
        above = [results.nodes[key] for key in results.ancestors[node.key]]
        epochs = {e for one in above for e in one.artifact.manifest.parameters.get("epochs", {}).values()}
        if len(epochs) == 1:
            trained = [one.key for one in above if one.meaning.keeps_epochs]
            how = json.dumps(node.artifact.manifest.parameters.get("parameters", {}), sort_keys=True)
            key = (str(node.place), node.stage, how, *trained)
            found.setdefault(key, Series(node.place, {})).nodes[epochs.pop()] = node
    return [Series(s.place, dict(sorted(s.nodes.items()))) for s in found.values() if len(s.nodes) > 1]


def frame(page: Page) -> pd.DataFrame:
    """One row per series, split and epoch."""
    import pandas as pd

    rows = [row for series in series_of(page.results) for row in _rows(page, series)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(page: Page, series: Series) -> Iterator[dict[str, Any]]:
    scores = {(j.key, j.split): j.scores for j in page.results.judged[SCORES]}
    for split in next(iter(series.nodes.values())).splits:
        before: dict[str, np.ndarray] = {}
        for epoch, node in series.nodes.items():
            maps: LabelMaps = node.artifact.open(shard=f"{split}-0")
            maps.check_sizes(maps, page.dataset.size)  # those of two epochs are compared pixel by pixel
            now = {image_id: maps[image_id] for image_id in maps}
            pixels = sum(m.size for m in now.values())
            named = [int(((m > 0) & (m < IGNORE)).sum()) for m in now.values()]
            changed = sum(int((m != before[i]).sum()) for i, m in now.items() if i in before)
            yield node.place.columns() | {
                "node": node.name,
                "split": split,
                "epoch": epoch,
                "images": len(now),
                "foreground": sum(named) / pixels,
                "background_images": named.count(0),
                "changed": changed / pixels if before else None,
                "mean_iou": scores.get((node.key, split), {}).get("mean_iou"),
            }
            before = now


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The figures, and sample images of the lowest random seed."""
    if not len(frame):
        return []
    rows = tuple(
        (
            *(row["owner"], str(row["rng"]), row["node"], row["split"], str(row["epoch"])),
            *(figure(row[name]) for name in ("foreground", "changed", "mean_iou")),
            f"{row['background_images']} of {row['images']}",
        )
        for row in frame.to_dict("records")
    )
    headings = (
        "recipe (owner)",
        "rng",
        "node",
        "split",
        "after epoch",
        "foreground",
        "changed since the one before",
    )
    table = Table(
        headings=(*headings, "mIoU", "images of background only"),
        figures=(False, True, False, False, True, True, True, True, False),
        rows=rows,
    )
    galleries = list(_galleries(page))
    return [table, *([legend(page.dataset.mask_classes)] if galleries else []), *galleries]


def _galleries(page: Page) -> Iterator[Gallery]:
    every = series_of(page.results)
    lowest = min((s.place.axes.rng for s in every if s.place.axes.rng is not None), default=None)
    every = [s for s in every if s.place.axes.rng in (None, lowest)][: page.parameters.sample_rows]
    epochs = sorted({epoch for s in every for epoch in s.nodes})
    for split in dict.fromkeys(split for s in every for node in s.nodes.values() for split in node.splits):
        shown = [Series(s.place, {e: n for e, n in s.nodes.items() if split in n.splits}) for s in every]
        rows = [Row(str(s.place), tuple(s.nodes.get(epoch) for epoch in epochs)) for s in shown if s.nodes]
        stored = {n.key: pictures_of(n, split, page.dataset) for row in rows for n in row.nodes if n}
        first = next(iter(stored.values()))
        candidates = [image_id for image_id in page.dataset.image_ids(split) if image_id in first]
        number = min(page.parameters.samples, max(1, page.parameters.sample_rows // len(rows)))
        chosen = choose_images(candidates, page.dataset.labels, number)
        samples = tuple(sample_of(page, image_id, rows, stored) for image_id in chosen)
        if samples:
            yield Gallery(split, tuple(f"after epoch {epoch}" for epoch in epochs), samples)


SECTION = Section("Labels over training", 97, frame, blocks, NOTE)
