"""Do the measures of threshold pairs predict how good the masks are? Correlations with each mean IoU downstream.

The three claims of Tezcan and Cinbis, §4.2, are among them: PQS against the segmentation's mean IoU, what refinement
gains in PQS against what the segmentation gains by it, and TECM against the mean PQS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from seedbed.metrics.correlation import FEWEST, SEEDS
from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Picture, Table
from seedbed.report.correlation_figures import Scatter, scatter_figure
from seedbed.report.refinement_gain import GAIN, GAIN_DOWNSTREAM, gain_frame, gain_series
from seedbed.report.results import Results
from seedbed.report.section import Page, Section
from seedbed.report.tables import MISSING, figure, filled
from seedbed.report.threshold_pairs import (
    CRITERIA,
    DOWNSTREAM,
    MEASURES,
    NOTE,
    TECM,
    downstream_columns,
    own_frame,
    series,
)

if TYPE_CHECKING:
    import pandas as pd

    from seedbed.metrics.correlation import Correlation

HEAD = ("owner", "node", "split", "measure", "downstream")
COEFFICIENTS = ("pearson", "spearman", "kendall")
RANSAC = (
    *("ransac_seed", "ransac_threshold", "ransac_pearson", "ransac_p", "ransac_inliers"),
    *("ransac_seeds", "ransac_lowest", "ransac_median", "ransac_highest", "ransac_fewest", "ransac_most"),
)
COLUMNS = (
    *(*HEAD, "points"),
    *(f"{name}{part}" for name in COEFFICIENTS for part in ("", "_p", "_low", "_high")),
    *RANSAC,
)
TITLES = {**MEASURES, GAIN: "PQS difference"}
KEPT = "correlations"


class Compared(NamedTuple):
    """Two columns over the pairs of thresholds.

    Attributes:
        key: values of `HEAD`.
        points: `regions`, `x` and `y` of each pair.
        claimed: whether the paper claims that they go together (its Fig. 2, 3 and 4).
    """

    key: tuple[str, ...]
    points: pd.DataFrame
    claimed: bool


def frame(page: Page) -> pd.DataFrame:
    """Correlation of each measure with each mean IoU downstream, over the pairs of one owner, node and split.

    Random seeds are averaged. Fewer than five pairs give no coefficient. Intervals are bootstrapped over the pairs.
    """
    import pandas as pd

    from seedbed.metrics.correlation import correlation

    found = list(compared(page.results))
    page.kept[KEPT] = {one.key: one for one in found}
    rows = [
        dict(zip(HEAD, one.key, strict=True))
        | _row(
            correlation(one.points["x"].to_numpy(float), one.points["y"].to_numpy(float)),
            list(one.points["regions"]),
        )
        for one in page.progress(found, len(found), "correlations")
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def compared(results: Results) -> Iterator[Compared]:
    """Everything that is correlated."""
    predicted = {f"{one.node}-{one.split}" for one in results.judged[SCORES] if one.kind == "prediction"}
    for key, pairs in series(own_frame(results)):
        for measure in (name for name in CRITERIA if name in pairs):
            others = [*downstream_columns(pairs), *(["pqs_mean"] if measure in TECM else [])]
            for other in (name for name in others if name in pairs):
                against = other.removeprefix(DOWNSTREAM)
                claimed = (measure, against) == ("tecm", "pqs_mean") or (
                    measure == "pqs_pseudo" and against.rpartition("/")[2] in predicted
                )
                yield Compared((*key, measure, against), _points(pairs, measure, other), claimed)
    for (*place, _, on_pseudo), pairs in gain_series(gain_frame(results)):
        key = (*place, GAIN, f"{GAIN_DOWNSTREAM}{on_pseudo}")
        yield Compared(key, _points(pairs, GAIN, "mean_iou_difference"), claimed=True)


def _points(pairs: pd.DataFrame, measure: str, other: str) -> pd.DataFrame:
    return pairs[["regions", measure, other]].dropna().set_axis(["regions", "x", "y"], axis="columns")


def _row(found: Correlation, labels: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"points": found.points, "ransac_inliers": ""}
    for name in COEFFICIENTS:
        coefficient = getattr(found, name)
        if coefficient is not None:
            row |= {name: coefficient.value, f"{name}_p": coefficient.p}
            row |= {f"{name}_low": coefficient.interval.low, f"{name}_high": coefficient.interval.high}
    if found.ransac is None:
        return row
    ransac, spread = found.ransac, found.ransac.spread
    row |= {
        "ransac_seed": ransac.seed,
        "ransac_threshold": ransac.threshold,
        "ransac_pearson": ransac.pearson,
        "ransac_p": ransac.p,
        "ransac_inliers": " ".join(labels[place] for place in ransac.inliers),
    }
    if spread is not None:
        row |= {
            f"ransac_{name}": getattr(spread, name)
            for name in ("seeds", "lowest", "median", "highest", "fewest", "most")
        }
    return row


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """Coefficients over all pairs, then what RANSAC leaves, then the points of the paper's claims."""
    return [*filled(correlation_table(frame), ransac_table(frame)), *_figures(page, frame)]


