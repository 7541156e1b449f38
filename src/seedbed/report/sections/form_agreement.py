"""Do the own and the shared forms rank the pairs of thresholds alike?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.report.blocks import Block, Table
from seedbed.report.section import Page, Section
from seedbed.report.tables import figure, filled, groups
from seedbed.report.threshold_pairs import MEASURES, NOTE, own_frame, shared_frame

if TYPE_CHECKING:
    import pandas as pd

COMPARED = ("npr_refined", "pqs_pseudo", "pqs_mean", "tecm", "tecm_printed")
"""Measures that differ between the forms; those of the initial CAMs do not."""
COLUMNS = ("owner", "reference", "node", "split", "measure", "pairs", "spearman", "spearman_p")


def frame(page: Page) -> pd.DataFrame:
    """Spearman's coefficient of each measure in both forms, over the pairs of one owner, reference, node and split.

    Random seeds are averaged within each form. Fewer than five pairs, or a constant column, give no coefficient.
    """
    import pandas as pd

    from seedbed.metrics.correlation import rank_agreement

    own, shared = own_frame(page.results), shared_frame(page.results)
    rows = []
    for (owner, reference, node, split), group in groups(shared, ("owner", "reference", "node", "split")):
        same = own[(own["owner"] == owner) & (own["node"] == node) & (own["split"] == split)]
        for measure in COMPARED:
            both = pd.concat(
                [_by_pair(same, measure), _by_pair(group, measure)], axis=1, join="inner"
            ).dropna()
            if both.empty:
                continue
            values = both.to_numpy(float)
            spearman, p = rank_agreement(values[:, 0], values[:, 1])
            rows.append((owner, reference, node, split, measure, len(both), spearman, p))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _by_pair(frame: pd.DataFrame, measure: str) -> pd.Series[float]:
    """Mean over random seeds, by pair."""
    means: pd.Series[float] = frame.astype({measure: float}).groupby("regions")[measure].mean()
    return means


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table."""
    return list(filled(agreement_table(frame)))


def agreement_table(frame: pd.DataFrame) -> Table:
    """The agreements as text."""
    rows = [
        (
            *(row["owner"], row["reference"], row["node"], row["split"], MEASURES[row["measure"]]),
            *(str(row["pairs"]), figure(row["spearman"]), figure(row["spearman_p"])),
        )
        for row in frame.to_dict("records")
    ]
    return Table(
        headings=(
            *("recipe (owner)", "reference", "refined by", "split", "measure"),
            *("n", "Spearman, own and shared", "p"),
        ),
        figures=(False, False, False, False, False, True, True, True),
        rows=tuple(rows),
        title="Do the two forms rank the pairs alike?",
        text="Spearman's coefficient over the n pairs that both forms have, random seeds averaged.",
    )


SECTION = Section("Threshold pairs", 70, frame, blocks, NOTE)
