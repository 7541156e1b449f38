"""How good a pair of thresholds is: NPR, PQS and TECM.

Tezcan & Cinbis, "Evaluating Threshold Selection for CAM Refinement in Weakly Supervised Semantic Segmentation",
§3.2 and §3.3.

PQS needs true masks; TECM does not. The paper's Table 2 does not follow its own formula (4): all 24 printed
values are (NPR_initial / NPR_refined) · (1 − imbalance) with the column headed N-to-B / (N-to-B + N-to-F)
taken as the imbalance, and none follows formula (4). Both variants exist here by name and are never mixed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, SupportsFloat, SupportsInt

import numpy as np
from jaxtyping import Float, Int64

from seedbed.errors import unknown_name

EXACT = 8
"""Up to this many points, the p-value of a rank correlation is counted over all pairings."""
TECM_VARIANTS = ("equation-4", "printed")
EPSILON = 1e-8


def neutral_pixel_ratio(neutral: SupportsInt, total: SupportsInt) -> float:
    """NPR, eq. (3): neutral pixels over all pixels, as a fraction.

    Raises:
        ValueError: there are no pixels, or more neutral ones than pixels.
    """
    neutral, total = int(neutral), int(total)
    if not 0 <= neutral <= total or total == 0:
        raise ValueError(
            f"expected 0 <= neutral <= total and total > 0, got {neutral} neutral of {total} pixels"
        )
    return neutral / total


def pqs(mean_iou: SupportsFloat, npr: SupportsFloat) -> float:
    """Pseudolabel Quality Score, eq. (1): mean IoU · (1 − NPR), both fractions (the paper prints per cent).

    Raises:
        ValueError: a value outside [0, 1].
    """
    return _fraction("mean IoU", mean_iou) * (1 - _fraction("NPR", npr))


def tecm(
    npr_initial: SupportsFloat,
    npr_refined: SupportsFloat,
    neutral_to_background: SupportsFloat,
    neutral_to_foreground: SupportsFloat,
    variant: str = "equation-4",
) -> float:
    """Threshold Evaluation Consistency Metric, in [0, 2]: drop of NPR by refinement × balance.

    `equation-4`: clip(1 + (NPR_i − NPR_r) / (NPR_i + ε), 0, 2) · balance; `printed`: min(2, NPR_i / NPR_r)
    · balance, with balance = 1 − |N-to-B − N-to-F| / (N-to-B + N-to-F). Without any transition the balance
    is 1. Without neutral pixels before and after, both variants are 1 (§3.3.1: equal thresholds), which says
    nothing about the pair.

    Args:
        npr_initial, npr_refined: NPR of the initial and of the refined CAMs under the same pair, fractions.
        neutral_to_background, neutral_to_foreground: pixels (or shares) that were neutral and are no longer.
        variant: a name of `TECM_VARIANTS`.

    Raises:
        ValueError: an unknown variant, an NPR outside [0, 1], or a negative number of pixels.
    """
    if variant not in TECM_VARIANTS:
        raise ValueError(unknown_name("TECM variant", variant, TECM_VARIANTS))
    before = _fraction("NPR of the initial CAMs", npr_initial)
    after = _fraction("NPR of the refined CAMs", npr_refined)
    to_background, to_foreground = float(neutral_to_background), float(neutral_to_foreground)
    if to_background < 0 or to_foreground < 0:
        raise ValueError(
            f"expected numbers of pixels of at least 0, got N-to-B {neutral_to_background} and "
            f"N-to-F {neutral_to_foreground}"
        )
    moved = to_background + to_foreground
    imbalance = abs(to_background - to_foreground) / moved if moved else 0.0
    if before == after == 0:
        drop = 1.0
    elif variant == "equation-4":
        drop = max(0.0, min(2.0, 1 + (before - after) / (before + EPSILON)))
    else:
        drop = min(2.0, before / after) if after else 2.0
    return drop * (1 - imbalance)


@dataclass(frozen=True)
class Correlation:
    """Association of two columns over all points and over the inliers of one RANSAC fit.

    A coefficient or p-value is None where it is undefined (a constant column, fewer than three inliers).
    """

    points: int
    pearson: float | None
    pearson_p: float | None
    spearman: float | None
    spearman_p: float | None
    ransac_seed: int
    ransac_threshold: float
    ransac_inliers: tuple[int, ...]
    ransac_pearson: float | None
    ransac_pearson_p: float | None


def correlation(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "..."], seed: int = 0, threshold: float | None = None
) -> Correlation:
    """Pearson and Spearman over all points, and Pearson over RANSAC inliers of the line y(x).

    The paper reports only the last; it depends so much on seed, threshold and the order of the axes that it should
    not be read alone.

    Args:
        x, y: two columns of n values.
        seed: of RANSAC's draws.
        threshold: largest residual of an inlier, in units of y; None for scikit-learn's default,
            median |y − median(y)|.

    Raises:
        ValueError: columns of different lengths, or fewer than three points.
    """
    if x.shape != y.shape or x.size < 3:
        raise ValueError(
            f"expected two columns of the same length, at least 3; got {x.size} and {y.size} values"
        )
    from scipy.stats import pearsonr

    limit = float(np.median(np.abs(y - np.median(y)))) if threshold is None else threshold
    inliers = _ransac_inliers(x, y, seed, limit)
    pearson, pearson_p = _coefficient(pearsonr, x, y)
    spearman, spearman_p = _coefficient(_spearman, x, y)
    inlier_pearson, inlier_p = _coefficient(pearsonr, x[inliers], y[inliers])
    return Correlation(
        points=x.size,
        pearson=pearson,
        pearson_p=pearson_p,
        spearman=spearman,
        spearman_p=spearman_p,
        ransac_seed=seed,
        ransac_threshold=limit,
        ransac_inliers=tuple(inliers.tolist()),
        ransac_pearson=inlier_pearson,
        ransac_pearson_p=inlier_p,
    )


def rank_agreement(
    x: Float[np.ndarray, "n"], y: Float[np.ndarray, "..."]
) -> tuple[float | None, float | None]:
    """Spearman's coefficient of two columns and its p-value; None where they are undefined.

    Raises:
        ValueError: columns of different lengths.
    """
    if x.shape != y.shape:
        raise ValueError(f"expected two columns of the same length; got {x.size} and {y.size} values")
    return _coefficient(_spearman, x, y)


def _spearman(x: np.ndarray, y: np.ndarray) -> Any:
    """Spearman's coefficient; for few points with an exact p-value, over all pairings.

    The t approximation would give 0 where three points agree.
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


def _ransac_inliers(
    x: np.ndarray, y: np.ndarray, seed: int, threshold: float
) -> Int64[np.ndarray, "inliers"]:
    from sklearn.linear_model import RANSACRegressor

    fit = RANSACRegressor(random_state=seed, residual_threshold=threshold).fit(x[:, None], y)
    return np.flatnonzero(fit.inlier_mask_)


def _coefficient(
    measure: Callable[..., Any], x: np.ndarray, y: np.ndarray
) -> tuple[float | None, float | None]:
    if x.size < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None, None
    result = measure(x, y)
    return float(result.statistic), float(result.pvalue)


def _fraction(name: str, value: SupportsFloat) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError(
            f"expected {name} as a fraction between 0 and 1, got {value}; divide per cent by 100"
        )
    return float(value)
