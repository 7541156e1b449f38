"""Thresholds of a histogram of scores by other criteria than Otsu's; none of them needs a mask.

All take the histogram of `seedbed.cam.otsu.score_histogram`, or a sum of such, and give a threshold in (0, 1): scores
up to it are background. They return the centre of the last bin of the lower class, as Otsu's does, but for Li's.
"""

import numpy as np
from jaxtyping import Float64, Int64

from seedbed.cam.otsu import filled_bins

TOLERANCE = 1e-9


def isodata_threshold(histogram: Int64[np.ndarray, " bins"]) -> float:
    """Ridler and Calvard 1978: the lowest threshold that lies midway between the means of its two classes.

    Raises:
        ValueError: fewer than two bins that hold scores.
    """
    from skimage.filters import threshold_isodata

    counts, centres = _filled(histogram)
    return float(threshold_isodata(hist=(counts, centres)))


def li_threshold(histogram: Int64[np.ndarray, " bins"]) -> float:
    """Li and Tam 1998: minimum cross entropy between the scores and the means of their two classes.

    The fixed point of t = (μ₁ - μ₀) / (ln μ₁ - ln μ₀), from the mean of all scores. scikit-image has it for images
    only, and moves their lowest score to 0 first, which would make it depend on one pixel.

    Raises:
        ValueError: fewer than two bins that hold scores.
    """
    counts, centres = _filled(histogram)
    moments = counts * centres
    threshold, before = float(moments.sum() / counts.sum()), np.inf
    while abs(threshold - before) > TOLERANCE:
        upper = centres > threshold
        low = moments[~upper].sum() / counts[~upper].sum()
        high = moments[upper].sum() / counts[upper].sum()
        threshold, before = float((high - low) / (np.log(high) - np.log(low))), threshold
    return threshold


def entropy_threshold(histogram: Int64[np.ndarray, " bins"]) -> float:
    """Kapur, Sahoo and Wong 1985: the sum of the entropies of the two classes' histograms is greatest.

    Raises:
        ValueError: fewer than two bins that hold scores.
    """
    counts, centres = _filled(histogram)
    share = counts / counts.sum()
    terms = -share * np.log(np.where(share > 0, share, 1.0))
    below, above = share.cumsum()[:-1], share[::-1].cumsum()[::-1][1:]
    entropy = (
        np.log(below) + terms.cumsum()[:-1] / below + np.log(above) + terms[::-1].cumsum()[::-1][1:] / above
    )
    return float(centres[int(np.argmax(entropy))])


def expected_iou_threshold(histogram: Int64[np.ndarray, " bins"]) -> float:
    """The mean of the expected IoU of foreground and background is greatest, were scores probabilities of foreground.

    With scores s, E[IoU] is taken as E[intersection] / E[union]: of the foreground Σ_{s>t} s / (Σ_{s>t} 1 + Σ_{s≤t} s),
    of the background the same with 1 - s.

    Raises:
        ValueError: fewer than two bins that hold scores.
    """
    counts, centres = _filled(histogram)
    foreground, background = counts * centres, counts * (1 - centres)
    below, missed, kept = (values.cumsum()[:-1] for values in (counts, foreground, background))
    hit, above = foreground.sum() - missed, counts.sum() - below
    iou = hit / (above + missed) + kept / (below + background.sum() - kept)
    return float(centres[int(np.argmax(iou))])


def _filled(
    histogram: Int64[np.ndarray, " bins"],
) -> tuple[Float64[np.ndarray, " filled"], Float64[np.ndarray, " filled"]]:
    """Counts and centres from the first to the last bin that holds scores."""
    filled = filled_bins(histogram)
    kept = slice(filled[0], filled[-1] + 1)
    centres = (np.arange(len(histogram)) + 0.5) / len(histogram)
    return histogram[kept].astype(np.float64), centres[kept]
