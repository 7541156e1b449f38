"""Heat maps of pairs of thresholds that a reader may ask: each cell leads to the row about its pair."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

from seedbed.report.interactive import Measure, Plane
from seedbed.report.results import CHOSEN_WITH_MASKS
from seedbed.report.threshold_pairs import MEASURES

if TYPE_CHECKING:
    import pandas as pd

WITHOUT_MASKS = MEASURES["tecm"]
"""The measure whose highest value chooses a pair without masks."""
NOT_CHOSEN_BY = tuple(MEASURES[name] for name in ("npr_initial", "npr_refined"))
"""Measures that have no best value."""


def row_id(form: str, *key: str) -> str:
    """The id of the row about a pair in the tables of one form."""
    return "-".join((form, *key)).replace(" ", "-")


def plane(
    name: str,
    pairs: pd.DataFrame,
    rows: Sequence[str],
    shown: Mapping[str, pd.Series[float]],
    cached: Collection[str] | None = None,
    png: bytes = b"",
) -> Plane:
    """One series of pairs.

    Args:
        name: of the series, in words.
        pairs: one row per pair, with `regions` and its two thresholds.
        rows: id of the row about each pair.
        shown: values of each measure by its title, in the order of the pairs.
        cached: pairs that have results of their own; all of them if that is not given.
        png: static picture of the same, if there is one.
    """
    points = zip(pairs["bg_threshold"].astype(float), pairs["fg_threshold"].astype(float), strict=True)
    return Plane(
        png=png,
        alt=f"sweep of {name}",
        caption=f"{name}. ★ highest value, of PQS and mIoU {CHOSEN_WITH_MASKS}; ▲ highest {WITHOUT_MASKS}, which needs "
        "no masks; neither where several pairs share it. ● has results of its own. A cell leads to the row about its "
        "pair.",
        pairs=tuple(points),
        rows=tuple(rows),
        cached=tuple(cached is None or regions in cached for regions in pairs["regions"]),
        measures=tuple(
            Measure(
                title,
                tuple(None if isnan(value) else float(f"{value:.6g}") for value in map(float, values)),
                has_best=title not in NOT_CHOSEN_BY,
                chooses=title == WITHOUT_MASKS,
            )
            for title, values in shown.items()
        ),
    )
