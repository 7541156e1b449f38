"""Quality of pairs of thresholds, in two forms that are never mixed, beside the results of the pairs downstream.

NPR, PQS and TECM (Tezcan and Cinbis, §3.2-3.3) as `threshold_quality` wrote them. `own`: each pair with the AffinityNet
that was trained at it; `shared`: all pairs on the refined CAMs of one reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seedbed.cam.thresholds import Regions
from seedbed.plan.judges import SCORES, THRESHOLDS
from seedbed.report.results import Judged, Results
from seedbed.report.tables import groups
from seedbed.runtime.paths import OWN, SHARED

if TYPE_CHECKING:
    import pandas as pd

HEAD = ("owner", "rng", "regions", "bg_threshold", "fg_threshold", "node", "split")
SHARED_HEAD = ("owner", "rng", "reference", "regions", "bg_threshold", "fg_threshold", "node", "split")
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
CRITERIA = ("pqs_initial", "pqs_pseudo", "pqs_mean", "tecm", "tecm_printed")
"""Measures by which a pair may be chosen."""
TECM = ("tecm", "tecm_printed")
DOWNSTREAM = "mean_iou:"
"""Prefix of the names of columns that hold a mean IoU downstream."""
DOWNSTREAM_KINDS = ("pseudo_mask", "superpixel_mask", "prediction")
NOTE = (
    "NPR: share of neutral pixels; PQS: mean IoU · (1 − NPR), needs masks; TECM needs none, and is given here both by "
    "its equation (4)\nand as computed for the paper's table."
)


def form_of(judged: Judged) -> str:
    """`own` or `shared`."""
    return str(judged.content.get("form", OWN))


def pairs_of(judged: Judged) -> Iterator[dict[str, Any]]:
    """One row per pair in a thresholds file: `regions`, its two thresholds and the measures by name.

    In the shared form `reference` is the setting on whose refined CAMs the pairs were judged. Equal thresholds have no
    TECM here: the 1 that it is defined as says nothing about the pair (§3.3.1), and would be taken for a good one.
    """
    shared = form_of(judged) == SHARED
    own = judged.columns()["regions"]
    for label, scores in judged.scores.items() if shared else [(own, judged.scores)]:
        regions = Regions.parse(label)
        pair = {"regions": label, "bg_threshold": regions.bg_threshold, "fg_threshold": regions.fg_threshold}
        row = judged.columns() | ({"reference": own} if shared else {}) | pair | dict(scores)
        yield row | (dict.fromkeys(TECM) if regions.low == regions.high else {})


def judged_in(results: Results, form: str) -> list[Judged]:
    """The thresholds files of one form."""
    return [judged for judged in results.judged[THRESHOLDS] if form_of(judged) == form]


def own_frame(results: Results) -> pd.DataFrame:
    """One row per thresholds file of the own form; a column `mean_iou:NODE-SPLIT` for each node made from it."""
    import pandas as pd

    rows = [
        pair | _downstream(results, judged) for judged in judged_in(results, OWN) for pair in pairs_of(judged)
    ]
    downstream = sorted({name for row in rows for name in row if name.startswith(DOWNSTREAM)})
    return pd.DataFrame(rows, columns=[*HEAD, *QUALITY, *downstream])


def _downstream(results: Results, judged: Judged) -> dict[str, Any]:
    """Mean IoU of the pseudo masks and predictions that were made from the same refined CAMs."""
    made = set(results.descendants(judged.key))
    found = {}
    for score in results.judged[SCORES]:
        if score.key in made and score.kind in DOWNSTREAM_KINDS:
            owner = "" if score.place.owner == judged.place.owner else f"{score.place.owner}/"
            found[f"{DOWNSTREAM}{owner}{score.node}-{score.split}"] = score.scores["mean_iou"]
    return found


def shared_frame(results: Results) -> pd.DataFrame:
    """One row per pair in each thresholds file of the shared form."""
    import pandas as pd

    rows = [pair for judged in judged_in(results, SHARED) for pair in pairs_of(judged)]
    return pd.DataFrame(rows, columns=[*SHARED_HEAD, *QUALITY])


def downstream_columns(frame: pd.DataFrame) -> list[str]:
    """Columns of a frame that hold a mean IoU downstream."""
    return [name for name in frame.columns if name.startswith(DOWNSTREAM)]


def downstream_titles(frame: pd.DataFrame) -> dict[str, str]:
    """Title of each of these columns."""
    return {name: f"mIoU {name.removeprefix(DOWNSTREAM)}" for name in downstream_columns(frame)}


def series(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Rows of one owner, node and split, random seeds averaged: one row per pair, in ascending order."""
    values = [*QUALITY, *downstream_columns(frame)]
    for key, group in groups(frame, ("owner", "node", "split")):
        pairs = group.astype(dict.fromkeys(values, float)).groupby(
            ["bg_threshold", "fg_threshold", "regions"]
        )
        yield key, pairs[values].mean().reset_index().dropna(axis="columns", how="all")
