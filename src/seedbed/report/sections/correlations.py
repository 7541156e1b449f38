"""Do the measures of threshold pairs predict how good the masks are? Correlations with each mean IoU downstream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seedbed.report.blocks import Block, Table
from seedbed.report.section import Page, Section
from seedbed.report.tables import MISSING, figure, filled
from seedbed.report.threshold_pairs import (
    CRITERIA,
    DOWNSTREAM,
    FEWEST,
    MEASURES,
    NOTE,
    downstream_columns,
    own_frame,
    series,
)

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("owner", "node", "split", "measure", "downstream", "points"),
    *("pearson", "pearson_p", "spearman", "spearman_p", "ransac_pearson", "ransac_inliers"),
)


def frame(page: Page) -> pd.DataFrame:
    """Correlation of each measure with each mean IoU downstream, over the pairs of one owner, node and split.

    Fewer than three pairs give no coefficient. The inliers of RANSAC are listed: the coefficient over them
    depends so much on the draw that it should not be read alone.
    """
    import pandas as pd

    rows = []
    for (owner, node, split), pairs in series(own_frame(page.results)):
        for measure in (name for name in CRITERIA if name in pairs):
            for downstream in downstream_columns(pairs):
                both = pairs[["regions", measure, downstream]].dropna()
                row = {
                    "owner": owner,
                    "node": node,
                    "split": split,
                    "measure": measure,
                    "downstream": downstream.removeprefix(DOWNSTREAM),
                    "points": len(both),
                }
                rows.append(row | _coefficients(both[measure], both[downstream], list(both["regions"])))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _coefficients(x: pd.Series[float], y: pd.Series[float], pairs: Sequence[str]) -> dict[str, Any]:
    from seedbed.metrics.threshold_quality import correlation

    if len(pairs) < FEWEST:
        return {"ransac_inliers": ""}
    found = correlation(x.to_numpy(float), y.to_numpy(float))
    return {
        "pearson": found.pearson,
        "pearson_p": found.pearson_p,
        "spearman": found.spearman,
        "spearman_p": found.spearman_p,
        "ransac_pearson": found.ransac_pearson,
        "ransac_inliers": " ".join(pairs[i] for i in found.ransac_inliers),
    }


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table."""
    return list(filled(correlation_table(frame)))


def correlation_table(frame: pd.DataFrame) -> Table:
    """The correlations as text."""
    numbers = ("pearson", "pearson_p", "spearman", "spearman_p", "ransac_pearson")
    rows = [
        (
            *(row["owner"], row["split"], MEASURES[row["measure"]], row["downstream"], str(row["points"])),
            *(figure(row[name]) for name in numbers),
            row["ransac_inliers"] or MISSING,
        )
        for row in frame.to_dict("records")
    ]
    return Table(
        headings=(
            *("recipe (owner)", "split", "measure", "mIoU of", "n", "Pearson", "p", "Spearman", "p"),
            *("Pearson over RANSAC inliers", "RANSAC inliers"),
        ),
        figures=(False, False, False, False, True, True, True, True, True, True, False),
        rows=tuple(rows),
        title="Do the measures predict how good the masks are?",
        text="Over all pairs (n of them, random seeds averaged). The coefficient over RANSAC inliers is the paper's; "
        "it depends on the draw and should not be read alone.",
    )


SECTION = Section("Threshold pairs", 50, frame, blocks, NOTE)