def _named(row: Mapping[Any, Any]) -> tuple[str, ...]:
    other = row["downstream"]
    if other in MEASURES:
        other = MEASURES[other]
    elif other.startswith(GAIN_DOWNSTREAM):
        other = f"mIoU difference of {other.removeprefix(GAIN_DOWNSTREAM)}"
    else:
        other = f"mIoU of {other}"
    return row["owner"], row["split"], TITLES[row["measure"]], other, str(row["points"])


def correlation_table(frame: pd.DataFrame) -> Table:
    """The coefficients over all pairs as text, with their intervals."""
    rows = [
        (
            *_named(row),
            *(
                text
                for name in COEFFICIENTS
                for text in (
                    figure(row[name]),
                    _interval(row[f"{name}_low"], row[f"{name}_high"]),
                    figure(row[f"{name}_p"], 4),
                )
            ),
        )
        for row in frame.to_dict("records")
    ]
    return Table(
        headings=(
            *("recipe (owner)", "split", "measure", "against", "n"),
            *(text for name in ("Pearson", "Spearman", "Kendall") for text in (name, "95 %", "p")),
        ),
        figures=(*(False,) * 4, True, *(True,) * 9),
        rows=tuple(rows),
        title="Do the measures predict how good the masks are?",
        text=f"Over all n pairs, random seeds averaged; none for fewer than {FEWEST} pairs. Intervals: bootstrap over "
        "the pairs. TECM of equal thresholds is 1, which says nothing about a pair, so they are left out of its rows.",
    )


def _interval(low: float | None, high: float | None) -> str:
    texts = [figure(value) for value in (low, high)]
    return MISSING if MISSING in texts else f"{texts[0]} to {texts[1]}"


def ransac_table(frame: pd.DataFrame) -> Table:
    """What RANSAC leaves, and how much that depends on its seed."""
    import pandas as pd

    rows = [
        (
            *_named(row),
            figure(row["ransac_threshold"]),
            figure(row["ransac_pearson"]),
            figure(row["ransac_p"], 4),
            str(len(row["ransac_inliers"].split())),
            " / ".join(figure(row[f"ransac_{name}"]) for name in ("lowest", "median", "highest")),
            MISSING
            if pd.isna(row["ransac_fewest"])
            else f"{row['ransac_fewest']:.0f} to {row['ransac_most']:.0f}",
            row["ransac_inliers"],
        )
        for row in frame.to_dict("records")
        if not pd.isna(row["ransac_threshold"])
    ]
    return Table(
        headings=(
            *("recipe (owner)", "split", "measure", "against", "n"),
            *("threshold", "Pearson over inliers, seed 0", "p", "inliers"),
            *(f"{SEEDS:,} seeds: least / median / greatest", "inliers of the seeds", "inliers, seed 0"),
        ),
        figures=(*(False,) * 4, *(True,) * 7, False),
        rows=tuple(rows),
        summary="What RANSAC leaves of the pairs, as in the paper, and how much that depends on its random seed",
        text="RANSAC drops the pairs that fit a line worst, so its coefficient is not one of the sweep. "
        "Threshold: scikit-learn's default, the median deviation of the second column from its median.",
    )


def _figures(page: Page, frame: pd.DataFrame) -> Iterator[Picture]:
    """For each owner, node and split: the relations of the paper's Fig. 2, 3 and 4, where there are coefficients."""
    panels: dict[tuple[str, ...], list[Scatter]] = {}
    for row in frame.dropna(subset=["pearson"]).to_dict("records"):
        one = page.kept[KEPT][tuple(row[name] for name in HEAD)]
        if not one.claimed:
            continue
        _, _, x, y, _ = _named(row)
        inliers = set(row["ransac_inliers"].split())
        panels.setdefault((row["owner"], row["node"], row["split"]), []).append(
            Scatter(
                x,
                y,
                tuple(zip(one.points["x"], one.points["y"], strict=True)),
                tuple(regions in inliers for regions in one.points["regions"]),
                f"Pearson {row['pearson']:.3f}, n = {row['points']}",
            )
        )
    for (owner, node, split), scatters in panels.items():
        yield Picture(
            scatter_figure(scatters),
            f"measures of the pairs of {owner} against what they are to predict",
            f"{owner}, {node}, {split}: one point per pair. Coefficients are over all of them. Filled: what RANSAC "
            "leaves at seed 0, with the threshold in the table above.",
        )


SECTION = Section("Threshold pairs", 50, frame, blocks, NOTE)
