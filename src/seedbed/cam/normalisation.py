"""From class activation maps to scores ψ in [0, 1].

All forms take one map per class, with any further axes before the last two. The published ones:

- `max`: ReLU(A) / (max ReLU(A) + ε), PSA, IRN and most after them (Ahn & Kwak 2018, §3.1);
- `puzzle`: ReLU(ReLU(A) − ε) / (max ReLU(A) + ε), the code of Puzzle-CAM, OC-CSE and P-NOC;
- `min_max`: ReLU(R − min R − ε) / (max R − min R + ε) with R = ReLU(A), SEAM;
- `global_max`: A / max over all classes, IRN's form for refined CAMs;
- `none`: A itself where it is a score already, SEAM's and PPC's form for refined CAMs.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float32

from seedbed.errors import unknown_name

EPSILON = 1e-5

Form = Literal["max", "puzzle", "min_max", "global_max"]
RefinedForm = Literal[Form, "none"]
"""Forms for refined CAMs."""


def by_max(cams: Float32[np.ndarray, "*axes h w"]) -> Float32[np.ndarray, "*axes h w"]:
    """ReLU(A) / (max + ε), the maximum of each map."""
    positive: np.ndarray = np.maximum(cams, 0)
    psi: np.ndarray = positive / (positive.max(axis=(-2, -1), keepdims=True) + np.float32(EPSILON))
    return psi


def by_max_puzzle(cams: Float32[np.ndarray, "*axes h w"]) -> Float32[np.ndarray, "*axes h w"]:
    """ReLU(ReLU(A) − ε) / (max + ε), the maximum of each map; at most ε/max below `by_max`."""
    positive: np.ndarray = np.maximum(cams, 0)
    highest = positive.max(axis=(-2, -1), keepdims=True)
    psi: np.ndarray = np.maximum(positive - np.float32(EPSILON), 0) / (highest + np.float32(EPSILON))
    return psi


def by_min_max(cams: Float32[np.ndarray, "*axes h w"]) -> Float32[np.ndarray, "*axes h w"]:
    """ReLU(R − min − ε) / (max − min + ε) of R = ReLU(A), the extremes of each map."""
    positive: np.ndarray = np.maximum(cams, 0)
    lowest = positive.min(axis=(-2, -1), keepdims=True)
    span = positive.max(axis=(-2, -1), keepdims=True) - lowest
    psi: np.ndarray = np.maximum(positive - lowest - np.float32(EPSILON), 0) / (span + np.float32(EPSILON))
    return psi


def by_global_max(cams: Float32[np.ndarray, "classes h w"]) -> Float32[np.ndarray, "classes h w"]:
    """ReLU(A) over the maximum of all maps, so that weak classes stay weak; maps of 0 stay 0."""
    positive: np.ndarray = np.maximum(cams, 0)
    highest = positive.max(initial=0)
    return positive / highest if highest > 0 else positive


def clipped(cams: Float32[np.ndarray, "*axes h w"]) -> Float32[np.ndarray, "*axes h w"]:
    """A, clipped to [0, 1], of which an approximate walk may fall short by its error."""
    scores: np.ndarray = np.clip(cams, 0, 1)
    return scores


NORMALISATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "max": by_max,
    "puzzle": by_max_puzzle,
    "min_max": by_min_max,
    "global_max": by_global_max,
    "none": clipped,
}


def normalise(
    cams: Float32[np.ndarray, "classes h w"], form: str = "max"
) -> Float32[np.ndarray, "classes h w"]:
    """ψ(A) by one of `NORMALISATIONS`.

    Args:
        cams: A, one map per class.
        form: a name of `NORMALISATIONS`, which are those of `RefinedForm`.

    Raises:
        ValueError: an unknown form.
    """
    if form not in NORMALISATIONS:
        raise ValueError(unknown_name("normalisation", form, NORMALISATIONS))
    return NORMALISATIONS[form](cams)
