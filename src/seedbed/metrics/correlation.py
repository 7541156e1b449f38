"""Do two columns go together? Coefficients over all points with bootstrap intervals, and over what RANSAC leaves.

Tezcan & Cinbis, "Evaluating Threshold Selection for CAM Refinement in Weakly Supervised Semantic Segmentation", §4.2,
give Pearson's coefficient over RANSAC's inliers alone. That one depends so much on the draw that it is given here with
its seed, threshold and inliers, and with its spread over many seeds.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64

from seedbed.metrics.bootstrap import DRAWS, Interval, draw_weights, percentile_interval
from seedbed.metrics.ransac import inlier_sets, median_deviation

FEWEST = 5
"""Points that a coefficient needs; fewer give none."""
SEEDS = 1000
"""Seeds over which RANSAC's spread is taken."""
EXACT = 8
"""Up to this many points, the p-value of Spearman's coefficient is counted over all pairings."""


class Coefficient(NamedTuple):
    """A coefficient over all points, its p-value, and its interval over draws of as many points with replacement."""

    value: float
    p: float
    interval: Interval


class Spread(NamedTuple):
    """What RANSAC leaves over many seeds: least, median and greatest coefficient, and numbers of inliers."""

    seeds: int
    lowest: float
    median: float
    highest: float
    fewest: int
    most: int
    coefficients: tuple[float, ...]
    """By seed; NaN where undefined."""
    inliers: tuple[int, ...]
    """Number of inliers by seed."""


@dataclass(frozen=True)
class Ransac:
    """Pearson's coefficient over the inliers of one fit of the line y(x).

    Attributes:
        threshold: largest residual of an inlier, in units of y.
        inliers: their places, ascending.
        pearson, p: None where undefined (fewer than three inliers, or a constant column).
        spread: over the seeds 0, 1, …; None if no seed gives a coefficient.
    """

    seed: int
    threshold: float
    inliers: tuple[int, ...]
    pearson: float | None
    p: float | None
    spread: Spread | None


@dataclass(frozen=True)
class Correlation:
    """Association of two columns of n points; None where it is undefined: a constant column, or fewer than `FEWEST`."""

    points: int
    pearson: Coefficient | None = None
    spearman: Coefficient | None = None
    kendall: Coefficient | None = None
    ransac: Ransac | None = None


def correlation(
    x: Float[np.ndarray, "n"],
    y: Float[np.ndarray, "..."],
    seed: int = 0,
    threshold: float | None = None,
    seeds: int = SEEDS,
    draws: int = DRAWS,
) -> Correlation:
    """Pearson, Spearman and Kendall (tau-b) over all points, and Pearson over RANSAC's inliers of the line y(x).

    Args:
        x, y: two columns of n values.
        seed: of RANSAC's draws, and of the bootstrap's.
        threshold: largest residual of an inlier, in units of y; None for scikit-learn's default,
            median |y − median(y)|.
        seeds: number of seeds of RANSAC's spread.
        draws: of the bootstrap, over points.

    Raises:
        ValueError: columns of different lengths.
    """
    _check_lengths(x, y)
    if not _are_defined(x, y, FEWEST):
        return Correlation(x.size)
    from scipy.stats import kendalltau, pearsonr

    found = {
        "pearson": (pearsonr(x, y), _pearsons),
        "spearman": (_spearman(x, y), _spearmans),
        "kendall": (kendalltau(x, y), _kendalls),
    }
    weights = np.concatenate(list(draw_weights(x.size, draws, seed)))
    coefficients = {
        name: Coefficient(
            float(result.statistic), float(result.pvalue), percentile_interval(drawn(x, y, weights))
        )
        for name, (result, drawn) in found.items()
    }
    limit = median_deviation(y) if threshold is None else threshold
    return Correlation(x.size, **coefficients, ransac=_ransac(x, y, seed, limit, seeds))


def rank_agreement(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "..."]
) -> tuple[float | None, float | None]:
    """Spearman's coefficient of two columns and its p-value; None where `correlation` has none.

    Raises:
        ValueError: columns of different lengths.
    """
    _check_lengths(x, y)
    if not _are_defined(x, y, FEWEST):
        return None, None
    result = _spearman(x, y)
    return float(result.statistic), float(result.pvalue)


def _check_lengths(x: np.ndarray, y: np.ndarray) -> None:
    if x.shape != y.shape:
        raise ValueError(f"expected two columns of the same length; got {x.size} and {y.size} values")


