"""What refinement gains at a pair of thresholds: its PQS beside that of segmentation networks trained on either masks.

Tezcan & Cinbis, §4.2.1 and Table 3: initial masks are the CAMs cut at the pair, pseudo masks the refined CAMs cut at
the same pair, and one segmentation network is trained on each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SCORES
from seedbed.report.results import Judged, Node, Results
from seedbed.report.tables import groups
from seedbed.report.threshold_pairs import HEAD, judged_in, pairs_of
from seedbed.runtime.paths import OWN

if TYPE_CHECKING:
    import pandas as pd

VALUES = (
    *("pqs_initial", "pqs_pseudo", "pqs_difference"),
    *("mean_iou_on_initial", "mean_iou_on_pseudo", "mean_iou_difference"),
)
COLUMNS = (*HEAD, "on_initial", "on_pseudo", *VALUES)
GAIN = "pqs_difference"
GAIN_DOWNSTREAM = "difference:"
"""Prefix of the names of differences of mean IoU."""


@dataclass(frozen=True)
class Twins:
    """Scores of two segmentation networks at one pair, which differ in the masks alone that they were trained on."""

    quality: Judged
    on_initial: Judged
    on_pseudo: Judged


def twins(results: Results) -> Iterator[Twins]:
    """For each thresholds file of the own form: predictions made from its refined CAMs, with those made from its CAMs
    at the same pair by the same stages with the same parameters."""
    scored = [score for score in results.judged[SCORES] if score.kind == "prediction"]
    for quality in judged_in(results, OWN):
        refined = results.nodes.get(quality.key)
        cams = None if refined is None else _initial(results, refined)
        if refined is None or cams is None:
            continue
        after = [(score, _made_from(results, score.key, refined.key)) for score in scored]
        before = [
            (score, _made_from(results, score.key, cams.key))
            for score in scored
            if refined.key not in results.ancestors[score.key] and score.place.axes == refined.place.axes
        ]
        for on_pseudo, how in after:
            for on_initial, other in before:
                if how is not None and how == other and on_pseudo.split == on_initial.split:
                    yield Twins(quality, on_initial, on_pseudo)


def _initial(results: Results, refined: Node) -> Node | None:
    parents = (results.nodes[key] for key in refined.parents)
    return next((node for node in parents if node.meaning.name == "cams"), None)


def _made_from(results: Results, key: str, start: str) -> Any:
    """How a node was made from another, without names and places; None if it was not."""
    if key == start:
        return "start"
    if start not in results.ancestors[key]:
        return None
    node = results.nodes[key]
    how = [node.artifact.manifest.parameters.get(part) for part in ("parameters", "epochs")]
    parents = [(_made_from(results, parent, start) or parent) for parent in node.parents]
    return node.stage, json.dumps(how, sort_keys=True), parents


def gain_frame(results: Results) -> pd.DataFrame:
    """One row per twins: both PQS, both mean IoU, and the differences (pseudo masks' less initial masks')."""
    import pandas as pd

    return pd.DataFrame([_row(found) for found in twins(results)], columns=list(COLUMNS))


def _row(found: Twins) -> dict[str, Any]:
    (row,) = pairs_of(found.quality)
    pqs = [row.get(name) for name in ("pqs_initial", "pqs_pseudo")]
    mean_ious = [score.scores["mean_iou"] for score in (found.on_initial, found.on_pseudo)]
    return row | {
        "on_initial": _name(found.on_initial, found.quality),
        "on_pseudo": _name(found.on_pseudo, found.quality),
        "pqs_difference": _difference(pqs),
        "mean_iou_on_initial": mean_ious[0],
        "mean_iou_on_pseudo": mean_ious[1],
        "mean_iou_difference": _difference(mean_ious),
    }


def _name(score: Judged, quality: Judged) -> str:
    owner = "" if score.place.owner == quality.place.owner else f"{score.place.owner}/"
    return f"{owner}{score.node}-{score.split}"


def _difference(values: list[float | None]) -> float | None:
    before, after = values
    return None if before is None or after is None else after - before


def gain_series(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Rows of one owner, node, split and pair of segmentation networks, random seeds averaged: one row per pair."""
    for key, group in groups(frame, ("owner", "node", "split", "on_initial", "on_pseudo")):
        pairs = group.astype(dict.fromkeys(VALUES, float)).groupby(
            ["bg_threshold", "fg_threshold", "regions"]
        )
        yield key, pairs[list(VALUES)].mean().reset_index()
