"""ψ of `normalisation` for training, where gradients pass through it."""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from seedbed.cam.normalisation import EPSILON
from seedbed.errors import unknown_name


def by_max(cams: Float[Tensor, "*axes h w"]) -> Float[Tensor, "*axes h w"]:
    """ReLU(A) / (max + ε), the maximum of each map."""
    positive = cams.relu()
    return positive / (positive.amax((-2, -1), keepdim=True) + EPSILON)


def by_max_puzzle(cams: Float[Tensor, "*axes h w"]) -> Float[Tensor, "*axes h w"]:
    """ReLU(ReLU(A) − ε) / (max + ε), the maximum of each map."""
    positive = cams.relu()
    return (positive - EPSILON).relu() / (positive.amax((-2, -1), keepdim=True) + EPSILON)


def by_min_max(cams: Float[Tensor, "*axes h w"]) -> Float[Tensor, "*axes h w"]:
    """ReLU(R − min − ε) / (max − min + ε) of R = ReLU(A), the extremes of each map."""
    positive = cams.relu()
    lowest = positive.amin((-2, -1), keepdim=True)
    span = positive.amax((-2, -1), keepdim=True) - lowest
    return (positive - lowest - EPSILON).relu() / (span + EPSILON)


NORMALISATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "max": by_max,
    "puzzle": by_max_puzzle,
    "min_max": by_min_max,
}


def normalise(
    cams: Float[Tensor, "*axes h w"], form: Literal["max", "puzzle", "min_max"] = "max"
) -> Float[Tensor, "*axes h w"]:
    """ψ(A) by one of `NORMALISATIONS`.

    Raises:
        ValueError: unknown form.
    """
    if form not in NORMALISATIONS:
        raise ValueError(unknown_name("normalisation", form, NORMALISATIONS))
    return NORMALISATIONS[form](cams)
