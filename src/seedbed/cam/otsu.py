"""Otsu's threshold of scores, which needs no mask.

Otsu 1979, "A Threshold Selection Method from Gray-Level Histograms": the threshold splits the histogram into two
classes such that the between-class variance σ_B² = ω₀ ω₁ (μ₁ − μ₀)² (eq. 14) is greatest. Histograms of images and
shards add up, so the threshold of a whole data set comes from the sum of its histograms.
"""

import numpy as np
from jaxtyping import Float32, Int64

BINS = 256


def score_histogram(scores: Float32[np.ndarray, "..."], bins: int = BINS) -> Int64[np.ndarray, " bins"]:
    """How many scores lie in each of the equal parts of [0, 1]; a score of 1 is in the last one.

    Args:
        scores: of any shape, in [0, 1]; for CAMs, the largest score over the classes at each pixel.
        bins: number of parts; a power of two makes their edges exact.

    Raises:
        ValueError: scores that are NaN or outside [0, 1], or fewer than 2 bins.
    """
    if bins < 2:
        raise ValueError(f"expected at least 2 bins, got {bins}; 256 is usual")
    if scores.size and not (scores.min() >= 0 and scores.max() <= 1):
        raise ValueError(
            f"expected scores in [0, 1], got {scores.min():g} to {scores.max():g}; normalise them first"
        )
    places = np.minimum((scores * np.float32(bins)).astype(np.int64), bins - 1)
    return np.bincount(places.ravel(), minlength=bins).astype(np.int64)


def otsu_threshold(histogram: Int64[np.ndarray, " bins"]) -> float:
    """Threshold of a histogram of scores in [0, 1]: the centre of the last bin of the lower class.

    This is what `skimage.filters.threshold_otsu` returns. Of several best bins the first is taken, for instance
    where empty bins separate two peaks.

    Args:
        histogram: counts of equal parts of [0, 1], as `score_histogram` returns them, or a sum of such counts.

    Raises:
        ValueError: fewer than two bins that hold scores, so there is nothing to separate.
    """
    filled, bins = filled_bins(histogram), len(histogram)
    counts = histogram.astype(np.float64)
    below = counts.cumsum()
    moment = (counts * np.arange(bins)).cumsum()
    parted = slice(filled[0], filled[-1])  # where both classes hold scores
    lower, upper = below[parted], below[-1] - below[parted]
    apart = moment[parted] / lower - (moment[-1] - moment[parted]) / upper
    best = filled[0] + int(np.argmax(lower * upper * apart**2))
    return float((best + 0.5) / bins)


def filled_bins(histogram: Int64[np.ndarray, " bins"]) -> Int64[np.ndarray, " filled"]:
    """The bins that hold scores, ascending.

    Raises:
        ValueError: there are fewer than two, so no threshold separates anything.
    """
    filled = np.flatnonzero(histogram)
    if len(filled) < 2:
        raise ValueError(
            f"expected scores in at least 2 bins of the histogram, got {len(filled)}; set a threshold instead"
        )
    return filled
