"""Confident regions and pseudo masks: from normalised scores to label maps.

Label maps hold 0 for background, c + 1 for class c, and 255 for neutral pixels, from which no later stage
learns. Scores are those of the C classes that the image-level labels name; an image without classes is all
background.

Sources: Ahn, Cho & Kwak 2019 (IRN), §4.1, for two thresholds and how their maps are combined; Ahn & Kwak 2018
(PSA), §3.2, for two powers α of the background score; Tezcan & Cinbis for pseudo masks decided by the same pair
of thresholds as the regions.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from seedbed.labels import IGNORE

RefineLabels = Callable[[np.ndarray, int], np.ndarray]
"""Label CRF: from labels, Int64[H W] in 0 … n − 1 (0 background, k the k-th present class), and n to refined labels."""

RefineScores = Callable[[np.ndarray], np.ndarray]
"""Score CRF: from scores, Float32[n H W] with background first, to refined scores of the same shape."""


def threshold_regions(
    cams: Float32[np.ndarray, "C H W"],
    class_ids: Sequence[int],
    bg_threshold: float,
    fg_threshold: float,
    refine: RefineLabels | None = None,
) -> UInt8[np.ndarray, "H W"]:
    """Confident regions by two constant background scores.

    Two maps are decided by the largest score: one whose foreground is certain (score ≥ fg_threshold) and one
    whose background is certain (score ≤ bg_threshold). A CRF may refine each. Combined, a pixel gets the class
    of the first map where that has one, 0 where both have background, and 255 otherwise. A score that equals
    both thresholds is foreground.

    Args:
        cams: ψ, in [0, 1].
        class_ids: index of each class in the data set, from 0.
        bg_threshold: background where the largest score is at most this.
        fg_threshold: foreground where the largest score is at least this.
        refine: label CRF, called once per map.

    Raises:
        ValueError: thresholds in the wrong order, or class ids that do not fit the maps.
    """
    _check(cams, class_ids)
    _check_order(bg_threshold, fg_threshold)
    if not len(class_ids):
        return np.zeros(cams.shape[1:], dtype=np.uint8)
    highest, best = cams.max(axis=0), cams.argmax(axis=0) + 1
    sure_foreground = np.where(highest >= np.float32(fg_threshold), best, 0)
    sure_background = np.where(highest > np.float32(bg_threshold), best, 0)
    if refine is not None:
        n = len(class_ids) + 1
        sure_foreground = np.asarray(refine(sure_foreground, n), dtype=np.int64)
        sure_background = np.asarray(refine(sure_background, n), dtype=np.int64)
    regions = _named(sure_foreground, class_ids)
    regions[(sure_foreground == 0) & (sure_background != 0)] = IGNORE
    return regions.astype(np.uint8)


def salient_regions(
    cams: Float32[np.ndarray, "C H W"],
    class_ids: Sequence[int],
    saliency: Float32[np.ndarray, "h w"],
    bg_threshold: float,
    fg_threshold: float,
    refine: RefineLabels | None = None,
) -> UInt8[np.ndarray, "H W"]:
    """Salient affinity labels: background by saliency, classes by CAMs.

    A pixel is salient where saliency > bg_threshold, and has the class of the largest score where that is at least
    fg_threshold and the pixel is salient. A CRF may refine the two labels, and then the classes. Combined, a pixel gets
    its class where it has one, 255 where it is salient without one, and 0 otherwise. An image without classes is left
    out of the published training, so it is neutral throughout.

    Args:
        cams: ψ, in [0, 1].
        class_ids: index of each class in the data set, from 0.
        saliency: in [0, 1], of the same size.
        bg_threshold: background where saliency is at most this (P-NOC: 0.1).
        fg_threshold: foreground where the largest score is at least this (P-NOC: 0.4).
        refine: label CRF, called once for salient or not, and once for the classes.

    Raises:
        ValueError: class ids that do not fit the maps, or saliency of another size or outside [0, 1].

    Source: David et al. (P-NOC), §5.
    """
    _check(cams, class_ids)
    if saliency.shape != cams.shape[1:]:
        (height, width), (found, across) = cams.shape[1:], saliency.shape
        raise ValueError(
            f"expected saliency of the CAMs' size {width}x{height}, got {across}x{found}; make it from the same images"
        )
    if saliency.size and not (saliency.min() >= 0 and saliency.max() <= 1):
        raise ValueError(
            f"expected saliency in [0, 1], got {saliency.min():g} to {saliency.max():g}; divide it by its largest "
            "possible value"
        )
    if not len(class_ids):
        return np.full(cams.shape[1:], IGNORE, dtype=np.uint8)
    salient = (saliency > np.float32(bg_threshold)).astype(np.int64)
    if refine is not None:
        salient = np.asarray(refine(salient, 2), dtype=np.int64)
    best = np.where(cams.max(axis=0) >= np.float32(fg_threshold), cams.argmax(axis=0) + 1, 0) * salient
    if refine is not None:
        best = np.asarray(refine(best, len(class_ids) + 1), dtype=np.int64)
    regions = _named(best, class_ids)
    regions[(best == 0) & (salient == 1)] = IGNORE
    return regions.astype(np.uint8)


def alpha_regions(
    cams: Float32[np.ndarray, "C H W"],
    class_ids: Sequence[int],
    low_alpha: float,
    high_alpha: float,
    refine: RefineScores | None = None,
    pooling: int = 1,
) -> UInt8[np.ndarray, "H W"]:
    """Confident regions by two powers of the background score (1 − max_c ψ_c)^α.

    The low α gives much background, so that what remains foreground is certain; the high α gives little. A
    pixel is background where the map of the high α says so; elsewhere it gets the class that the map of the
    low α has, or 255 where that has background.

    Args:
        cams: ψ, in [0, 1].
        class_ids: index of each class in the data set, from 0.
        low_alpha: PSA and SEAM 4, MCTformer 1.
        high_alpha: PSA 24 (paper) or 32 (code), SEAM 24, MCTformer 12.
        refine: score CRF, called once per α.
        pooling: side of the blocks, from the upper left corner, whose mean scores decide for all their pixels; PSA 8,
            in blocks of the training crop.

    Raises:
        ValueError: alphas in the wrong order, or class ids that do not fit the maps.
    """
    _check(cams, class_ids)
    if low_alpha > high_alpha:
        raise ValueError(f"expected low alpha ≤ high alpha, got {low_alpha:g} and {high_alpha:g}; swap them")
    if not len(class_ids):
        return np.zeros(cams.shape[1:], dtype=np.uint8)
    rest = 1 - np.minimum(cams.max(axis=0), np.float32(1))
    decided = []
    for alpha in (low_alpha, high_alpha):
        scores = np.concatenate([rest[None] ** np.float32(alpha), cams])
        decided.append(_by_blocks(scores if refine is None else refine(scores), pooling))
    low, high = decided
    regions = np.where(low == 0, IGNORE, _named(low, class_ids))
    return np.where(high == 0, 0, regions).astype(np.uint8)


def _by_blocks(scores: Float32[np.ndarray, "n H W"], side: int) -> Int64[np.ndarray, "H W"]:
    """Argmax of the blocks' mean scores, at each of their pixels; blocks at the right and the bottom may be smaller."""
    decided: np.ndarray
    if side == 1:
        decided = scores.argmax(axis=0)
        return decided
    height, width = scores.shape[1:]
    rows, columns = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(scores.astype(np.float64), rows, axis=1), columns, axis=2)
    decided = sums.argmax(axis=0)  # a block has one number of pixels for all classes
    decided = decided.repeat(side, axis=0)[:height].repeat(side, axis=1)[:, :width]
    return decided


