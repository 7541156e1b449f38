"""The sweep in the shared form: all pairs on the refined CAMs of one reference; its rank agreement with the own form.

TECM and PQS (Tezcan and Cinbis, §3.2-3.3) are defined with an AffinityNet a pair. On one reference's refined CAMs they
cost no training; whether they then rank the pairs alike is what `agreement_frame` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.report.results import Results
from seedbed.report.tables import Table, figure, groups, spread
from seedbed.report.thresholds import FEWEST, MEASURES, QUALITY

if TYPE_CHECKING:
    import pandas as pd

SHARED_HEAD = ("owner", "rng", "reference", "regions", "bg_threshold", "fg_threshold", "node", "split")
COMPARED = ("npr_refined", "pqs_pseudo", "pqs_mean", "tecm", "tecm_printed")
"""Measures that differ between the forms; those of the initial CAMs do not."""
AGREEMENT_COLUMNS = ("owner", "reference", "node", "split", "measure", "pairs", "spearman", "spearman_p")


def shared_frame(results: Results) -> pd.DataFrame:
    """One row a pair of each thresholds file in the shared form."""
    import pandas as pd

    from seedbed.cam.thresholds import Regions

    rows = []
    for judged in results.shared:
        for label, scores in judged.pairs():
            regions = Regions.parse(label)
            row: dict[str, Any] = {
                "owner": judged.place.owner,
                "rng": "" if judged.place.rng is None else judged.place.rng,
                "reference": judged.place.regions,
                "regions": label,
                "bg_threshold": regions.bg_threshold,
                "fg_threshold": regions.fg_threshold,
                "node": judged.node,
                "split": judged.split,
            }
            rows.append(row | {name: scores.get(name) for name in QUALITY})
    return pd.DataFrame(rows, columns=[*SHARED_HEAD, *QUALITY])


def shared_table(frame: pd.DataFrame) -> Table:
    """One row a pair; several random seeds as mean ± sd."""
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
    )


def agreement_frame(own: pd.DataFrame, shared: pd.DataFrame) -> pd.DataFrame:
    """Spearman's coefficient of each measure in both forms, over the pairs of one owner, reference, node and split.

    Random seeds are averaged within each form. Fewer than three pairs, or a constant column, give no coefficient.

    Args:
        own: `thresholds.threshold_frame`.
        shared: `shared_frame`.
    """
    import pandas as pd

    from seedbed.metrics.threshold_quality import rank_agreement

    rows = []
    for (owner, reference, node, split), group in groups(shared, ("owner", "reference", "node", "split")):
        same = own[(own["owner"] == owner) & (own["node"] == node) & (own["split"] == split)]
        for measure in COMPARED:
            both = pd.concat(
                [_by_pair(same, measure), _by_pair(group, measure)], axis=1, join="inner"
            ).dropna()
            if both.empty:
                continue
            known = len(both) >= FEWEST
            values = both.to_numpy(float)
            spearman, p = rank_agreement(values[:, 0], values[:, 1]) if known else (None, None)
            rows.append((owner, reference, node, split, measure, len(both), spearman, p))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def _by_pair(frame: pd.DataFrame, measure: str) -> pd.Series[float]:
    """Mean over random seeds, by pair."""
    means: pd.Series[float] = frame.astype({measure: float}).groupby("regions")[measure].mean()
    return means


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
    )
