"""The sweep in the shared form: all pairs of thresholds on the refined CAMs of one reference.

TECM and PQS (Tezcan and Cinbis, §3.2-3.3) are defined with one AffinityNet per pair. On one reference's refined CAMs
they cost no training; the section `form_agreement` shows whether they then rank the pairs alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.report.blocks import Block, Table
from seedbed.report.interactive import Plane
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, spread
from seedbed.report.threshold_pairs import MEASURES, NOTE, own_frame, shared_frame
from seedbed.report.threshold_planes import plane, row_id
from seedbed.runtime.paths import SHARED

if TYPE_CHECKING:
    import pandas as pd

KEY = ("owner", "reference", "regions", "node", "split")


def frame(page: Page) -> pd.DataFrame:
    """`seedbed.report.threshold_pairs.shared_frame`."""
    return shared_frame(page.results)


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One figure per reference, and the pairs."""
    return [*shared_planes(frame, own_frame(page.results)), *filled(shared_table(frame))]


def shared_planes(frame: pd.DataFrame, own: pd.DataFrame) -> list[Plane]:
    """The pairs of each reference, if there are two; those that have results of their own are marked.

    Args:
        own: `seedbed.report.threshold_pairs.own_frame`.
    """
    found = []
    for (owner, reference, node, split), group in groups(frame, ("owner", "reference", "node", "split")):
        values = group.astype(dict.fromkeys(MEASURES, float)).groupby(
            ["bg_threshold", "fg_threshold", "regions"]
        )
        pairs = values[list(MEASURES)].mean().reset_index().dropna(axis="columns", how="all")
        shown = {title: pairs[name] for name, title in MEASURES.items() if name in pairs}
        if len(pairs) > 1 and shown:
            cached = set(own.loc[own["owner"] == owner, "regions"])
            rows = [row_id(SHARED, owner, reference, regions, node, split) for regions in pairs["regions"]]
            name = f"Shared form: {owner}, all pairs on the refined CAMs of {reference}, {split}"
            found.append(plane(name, pairs, rows, shown, cached))
    return found


def shared_table(frame: pd.DataFrame) -> Table:
    """One row per pair; several random seeds as mean ± sd."""
    rows = [
        (*key, str(len(group)), *(spread(group[name]) for name in MEASURES))
        for key, group in groups(frame, KEY)
    ]
    return Table(
        headings=(
            *("recipe (owner)", "reference", "pair", "refined by", "split", "rngs"),
            *MEASURES.values(),
        ),
        figures=(False, False, False, False, False, True, *(True for _ in MEASURES)),
        rows=tuple(rows),
        row_ids=tuple(row_id(SHARED, *key) for key, _ in groups(frame, KEY)),
        title="Shared: all pairs on the refined CAMs of one reference",
        text="The AffinityNet was trained only at the reference setting, so this is a different measure from the "
        "paper's, and a cheap one. What is measured on the initial CAMs is the same in both forms.",
    )


SECTION = Section("Threshold pairs", 60, frame, blocks, NOTE)
