"""How good a pair of thresholds is: NPR, PQS and TECM of the paper on threshold quality ("PSA pipeline", §3).

PQS needs true masks; TECM does not. The paper's Table 2 does not follow its own formula (4): all 24 printed
values are (NPR_initial / NPR_refined) · (1 − imbalance) with the column headed N-to-B / (N-to-B + N-to-F)
taken as the imbalance, and none follows formula (4). Both variants are here by name and are never mixed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from seedbed.errors import unknown_name

TECM_VARIANTS = ("equation-4", "printed")
EPSILON = 1e-8


def neutral_pixel_ratio(neutral: int, total: int) -> float:
    """NPR, eq. (3): neutral pixels over all pixels, as a fraction.

    Raises:
        ValueError: there is no pixel, or more neutral ones than pixels.
    """
    if not 0 <= neutral <= total or total == 0:
        raise ValueError(
            f"expected 0 <= neutral <= total and total > 0, got {neutral} neutral of {total} pixels"
        )
    return neutral / total


def pqs(mean_iou: float, npr: float) -> float:
    """Pseudolabel Quality Score, eq. (1): mean IoU · (1 − NPR), both fractions (the paper prints per cent).

    Raises:
        ValueError: a value is no fraction.
    """
    return _fraction("mean IoU", mean_iou) * (1 - _fraction("NPR", npr))


def tecm(
    npr_initial: float,
    npr_refined: float,
    neutral_to_background: float,
    neutral_to_foreground: float,
    variant: str = "equation-4",
) -> float:
    """Threshold Evaluation Consistency Metric, in [0, 2]: drop of NPR by refinement × balance.

    `equation-4`: clip(1 + (NPR_i − NPR_r) / (NPR_i + ε), 0, 2) · balance; `printed`: min(2, NPR_i / NPR_r)
    · balance, with balance = 1 − |N-to-B − N-to-F| / (N-to-B + N-to-F). Without any transition the balance
    is 1. Without neutral pixels before and after, both variants are 1 (§3.2: equal thresholds), which says
    nothing about the pair.

    Args:
        npr_initial, npr_refined: NPR of the initial and of the refined CAMs under the same pair, fractions.
        neutral_to_background, neutral_to_foreground: pixels (or shares) that were neutral and are no longer.
        variant: a name of `TECM_VARIANTS`.

    Raises:
        ValueError: an unknown variant, an NPR that is no fraction, or a negative number of pixels.
    """
    if variant not in TECM_VARIANTS:
        raise ValueError(unknown_name("TECM variant", variant, TECM_VARIANTS))
    _fraction("NPR of the initial CAMs", npr_initial)
    _fraction("NPR of the refined CAMs", npr_refined)
    if neutral_to_background < 0 or neutral_to_foreground < 0:
        raise ValueError(
            f"expected numbers of pixels, got N-to-B {neutral_to_background}, N-to-F {neutral_to_foreground}"
        )
    moved = neutral_to_background + neutral_to_foreground
    imbalance = abs(neutral_to_background - neutral_to_foreground) / moved if moved else 0.0
    if npr_initial == npr_refined == 0:
        drop = 1.0
    elif variant == "equation-4":
        drop = float(np.clip(1 + (npr_initial - npr_refined) / (npr_initial + EPSILON), 0, 2))
    else:
        drop = min(2.0, npr_initial / npr_refined) if npr_refined else 2.0
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

    The paper reports the last alone; it depends on seed, threshold and axis order so much that it is not to
    be read alone.

    Args:
        x, y: two columns of n values.
        seed: of RANSAC's draws.
        threshold: largest residual of an inlier, in units of y; default, scikit-learn's: median |y −
            median(y)|.

    Raises:
        ValueError: columns of different length or fewer than three points.
    """
    if x.shape != y.shape or x.size < 3:
        raise ValueError(
            f"expected two columns of the same length, at least 3; got {x.size} and {y.size} values"
        )
    from scipy.stats import pearsonr, spearmanr

    limit = float(np.median(np.abs(y - np.median(y)))) if threshold is None else threshold
    inliers = _ransac_inliers(x, y, seed, limit)
    pearson, pearson_p = _coefficient(pearsonr, x, y)
    spearman, spearman_p = _coefficient(spearmanr, x, y)
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


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a fraction between 0 and 1, got {value}; divide per cent by 100")
    return value
