"""Which classes are taken for which: the counts of pixels by true and predicted class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Picture, Table
from seedbed.report.figures import ink_on, new_figure, styled
from seedbed.report.results import Judged
from seedbed.report.scored import NODE_HEADINGS, scored_nodes
from seedbed.report.section import Page, Section
from seedbed.report.tables import figure, filled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "truth", "prediction", "pixels", "share")
NEUTRAL = "neutral"
LARGEST = 5
"""Confusions of a node that the page names."""
MOST_CLASSES = 40
"""Of a matrix that is drawn."""


def frame(page: Page) -> pd.DataFrame:
    """One row per pair of a true and a predicted class that some pixel has; `share` is of the true class's pixels."""
    import pandas as pd

    rows = [row for judged in page.results.judged[SCORES] for row in _rows(judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(judged: Judged) -> Iterator[dict[str, Any]]:
    if "counts" not in judged.content:
        return
    names = judged.content["classes"]
    for truth, row in zip(names, judged.content["counts"], strict=True):
        for prediction, pixels in zip((*names, NEUTRAL), row, strict=True):
            if pixels:
                pair = {
                    "truth": truth,
                    "prediction": prediction,
                    "pixels": pixels,
                    "share": pixels / sum(row),
                }
                yield judged.columns() | pair


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The largest confusions of each node; the matrix of the predictions, of the lowest random seed."""
    return [*filled(largest_table(frame)), *_matrices(page)]


def largest_table(frame: pd.DataFrame) -> Table:
    """For each node the pairs of different classes with the largest shares, means over the random seeds."""
    wrong = frame[(frame["truth"] != frame["prediction"]) & (frame["prediction"] != NEUTRAL)]
    rows = []
    for node, group in scored_nodes(wrong, "masks"):
        seeds = max(1, group["rng"].nunique())
        shares = group.groupby(["truth", "prediction"], sort=False)["share"].sum() / seeds
        found = shares.reset_index().itertuples(index=False, name=None)
        ordered = sorted((-share, truth, prediction) for truth, prediction, share in found)
        for negative, truth, prediction in ordered[:LARGEST]:
            rows.append((*node, truth, prediction, figure(-negative)))
    return Table(
        headings=(*NODE_HEADINGS, "true class", "taken for", "share"),
        figures=(*(False,) * 6, True),
        rows=tuple(rows),
        summary=f"The {LARGEST} largest confusions of each node, as shares of the true class's pixels",
    )


def _matrices(page: Page) -> Iterator[Picture]:
    shown: set[tuple[str, str, str, str]] = set()
    for judged in page.results.judged[SCORES]:
        place = (judged.place.owner, str(judged.place.axes.regions), judged.node, judged.split)
        names = judged.content.get("classes", ())
        if judged.kind == "prediction" and place not in shown and 1 < len(names) <= MOST_CLASSES:
            shown.add(place)
            where = f"{judged.node} ({judged.place}) on {judged.split}"
            yield Picture(
                png=matrix_figure(judged),
                alt=f"confusion of {where}",
                caption=f"Confusion of {where}: each row is a true class, each column what its pixels were taken for.",
            )


@styled
def matrix_figure(judged: Judged) -> Figure:
    """Shares of each true class's pixels, as colours and, where there is room, as numbers in per cent."""
    names = judged.content["classes"]
    counts = np.array(judged.content["counts"], float)
    columns = [*names, NEUTRAL] if counts[:, -1].any() else names
    shares = counts[:, : len(columns)] / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(2.6, 0.28 * len(columns) + 1.2)
    drawn, (axes,) = new_figure(1, 1, side + 0.8, side)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="prediction", ylabel="truth")
    axes.grid(False)
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:
            colour = ink_on(image.to_rgba(share))
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=6, color=colour)
    return drawn


SECTION = Section("Confusion", 37, frame, blocks)
