"""The sweep: quality of each pair of thresholds (own form) beside what came of it downstream.

NPR, PQS and TECM (Tezcan and Cinbis, §3.2-3.3) as `threshold_quality` wrote them, the mean IoU of the pseudo
masks and predictions that were made from the same refined CAMs, and the correlation of each measure with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from seedbed.report.results import Judged, Results
from seedbed.report.tables import MISSING, Table, figure, groups, spread

if TYPE_CHECKING:
    import pandas as pd

HEAD = ("owner", "rng", "regions", "bg_threshold", "fg_threshold", "node", "split")
QUALITY = (
    *("npr_initial", "npr_refined", "pqs_initial", "pqs_pseudo", "pqs_mean", "tecm", "tecm_printed"),
    *("mean_iou_initial", "mean_iou_refined", "neutral_to_background", "neutral_to_foreground"),
)
MEASURES: Mapping[str, str] = {
    "npr_initial": "NPR initial",
    "npr_refined": "NPR refined",
    "pqs_initial": "PQS initial",
    "pqs_pseudo": "PQS pseudo",
    "pqs_mean": "PQS mean",
    "tecm": "TECM (eq. 4)",
    "tecm_printed": "TECM (as printed)",
}
JUDGES = ("pqs_initial", "pqs_pseudo", "pqs_mean", "tecm", "tecm_printed")
DOWNSTREAM = "mean_iou:"
DOWNSTREAM_KINDS = ("pseudo_mask", "prediction")
CORRELATION_COLUMNS = (
    *("owner", "node", "split", "measure", "downstream", "points"),
    *("pearson", "pearson_p", "spearman", "spearman_p", "ransac_pearson", "ransac_inliers"),
)
FEWEST = 3


def threshold_frame(results: Results) -> pd.DataFrame:
    """One row a thresholds file; a column `mean_iou:NODE-SPLIT` for each scored node that was made from it."""
    import pandas as pd

    rows = [_row(results, judged) for judged in results.thresholds]
    downstream = sorted({name for row in rows for name in row if name.startswith(DOWNSTREAM)})
    return pd.DataFrame(rows, columns=[*HEAD, *QUALITY, *downstream])


def _row(results: Results, judged: Judged) -> dict[str, Any]:
    from seedbed.cam.thresholds import Regions

    regions = Regions.parse(judged.place.regions)
    row: dict[str, Any] = {
        "owner": judged.place.owner,
        "rng": "" if judged.place.rng is None else judged.place.rng,
        "regions": judged.place.regions,
        "bg_threshold": regions.bg_threshold,
        "fg_threshold": regions.fg_threshold,
        "node": judged.node,
        "split": judged.split,
    }
    row |= {name: judged.scores.get(name) for name in QUALITY}
    made = set(results.descendants(judged.key))
    for score in results.scores:
        if score.key in made and score.kind in DOWNSTREAM_KINDS:
            owner = "" if score.place.owner == judged.place.owner else f"{score.place.owner}/"
            row[f"{DOWNSTREAM}{owner}{score.node}-{score.split}"] = score.scores["mean_iou"]
    return row


def downstream_columns(frame: pd.DataFrame) -> list[str]:
    """Columns of a threshold frame that hold a mean IoU downstream."""
    return [name for name in frame.columns if name.startswith(DOWNSTREAM)]


def series(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Rows of one owner, node and split, random seeds averaged: one row a pair, pairs rising."""
    values = [*QUALITY, *downstream_columns(frame)]
    for key, group in groups(frame, ("owner", "node", "split")):
        pairs = group.astype(dict.fromkeys(values, float)).groupby(
            ["bg_threshold", "fg_threshold", "regions"]
        )
        yield key, pairs[values].mean().reset_index().dropna(axis="columns", how="all")


def threshold_table(frame: pd.DataFrame) -> Table:
    """One row a pair; several random seeds as mean ± sd."""
    downstream = downstream_columns(frame)
    rows = [
        (*key, str(len(group)), *(spread(group[name]) for name in (*MEASURES, *downstream)))
        for key, group in groups(frame, ("owner", "regions", "node", "split"))
    ]
    return Table(
        headings=(
            *("recipe (owner)", "pair", "refined by", "split", "rngs"),
            *MEASURES.values(),
            *(f"mIoU {name.removeprefix(DOWNSTREAM)}" for name in downstream),
        ),
        figures=(False, False, False, False, True, *(True for _ in (*MEASURES, *downstream))),
        rows=tuple(rows),
    )


def correlation_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Correlation of each measure with each mean IoU downstream, over the pairs of one owner, node and split.

    Fewer than three pairs give no coefficient. The inliers of RANSAC are named: the coefficient over them
    depends on the draw so much that it is not to be read alone.
    """
    import pandas as pd

    rows = []
    for (owner, node, split), pairs in series(frame):
        for measure in JUDGES:
            for downstream in downstream_columns(pairs):
                if measure not in pairs:
                    continue
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
    return pd.DataFrame(rows, columns=list(CORRELATION_COLUMNS))


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


def correlation_table(frame: pd.DataFrame) -> Table:
    """The correlations as text."""
    rows = [
        (
            row["owner"],
            row["split"],
            MEASURES[row["measure"]],
            row["downstream"],
            str(row["points"]),
            *(
                figure(row[name])
                for name in ("pearson", "pearson_p", "spearman", "spearman_p", "ransac_pearson")
            ),
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
    )
