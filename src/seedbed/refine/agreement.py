"""What two label maps of an image have in common."""

from typing import Literal

import numpy as np
from jaxtyping import UInt8

from seedbed.labels import IGNORE


def agreeing_labels(
    first: UInt8[np.ndarray, "height width"],
    second: UInt8[np.ndarray, "height width"],
    *,
    one_neutral: Literal["neutral", "other"],
) -> UInt8[np.ndarray, "height width"]:
    """The label of each pixel on which both agree, 255 elsewhere; the order of the two makes no difference.

    Args:
        first: 0 background, c + 1 class c, 255 neutral.
        second: the same.
        one_neutral: where exactly one is neutral: `neutral`, or `other`, the label of the other one.
    """
    agreed = np.where(first == second, first, np.uint8(IGNORE))
    if one_neutral == "other":
        agreed = np.where(first == IGNORE, second, np.where(second == IGNORE, first, agreed))
    return agreed
