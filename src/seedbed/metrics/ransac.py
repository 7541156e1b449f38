"""RANSAC of a line y(x), as scikit-learn's `RANSACRegressor` draws and decides it, for many random seeds at once.

Fischler and Bolles 1981. There are only n (n − 1) / 2 lines through two of n points, so each of them is judged once,
and a seed costs its draws alone. A test holds the inliers to scikit-learn's own, seed by seed.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

TRIALS = 100
SURE = 0.99
"""Draws end when a line without an outlier was drawn with this probability, and after `TRIALS` at the latest: the
defaults of scikit-learn."""


class Lines(NamedTuple):
    """Lines through two of n points each: who lies within the threshold, how many do, and R² of the line on these."""

    within: Bool[np.ndarray, "n n n"]
    number: Int64[np.ndarray, "n n"]
    score: Float64[np.ndarray, "n n"]


def median_deviation(y: Float[np.ndarray, "n"]) -> float:
    """Median |y − median(y)|, scikit-learn's default for the largest residual of an inlier, in units of y."""
    return float(np.median(np.abs(y - np.median(y))))


def inlier_sets(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], seeds: Iterable[int], threshold: float
) -> list[tuple[int, ...]]:
    """Places of the inliers for each seed; empty where no line has any.

    Args:
        seeds: of the draws, as `RANSACRegressor(random_state=…)` takes them.
        threshold: largest residual of an inlier, in units of y.
    """
    lines = _lines(x, y, threshold)
    return [_inliers(lines, seed) for seed in seeds]


def _lines(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"], threshold: float) -> Lines:
    """Where two points have the same x the line is level, halfway between them, as least squares has it."""
    across = x[:, None] - x[None, :]
    slope = np.divide(y[:, None] - y[None, :], across, out=np.zeros_like(across), where=across != 0)
    centre_x, centre_y = (x[:, None] + x[None, :]) / 2, (y[:, None] + y[None, :]) / 2
    predicted = centre_y[..., None] + slope[..., None] * (x - centre_x[..., None])
    residuals = np.abs(y - predicted)
    within = residuals <= threshold
    number = within.sum(-1)
    mean = (within * y).sum(-1) / np.maximum(number, 1)
    total = (within * (y - mean[..., None]) ** 2).sum(-1)
    missed = (within * residuals**2).sum(-1)
    score = 1 - np.divide(missed, total, out=np.ones_like(missed), where=total > 0)
    return Lines(within, number, np.where((total == 0) & (missed == 0), 1.0, score))


def _inliers(lines: Lines, seed: int) -> tuple[int, ...]:
    n = len(lines.score)
    best: tuple[int, int] | None = None
    most, highest, trials = 1, -math.inf, float(TRIALS)
    for trial, (first, second) in enumerate(_draws(n, seed)):
        if trial >= trials:
            break
        number, score = int(lines.number[first, second]), float(lines.score[first, second])
        if number < most or (number == most and score < highest):
            continue
        best, most, highest = (first, second), number, score
        trials = min(trials, _trials(number / n))
    return () if best is None else tuple(np.flatnonzero(lines.within[best]).tolist())


@lru_cache(maxsize=4096)
def _draws(n: int, seed: int) -> tuple[tuple[int, int], ...]:
    """Places of two of n points, draw by draw; they do not depend on the points."""
    from sklearn.utils.random import sample_without_replacement

    state = np.random.RandomState(seed)
    return tuple(tuple(sample_without_replacement(n, 2, random_state=state).tolist()) for _ in range(TRIALS))


def _trials(share: float) -> float:
    """Draws after which two inliers were drawn together at least once, with probability `SURE`."""
    missed = 1 - share**2
    if missed <= 0:
        return 0.0
    return math.inf if missed == 1 else float(math.ceil(math.log(1 - SURE) / math.log(missed)))
