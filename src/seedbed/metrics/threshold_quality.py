"""How good a pair of thresholds is: NPR, PQS and TECM.

Tezcan & Cinbis, "Evaluating Threshold Selection for CAM Refinement in Weakly Supervised Semantic Segmentation",
§3.2 and §3.3.

PQS needs true masks; TECM does not. The paper's Table 2 does not follow its own formula (4): all 24 printed
values are (NPR_initial / NPR_refined) · (1 − imbalance) with the column headed N-to-B / (N-to-B + N-to-F)
taken as the imbalance, and none follows formula (4). Both variants exist here by name and are never mixed.
"""

from typing import SupportsFloat, SupportsInt

from seedbed.errors import unknown_name

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


def _fraction(name: str, value: SupportsFloat) -> float:
    if not 0 <= float(value) <= 1:
        raise ValueError(
            f"expected {name} as a fraction between 0 and 1, got {value}; divide per cent by 100"
        )
    return float(value)
