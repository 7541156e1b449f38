"""docs/registry/threshold-quality-recomputed.md: what the published figures of Tezcan and Cinbis say when recomputed.

Everything is computed from docs/registry/figures.csv by this project's own formulas.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from doc_tables import markdown
from registry_pages import figures

from seedbed.metrics.correlation import Coefficient, Correlation, correlation
from seedbed.metrics.threshold_quality import tecm

NAME = "threshold-quality-recomputed.md"
NOTICE = "<!-- Written by `make generate` from docs/registry/figures.csv; do not edit. -->"
HALF = 0.005
"""Half a unit of the last printed digit, of ratios and per cents alike."""

Column = dict[str, float]
"""Printed values by pair of thresholds, `bg=0.05 fg=0.15`."""


class Claim(NamedTuple):
    """A coefficient over what RANSAC left (§4.2).

    Attributes:
        p: the printed p-value, and half a unit of its last digit.
    """

    name: str
    x: str
    y: str
    printed: float
    p: tuple[float, float]


CLAIMS = (
    Claim("PQS against mIoU", "PQS", "mIoU", 0.97, (3.81e-12, 0.005e-12)),
    Claim(
        "PQS difference against mIoU difference",
        "PQS difference",
        "mIoU difference",
        0.92,
        (3.23e-9, 0.005e-9),
    ),
    Claim("TECM against PQS average", "TECM", "PQS average", 0.84, (0.0024, 0.00005)),
)
SOURCES = {
    "PQS": ("1", "pseudo-mask", "PQS"),
    "mIoU": ("1", "segmentation(DeepLabV3+)", "mIoU"),
    "PQS difference": ("3", "pseudo-mask minus cam", "PQS diff"),
    "mIoU difference": ("3", "pseudo-mask minus cam", "mIoU diff"),
    "PQS average": ("2", "cam+pseudo-mask", "PQS average"),
    "TECM": ("2", "cam->pseudo-mask", "TECM(x100)"),
    "NPR initial": ("2", "cam", "NPR%"),
    "NPR refined": ("2", "pseudo-mask", "NPR%"),
    "ratio": ("2", "cam->pseudo-mask", "N-to-B ratio (see notes)"),
}


@cache
def printed() -> dict[str, Column]:
    """The columns that are needed, by the names in `SOURCES`."""
    found: dict[str, Column] = {}
    for name, source in SOURCES.items():
        found[name] = {
            row["method"].partition(" ")[2]: float(row["value"])
            for row, _ in figures()
            if row["paper"] == "003" and (row["table"], row["stage"], row["metric"]) == source
        }
    return found


# TECM


def _share(ratio: float) -> tuple[float, float]:
    return ratio, 1 - ratio


def _imbalance(ratio: float) -> tuple[float, float]:
    return (1 + ratio) / 2, (1 - ratio) / 2


READINGS: dict[str, tuple[str, Callable[[float], tuple[float, float]]]] = {
    "formula (4), the ratio as its heading says: N-to-B of all": ("equation-4", _share),
    "formula (4), the ratio as the imbalance": ("equation-4", _imbalance),
    "`printed`: NPR initial / NPR refined, the ratio as the imbalance": ("printed", _imbalance),
}
"""How the printed columns may be read: variant of TECM, and from the ratio to (N-to-B, N-to-F)."""


class Reading(NamedTuple):
    """Printed values that a reading gives back, within what rounds to the printed columns, and how far it is off."""

    rows: int
    of: int
    mean_error: float


@cache
def tecm_readings() -> dict[str, Reading]:
    """Each reading of Table 2."""
    columns = printed()
    found = {}
    for name, (variant, moved) in READINGS.items():
        right, errors = 0, []
        for pair, value in columns["TECM"].items():
            before, after, ratio = (columns[key][pair] for key in ("NPR initial", "NPR refined", "ratio"))
            errors.append(abs(100 * tecm(before / 100, after / 100, *moved(ratio), variant) - value))
            possible = [
                100 * tecm((before + a) / 100, (after + b) / 100, *moved(ratio + c), variant)
                for a, b, c in product((-HALF, HALF), repeat=3)
            ]
            right += min(possible) - HALF <= value <= max(possible) + HALF
        found[name] = Reading(right, len(errors), float(np.mean(errors)))
    return found


# Correlations


@cache
def recomputed() -> dict[str, tuple[Correlation, Correlation]]:
    """Each claim: the line y(x), and the line x(y), whose RANSAC is another one."""
    columns = printed()
    found = {}
    for claim in CLAIMS:
        x, y = (np.array([columns[name][pair] for pair in columns[claim.x]]) for name in (claim.x, claim.y))
        found[claim.name] = correlation(x, y), correlation(y, x)
    return found


def points_of_p(claim: Claim) -> list[int]:
    """Numbers of points at which the printed coefficient has the printed p-value, within rounding."""
    from scipy.stats import t as student

    found = []
    for n in range(4, len(printed()[claim.x]) + 1):
        p = [
            2 * student.sf(r * np.sqrt((n - 2) / (1 - r * r)), n - 2)
            for r in (claim.printed - HALF, claim.printed + HALF)
        ]
        value, half = claim.p
        if min(p) <= value + half and value - half <= max(p):
            found.append(n)
    return found


def shares_of(claim: Claim, line: int) -> float:
    """Share of the seeds that give the printed coefficient, on a number of rows that has the printed p-value."""
    ransac = recomputed()[claim.name][line].ransac
    assert ransac is not None
    assert ransac.spread is not None
    spread = ransac.spread
    near = np.abs(np.array(spread.coefficients) - claim.printed) <= HALF
    return float(np.mean(near & np.isin(spread.inliers, points_of_p(claim))))


def inlier_pairs(claim: Claim, line: int = 0) -> list[str]:
    """The pairs that RANSAC leaves at seed 0."""
    ransac = recomputed()[claim.name][line].ransac
    assert ransac is not None
    pairs = list(printed()[claim.x])
    return [_short(pairs[place]) for place in ransac.inliers]


def _short(pair: str) -> str:
    bg, fg = (float(part.partition("=")[2]) for part in pair.split())
    return f"{bg:.2f}-{fg:.2f}"


def choices() -> Iterator[tuple[str, str, float]]:
    """Pair of the highest value of each measure, and the segmentation's mIoU there."""
    columns = printed()
    for name in ("mIoU", "PQS", "PQS average", "TECM"):
        best = max(columns[name], key=lambda pair: columns[name][pair])
        yield name, best, columns["mIoU"][best]


