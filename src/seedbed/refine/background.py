"""Background as one more class of the walk (Ahn & Kwak 2018, §3.3; SEAM's and PSA's code)."""

import numpy as np
from jaxtyping import Float32


def background_scores(cams: Float32[np.ndarray, "classes h w"], alpha: float) -> Float32[np.ndarray, "1 h w"]:
    """(1 − the strongest class)^α.

    Args:
        cams: ψ, in [0, 1]; at least one.
        alpha: PSA 16, SEAM 6; a larger one makes background weaker.
    """
    rest: np.ndarray = 1 - np.minimum(cams.max(axis=0, keepdims=True), np.float32(1))
    return rest ** np.float32(alpha)


def shares(walked: Float32[np.ndarray, "outputs h w"]) -> Float32[np.ndarray, "classes h w"]:
    """Each class over the sum of the strongest class and background; 0 where both are 0.

    The strongest class has more than 1/2 exactly where it exceeds background, so one background score of 0.5 decides as
    an argmax over background and classes does, and the field's thresholds apply.

    Args:
        walked: scores of background, then of the classes; an approximate walk may leave some below 0, which count as 0.
    """
    positive = np.maximum(walked, 0)
    total = positive[1:].max(axis=0) + positive[0]
    result: np.ndarray = positive[1:] / np.where(total > 0, total, np.float32(1))
    return result
