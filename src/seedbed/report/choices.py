"""Choices of background scores and of pairs that criteria make without masks, and their regret where there are masks.

The regret of a background score is that of the CAMs themselves: best mean IoU of `evaluate`'s curve less the mean IoU
at the curve's threshold next to the choice. The regret of a pair is that of each node made from its refined CAMs
(pseudo masks, predictions), among the pairs that have results. Each random seed chooses on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.metrics.regret import nearest, only_highest, regret
from seedbed.plan.judges import CHOICES, SCORES
from seedbed.report.results import Judged, Results
from seedbed.report.tables import groups
from seedbed.report.threshold_pairs import (
    DOWNSTREAM,
    MEASURES,
    TECM,
    downstream_columns,
    own_frame,
    shared_frame,
)
from seedbed.runtime.background_criteria import CRITERIA

if TYPE_CHECKING:
    import pandas as pd

HEAD = ("owner", "rng", "regions", "node", "split")
SCORE_COLUMNS = (
    *(*HEAD, "kind", "criterion", "background_score", "labelled_without_pixel", "area"),
    *("mean_iou", "best_mean_iou", "best_score", "regret"),
)
PAIR_COLUMNS = (
    *("owner", "rng", "node", "split", "criterion", "among", "pairs", "pair"),
    *("scored", "mean_iou", "best_mean_iou", "best_pair", "regret"),
)
FIXED_PAIRS: Mapping[str, str] = {
    "bg0.05-fg0.30": "IRN",
    "bg0.10-fg0.30": "ISIM",
    "bg0.10-fg0.40": "Puzzle-CAM",
    "bg0.20-fg0.30": "Tezcan and Cinbis",
    "bg0.40-fg0.60": "Pets without masks",
    "bg0.50-fg0.50": "Pets without masks, two regions",
}
"""Pairs that published methods use; the best one of Tezcan and Cinbis, Table 1. All were found on masks."""
ALL_PAIRS = "all"
NEUTRAL_SHARE = 1 / 3
"""Share of neutral pixels that one criterion looks for in confident regions; found with `psa`, random seed 0, on 300
photographs of voc-animals (docs/results.md)."""
NEUTRAL_TITLE = "a third of the pixels neutral"


def score_frame(results: Results) -> pd.DataFrame:
    """One row per judged node and criterion. The columns from `mean_iou` on are empty where there are no masks."""
    import pandas as pd

    curves = {(one.key, one.split): one for one in results.judged[SCORES] if "curve" in one.content}
    rows = [
        judged.columns() | {"criterion": criterion.title} | _choice(judged, name, curves)
        for judged in results.judged.get(CHOICES, ())
        for name, criterion in CRITERIA.items()
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _choice(judged: Judged, name: str, curves: Mapping[tuple[str, str], Judged]) -> dict[str, Any]:
    chosen = judged.scores[name]
    told = {key: chosen[key] for key in ("background_score", "labelled_without_pixel", "area")}
    scored, choice = curves.get((judged.key, judged.split)), chosen["background_score"]
    if choice is None or scored is None:
        return told
    curve, best = scored.content["curve"], scored.content["best"]
    values = np.array([point["mean_iou"] for point in curve], np.float64)
    place = nearest([point["threshold"] for point in curve], choice)
    return told | {
        "mean_iou": values[place],
        "best_mean_iou": best["mean_iou"],
        "best_score": best["threshold"],
        "regret": regret(values, place),
    }


def pair_frame(results: Results) -> pd.DataFrame:
    """One row per criterion and node downstream, for each node of refined CAMs at two pairs or more.

    `among` says between which pairs a criterion chooses: all that have results, or those of one background threshold.
    Where no node downstream is scored, `scored` and what follows are empty.
    """
    import pandas as pd

    own, shared = own_frame(results), shared_frame(results)
    rows = []
    key = ("owner", "rng", "node", "split")
    for names, pairs in groups(own, key):
        if len(pairs) > 1:
            head = dict(zip(key, names, strict=True))
            others = [group for found, group in groups(shared, key) if found == names]
            rows += [head | row for row in _pair_rows(pairs.reset_index(drop=True), others)]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def _pair_rows(pairs: pd.DataFrame, shared: list[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    for criterion, among, candidates, pair in _choices(pairs, shared):
        row = {"criterion": criterion, "among": among, "pairs": len(candidates), "pair": pair}
        scored = [name for name in downstream_columns(candidates) if candidates[name].notna().any()]
        if not scored:
            yield row
        for name in scored:
            values = candidates[name].to_numpy(np.float64)
            best = int(np.nanargmax(values))
            told = {
                "scored": name.removeprefix(DOWNSTREAM),
                "best_mean_iou": values[best],
                "best_pair": candidates["regions"].iloc[best],
            }
            if pair is not None:
                place = candidates["regions"].tolist().index(pair)
                told |= {"mean_iou": values[place], "regret": regret(values, place)}
            yield row | told


def _choices(
    pairs: pd.DataFrame, shared: list[pd.DataFrame]
) -> Iterator[tuple[str, str, pd.DataFrame, str | None]]:
    """Criterion, between which pairs it chooses in words, these, and the pair; None if several are equally good."""
    for measure in TECM:
        yield MEASURES[measure], ALL_PAIRS, pairs, _highest(pairs, measure)
    for measure in TECM:
        for background, group in pairs.groupby("bg_threshold"):
            if len(group) > 1:
                yield MEASURES[measure], f"bg{background:.2f}", group, _highest(group, measure)
    for measure in TECM:
        for values in shared:
            title = f"{MEASURES[measure]}, shared form at {values['reference'].iloc[0]}"
            both = pairs[pairs["regions"].isin(values["regions"])]
            if len(both) > 1:
                chosen = _highest(values[values["regions"].isin(both["regions"])], measure)
                yield title, ALL_PAIRS, both, chosen
    distance = (pairs["npr_initial"].astype(float) - NEUTRAL_SHARE).abs()
    yield NEUTRAL_TITLE, ALL_PAIRS, pairs, _highest(pairs.assign(nearness=-distance), "nearness")
    for label, source in FIXED_PAIRS.items():
        if label in set(pairs["regions"]):
            yield f"{label} ({source})", ALL_PAIRS, pairs, label


def _highest(pairs: pd.DataFrame, measure: str) -> str | None:
    place = only_highest(pairs[measure].to_numpy(np.float64))
    return None if place is None else str(pairs["regions"].iloc[place])