# The page


INTRODUCTION = (
    "Recomputed from the [published figures](threshold-quality.md) of Tezcan and Cinbis by this project's own formulas "
    "(`docs/threshold_study.py`). No network was trained for it."
)
INTERVALS = (
    "Intervals: 95 %, bootstrap over the rows. Table 2 leaves out equal thresholds, whose TECM says nothing."
)
RANSAC = (
    "The paper gives Pearson's coefficient over RANSAC's inliers, without seed or threshold. Here: the draws of "
    "scikit-learn, residuals up to its default threshold (the median deviation of the first-named column from its "
    "median), and 1,000 seeds. With the columns swapped the line is another one."
)


def study_page() -> str:
    """The page."""
    parts = (
        "# Confident regions by thresholds: what the published figures say",
        NOTICE,
        INTRODUCTION,
        "## TECM: Table 2 does not follow formula (4)",
        _tecm_text(),
        _tecm_table(),
        "## Correlations on all rows",
        INTERVALS,
        _coefficient_table(),
        "## What RANSAC leaves",
        RANSAC,
        _ransac_table(),
        _ransac_text(),
        "## What each measure would choose",
        _choice_table(),
    )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _tecm_text() -> str:
    readings = list(tecm_readings().values())
    return (
        f"The variant `printed` gives {readings[2].rows} of {readings[2].of} rows within rounding; formula (4) as it "
        f"stands gives {readings[0].rows or 'none'}. Both variants are here by name, and are never mixed."
    )


def _tecm_table() -> str:
    return markdown(
        ("reading", "rows within rounding", "mean distance"),
        (
            (name, f"{found.rows} of {found.of}", f"{found.mean_error:.2f}")
            for name, found in tecm_readings().items()
        ),
    )


def _coefficient_table() -> str:
    lines = []
    for claim in CLAIMS:
        found = recomputed()[claim.name][0]
        cells = [_coefficient(one) for one in (found.pearson, found.spearman, found.kendall)]
        p = "-" if found.pearson is None else f"{found.pearson.p:.2g}"
        lines.append((claim.name, str(found.points), *cells, p, f"{claim.printed:.2f}"))
    head = ("what", "n", "Pearson", "Spearman", "Kendall", "p of Pearson", "the paper, after RANSAC")
    return markdown(head, lines)


def _coefficient(found: Coefficient | None) -> str:
    if found is None:
        return "-"
    return f"{found.value:.3f} ({found.interval.low:.2f} to {found.interval.high:.2f})"


def _ransac_table() -> str:
    lines = []
    for claim in CLAIMS:
        for line, (first, second) in enumerate(((claim.x, claim.y), (claim.y, claim.x))):
            ransac = recomputed()[claim.name][line].ransac
            assert ransac is not None
            assert ransac.spread is not None
            spread = ransac.spread
            reached = np.mean(np.array(spread.coefficients) >= claim.printed - HALF)
            lines.append(
                (
                    f"{second} over {first}",
                    f"{ransac.threshold:.2f}",
                    f"{ransac.pearson:.3f} on {len(ransac.inliers)}",
                    f"{spread.lowest:.2f} / {spread.median:.2f} / {spread.highest:.2f}",
                    f"{spread.fewest} to {spread.most}",
                    f"{claim.printed:.2f}",
                    f"{100 * reached:.0f} %",
                    f"{100 * shares_of(claim, line):.1f} %",
                )
            )
    head = ("line", "threshold", "seed 0", "1,000 seeds: least / median / greatest", "inliers", "the paper")
    return markdown((*head, "seeds that reach it", "seeds that give it and its p-value"), lines)


def _ransac_text() -> str:
    lines = []
    for claim in CLAIMS:
        numbers = points_of_p(claim)
        belongs = " or ".join(map(str, numbers)) if numbers else "no number"
        lines.append(
            f"- {claim.name}: the printed p-value belongs to {belongs} of {len(printed()[claim.x])} rows. Seed 0 of "
            f"{claim.y} over {claim.x} leaves {', '.join(inlier_pairs(claim))}."
        )
    return "\n".join(lines)


def _choice_table() -> str:
    found = list(choices())
    best = found[0][2]
    head = ("highest", "pair (bg-fg)", "segmentation, mIoU", "less than the best")
    return markdown(
        head, ((name, _short(pair), f"{miou:.2f}", f"{best - miou:.2f}") for name, pair, miou in found)
    )