def _are_defined(x: np.ndarray, y: np.ndarray, fewest: int) -> bool:
    return bool(x.size >= fewest and np.ptp(x) > 0 and np.ptp(y) > 0)


def _ransac(x: np.ndarray, y: np.ndarray, seed: int, threshold: float, seeds: int) -> Ransac | None:
    """None where the threshold is 0: at least half of y is one value, and rounding would decide who is an inlier."""
    if threshold <= 0:
        return None
    from scipy.stats import pearsonr

    sets = inlier_sets(x, y, (seed, *range(seeds)), threshold)
    known: dict[tuple[int, ...], tuple[float, float]] = {}
    for inliers in set(sets):
        places = list(inliers)
        if _are_defined(x[places], y[places], 3):
            result = pearsonr(x[places], y[places])
            known[inliers] = float(result.statistic), float(result.pvalue)
    pearson, p = known.get(sets[0], (None, None))
    coefficients = [known.get(inliers, (np.nan, np.nan))[0] for inliers in sets[1:]]
    numbers = [len(inliers) for inliers in sets[1:]]
    spread = None
    if not np.isnan(coefficients).all():
        lowest, median, highest = np.nanpercentile(coefficients, (0, 50, 100)).tolist()
        spread = Spread(
            *(seeds, lowest, median, highest, min(numbers), max(numbers)),
            *(tuple(coefficients), tuple(numbers)),
        )
    return Ransac(seed, threshold, sets[0], pearson, p, spread)


def _spearman(x: np.ndarray, y: np.ndarray) -> Any:
    """Spearman's coefficient; for few points with an exact p-value, over all pairings.

    The t approximation would give 0 where few points agree.
    """
    from scipy.stats import permutation_test, rankdata, spearmanr

    if x.size > EXACT:
        return spearmanr(x, y)
    x, y = (rankdata(values) - (x.size + 1) / 2 for values in (x, y))
    scale = np.sqrt((x * x).sum() * (y * y).sum())
    return permutation_test(
        (x,),
        lambda pairing, axis: (pairing * y).sum(axis) / scale,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=np.inf,
    )


Weights = Int64[np.ndarray, "draws n"]
"""How often each point occurs in each draw."""


def _pearsons(x: np.ndarray, y: np.ndarray, weights: Weights) -> Float64[np.ndarray, "draws"]:
    return _weighted(np.broadcast_to(x, weights.shape), np.broadcast_to(y, weights.shape), weights)


def _spearmans(x: np.ndarray, y: np.ndarray, weights: Weights) -> Float64[np.ndarray, "draws"]:
    return _weighted(_ranks(x, weights), _ranks(y, weights), weights)


def _ranks(values: np.ndarray, weights: Weights) -> Float64[np.ndarray, "draws n"]:
    """Mean rank of each point among all of a draw: those below it, and half of those that equal it."""
    below = (values[:, None] < values[None, :]).astype(float)
    equal = (values[:, None] == values[None, :]).astype(float)
    ranks: Float64[np.ndarray, "draws n"] = weights @ below + (weights @ equal + 1) / 2
    return ranks


def _weighted(x: np.ndarray, y: np.ndarray, weights: Weights) -> Float64[np.ndarray, "draws"]:
    """Pearson's coefficient of each draw; NaN where a column of the draw is constant."""
    total = weights.sum(1, keepdims=True)
    x, y = (v - (weights * v).sum(1, keepdims=True) / total for v in (x, y))
    return _ratio((weights * x * y).sum(1), (weights * x * x).sum(1), (weights * y * y).sum(1))


def _kendalls(x: np.ndarray, y: np.ndarray, weights: Weights) -> Float64[np.ndarray, "draws"]:
    signs = [np.sign(v[:, None] - v[None, :]) for v in (x, y)]

    def pairs(kind: np.ndarray) -> np.ndarray:
        found: np.ndarray = ((weights @ kind) * weights).sum(1)
        return found

    return _ratio(pairs(signs[0] * signs[1]), pairs(np.abs(signs[0])), pairs(np.abs(signs[1])))


def _ratio(both: np.ndarray, first: np.ndarray, second: np.ndarray) -> Float64[np.ndarray, "draws"]:
    scale = np.sqrt(first * second)
    found = np.full(len(both), np.nan)
    np.divide(both, scale, out=found, where=scale > 1e-12)
    return found
