"""The sweep in the shared form: all pairs of thresholds on the refined CAMs of one reference.

TECM and PQS (Tezcan and Cinbis, §3.2-3.3) are defined with one AffinityNet per pair. On one reference's refined CAMs
they cost no training; the section `form_agreement` shows whether they then rank the pairs alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.report.blocks import Block, Table
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, spread
from seedbed.report.threshold_pairs import MEASURES, NOTE, shared_frame

if TYPE_CHECKING:
    import pandas as pd


def frame(page: Page) -> pd.DataFrame:
    """`seedbed.report.threshold_pairs.shared_frame`."""
    return shared_frame(page.results)


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table."""
    return list(filled(shared_table(frame)))


def shared_table(frame: pd.DataFrame) -> Table:
    """One row per pair; several random seeds as mean ± sd."""
    rows = [
        (*key, str(len(group)), *(spread(group[name]) for name in MEASURES))
        for key, group in groups(frame, ("owner", "reference", "regions", "node", "split"))
    ]
    return Table(
        headings=(
            *("recipe (owner)", "reference", "pair", "refined by", "split", "rngs"),
            *MEASURES.values(),
        ),
        figures=(False, False, False, False, False, True, *(True for _ in MEASURES)),
        rows=tuple(rows),
        title="Shared: all pairs on the refined CAMs of one reference",
        text="The AffinityNet was trained only at the reference setting, so this is a different measure from the "
        "paper's, and a cheap one. What is measured on the initial CAMs is the same in both forms.",
    )


SECTION = Section("Threshold pairs", 60, frame, blocks, NOTE)
