"""What refinement gains: PQS and the segmentation's mean IoU, of masks made at a pair before and after it.

Tezcan and Cinbis, Table 3. For recipes that train a segmentation network on either masks: psa-same-pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.report.blocks import Block, Table
from seedbed.report.refinement_gain import VALUES, gain_frame
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, spread
from seedbed.report.threshold_pairs import NOTE

if TYPE_CHECKING:
    import pandas as pd

TITLES = {
    "pqs_initial": "PQS initial",
    "pqs_pseudo": "PQS pseudo",
    "pqs_difference": "PQS difference",
    "mean_iou_on_initial": "mIoU, trained on initial masks",
    "mean_iou_on_pseudo": "mIoU, trained on pseudo masks",
    "mean_iou_difference": "mIoU difference",
}


def frame(page: Page) -> pd.DataFrame:
    """`seedbed.report.refinement_gain.gain_frame`."""
    return gain_frame(page.results)


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table."""
    return list(filled(gain_table(frame)))


def gain_table(frame: pd.DataFrame) -> Table:
    """One row per pair; several random seeds as mean ± sd."""
    rows = [
        (*key, str(len(group)), *(spread(group[name]) for name in VALUES))
        for key, group in groups(frame, ("owner", "regions", "on_initial", "on_pseudo"))
    ]
    return Table(
        headings=(
            *("recipe (owner)", "pair", "trained on initial masks", "trained on pseudo masks", "rngs"),
            *(TITLES[name] for name in VALUES),
        ),
        figures=(*(False,) * 4, True, *(True for _ in VALUES)),
        rows=tuple(rows),
        title="What refinement gains at each pair",
        text="Initial masks: the CAMs cut at the pair; pseudo masks: the refined CAMs cut at the same pair. "
        "Differences: with pseudo masks less with initial masks.",
    )


SECTION = Section("Threshold pairs", 45, frame, blocks, NOTE)
