"""Paired bootstrap over images: how sure is a difference of mean IoU, given that other images might have been scored?

One draw takes as many images as there are, with replacement, the same for both sides. The scores of a draw follow from
the summed counts of the drawn images, as those of the whole split do; they are not means of scores per image. With
several random seeds the means over the seeds are compared; the interval is about images, not about seeds.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), §13.3 (percentile interval).
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from seedbed.metrics.segmentation import class_iou, mean_ious

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DRAWS = 1000
LEVEL = 0.95
CHUNK = 100
"""Draws computed at once, which bounds the memory."""


class Interval(NamedTuple):
    """A percentile interval; NaN if no draw defines the score."""

    low: float
    high: float


def draw_weights(images: int, draws: int, seed: int = 0) -> Iterator[Int64[np.ndarray, "chunk images"]]:
    """How often each image occurs in each draw, some draws at a time; the same for the same seed."""
    generator = np.random.default_rng(seed)
    for start in range(0, draws, CHUNK):
        chosen = generator.integers(images, size=(min(CHUNK, draws - start), images))
        yield np.stack([np.bincount(one, minlength=images) for one in chosen])


def drawn_scores(
    counts: "csr_array", classes: int, neutral: str = "dropped", draws: int = DRAWS, seed: int = 0
) -> Float64[np.ndarray, "draws columns"]:
    """Mean IoU, then the IoU of each class, of each draw; NaN where undefined.

    Args:
        counts: Int64[images, K · (K + 1)], as `seedbed.metrics.image_counts.unpack` returns them.
        classes: K, the number of classes with background.
        neutral: how a neutral prediction counts, a name of `seedbed.metrics.segmentation.NEUTRAL`.
    """
    found = []
    for weights in draw_weights(counts.shape[0], draws, seed):
        summed = np.asarray((counts.T @ weights.T).T).reshape(-1, classes, classes + 1)
        found.append(np.column_stack([mean_ious(summed, neutral=neutral), class_iou(summed, neutral)]))
    return np.concatenate(found)


def paired_intervals(
    first: Sequence[Float64[np.ndarray, "draws columns"]],
    second: Sequence[Float64[np.ndarray, "draws columns"]],
) -> list[Interval]:
    """Intervals of the difference, second less first, of each column of `drawn_scores`.

    Args:
        first, second: the scores of each random seed, all from the same draws.
    """
    difference = np.mean(second, axis=0) - np.mean(first, axis=0)
    return [percentile_interval(column) for column in difference.T]


def percentile_interval(values: Float64[np.ndarray, "draws"]) -> Interval:
    """The middle `LEVEL` of the draws' values; NaN among them are left out."""
    values = values[~np.isnan(values)]
    if not values.size:
        return Interval(np.nan, np.nan)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(values, (tail, 100 - tail))
    return Interval(float(low), float(high))