def decide_argmax(
    scores: Float32[np.ndarray, "C H W"],
    class_ids: Sequence[int],
    background_score: float | Float32[np.ndarray, "H W"],
) -> UInt8[np.ndarray, "H W"]:
    """Pseudo mask: the class of the largest score, or background where no score exceeds the background's.

    Args:
        scores: normalised scores.
        class_ids: index of each class in the data set, from 0.
        background_score: one number, or one per pixel.

    Raises:
        ValueError: class ids that do not fit the maps.
    """
    _check(scores, class_ids)
    if not len(class_ids):
        return np.zeros(scores.shape[1:], dtype=np.uint8)
    foreground = scores.max(axis=0) > np.asarray(background_score, dtype=np.float32)
    return _named(np.where(foreground, scores.argmax(axis=0) + 1, 0), class_ids).astype(np.uint8)


def decide_refined(
    scores: Float32[np.ndarray, "C H W"],
    class_ids: Sequence[int],
    background_score: float,
    refine: RefineScores,
) -> UInt8[np.ndarray, "H W"]:
    """Pseudo mask after a CRF on the scores: the most probable of background and the classes.

    The CRF gets the background score and the classes' scores, divided by their sum at each pixel.

    Args:
        scores: normalised scores.
        class_ids: index of each class in the data set, from 0.
        background_score: the same at every pixel.
        refine: score CRF of the image.

    Raises:
        ValueError: class ids that do not fit the maps.
    """
    _check(scores, class_ids)
    if not len(class_ids):
        return np.zeros(scores.shape[1:], dtype=np.uint8)
    background = np.full((1, *scores.shape[1:]), background_score, dtype=np.float32)
    shares = np.concatenate([background, scores])
    shares /= np.maximum(shares.sum(axis=0), np.finfo(np.float32).tiny)
    return _named(refine(shares).argmax(axis=0), class_ids).astype(np.uint8)


def decide_same_pair(
    scores: Float32[np.ndarray, "C H W"], class_ids: Sequence[int], bg_threshold: float, fg_threshold: float
) -> UInt8[np.ndarray, "H W"]:
    """Pseudo mask by the pair of the regions: background ≤ bg, class ≥ fg, and 255 in between.

    Raises:
        ValueError: thresholds in the wrong order, or class ids that do not fit the maps.
    """
    return threshold_regions(scores, class_ids, bg_threshold, fg_threshold)


def _named(present: Int64[np.ndarray, "H W"], class_ids: Sequence[int]) -> Int64[np.ndarray, "H W"]:
    """From 0 and 1 … C among the present classes to 0 and c + 1 of the data set."""
    names = np.array([0, *(index + 1 for index in class_ids)], dtype=np.int64)
    named: np.ndarray = names[present]
    return named


def _check(scores: np.ndarray, class_ids: Sequence[int]) -> None:
    if len(class_ids) != len(scores):
        raise ValueError(f"expected one class id per map, got {len(class_ids)} ids for {len(scores)} maps")
    wrong = [index for index in class_ids if not 0 <= index + 1 < IGNORE]
    if wrong:
        raise ValueError(
            f"expected class ids from 0 to {IGNORE - 2}, got {wrong}; {IGNORE} is the neutral label"
        )


def _check_order(bg_threshold: float, fg_threshold: float) -> None:
    if bg_threshold > fg_threshold:
        raise ValueError(
            f"expected bg_threshold ≤ fg_threshold, got {bg_threshold:g} and {fg_threshold:g}; swap them"
        )
