"""The sweep in the own form: quality of each pair of thresholds, with the AffinityNet trained at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.report.blocks import Block, Table
from seedbed.report.interactive import Plane
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, spread
from seedbed.report.threshold_figures import threshold_figure
from seedbed.report.threshold_pairs import CRITERIA, MEASURES, NOTE, downstream_titles, own_frame, series
from seedbed.report.threshold_planes import plane, row_id
from seedbed.runtime.paths import OWN

if TYPE_CHECKING:
    import pandas as pd

KEY = ("owner", "regions", "node", "split")


def frame(page: Page) -> pd.DataFrame:
    """`seedbed.report.threshold_pairs.own_frame`."""
    return own_frame(page.results)


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One figure per series, and the pairs."""
    return [*sweep_figures(frame), *filled(threshold_table(frame))]


def threshold_table(frame: pd.DataFrame) -> Table:
    """One row per pair; several random seeds as mean ± sd."""
    downstream = downstream_titles(frame)
    rows = [
        (*key, str(len(group)), *(spread(group[name]) for name in (*MEASURES, *downstream)))
        for key, group in groups(frame, KEY)
    ]
    return Table(
        headings=(
            *("recipe (owner)", "pair", "refined by", "split", "rngs"),
            *(*MEASURES.values(), *downstream.values()),
        ),
        figures=(False, False, False, False, True, *(True for _ in (*MEASURES, *downstream))),
        rows=tuple(rows),
        row_ids=tuple(row_id(OWN, *key) for key, _ in groups(frame, KEY)),
        title="Own: each pair with the AffinityNet trained at it",
    )


def sweep_figures(frame: pd.DataFrame) -> list[Plane]:
    """One figure for each series with at least two pairs."""
    found = []
    for (owner, node, split), pairs in series(frame):
        titles = {name: MEASURES[name] for name in CRITERIA if name in pairs} | downstream_titles(pairs)
        if len(pairs) > 1 and titles:
            name = f"Own form: {owner}, {node}, {split}"
            rows = [row_id(OWN, owner, regions, node, split) for regions in pairs["regions"]]
            shown = {
                title: pairs[column] for column, title in {**MEASURES, **titles}.items() if column in pairs
            }
            found.append(plane(name, pairs, rows, shown, png=threshold_figure(pairs, titles)))
    return found


SECTION = Section("Threshold pairs", 40, frame, blocks, NOTE)
