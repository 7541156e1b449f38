"""Dense CRF: sharpen labels or scores to the edges of the photograph.

Krähenbühl & Koltun 2011, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials": Potts
compatibility, a spatial and a bilateral kernel, symmetric normalisation, mean field. The settings of the
published methods are in `CRF_PRESETS`.

A `DenseCrf` keeps the lattices of its image, so that many thresholds share them.
"""

from collections.abc import Callable
from typing import Protocol, no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int64, Integer, UInt8
from numba import njit

from seedbed.errors import unknown_name
from seedbed.refine.crf.parameters import CRF_PRESETS, CrfParameters
from seedbed.refine.crf.permutohedral import PermutohedralMeanField
from seedbed.refine.crf.pydensecrf import PydensecrfMeanField

__all__ = [
    "CRF_PRESETS",
    "ENGINES",
    "CrfParameters",
    "DenseCrf",
    "unary_from_labels",
    "unary_from_softmax",
]


class MeanField(Protocol):
    """What an engine builds for an image: mean field for any number of unaries of at least 2 labels."""

    def marginals(self, unaries: Float32[np.ndarray, "T K H W"]) -> Float32[np.ndarray, "T K H W"]: ...


ENGINES: dict[str, Callable[[UInt8[np.ndarray, "H W 3"], CrfParameters], MeanField]] = {
    "permutohedral": PermutohedralMeanField,
    "pydensecrf": PydensecrfMeanField,
}


def unary_from_labels(
    labels: Integer[np.ndarray, "*T H W"], n_labels: int, confidence: float
) -> Float32[np.ndarray, "*T K H W"]:
    """Unary energy of hard labels: −log(c) for a pixel's own label, −log((1 − c) / (K − 1)) for each other.

    With one label there are no others, so a photograph that shows only background works (published code
    divides by zero).

    Args:
        labels: label of each pixel, 0…K−1; leading axes (thresholds) are kept.
        n_labels: K, the number of labels.
        confidence: c, the probability of a pixel's own label, between 0 and 1 (`gt_prob`).

    Raises:
        ValueError: a label outside 0…K−1, or a confidence outside (0, 1).
    """
    if n_labels < 1:
        raise ValueError(f"expected n_labels to be at least 1, got {n_labels}; count the background too")
    if not 0 < confidence < 1:
        raise ValueError(
            f"expected confidence between 0 and 1, both excluded, got {confidence}; 0.7 is usual"
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < n_labels):
        raise ValueError(
            f"expected labels in 0…{n_labels - 1}, got {labels.min()}…{labels.max()}; "
            "number them by their place in the list of present classes"
        )
    own = labels[..., None, :, :] == np.arange(n_labels).reshape(-1, 1, 1)
    other = (1 - confidence) / max(n_labels - 1, 1)
    return np.asarray(np.where(own, np.float32(-np.log(confidence)), np.float32(-np.log(other))))


def unary_from_softmax(
    probabilities: Float[np.ndarray, "*T K H W"], clip: float = 1e-5
) -> Float32[np.ndarray, "*T K H W"]:
    """Unary energy of scores: −log of the probabilities, clipped to [clip, 1].

    The scores need not sum to 1: PSA passes [(1 − max)^α, cams] as they are.

    Args:
        probabilities: score of each label; leading axes (thresholds) are kept.
        clip: lowest probability, above 0, so that no energy is infinite.

    Raises:
        ValueError: a clip outside (0, 1].
    """
    if not 0 < clip <= 1:
        raise ValueError(f"expected clip above 0 and at most 1, got {clip}; 1e-5 is usual")
    unary = np.clip(probabilities, clip, 1)
    np.negative(np.log(unary, out=unary), out=unary)
    return np.asarray(unary, dtype=np.float32)


class DenseCrf:
    """Dense CRF of one image: what depends on the image alone is built once, for any number of unaries.

    Args:
        image: photograph, RGB.
        parameters: kernels and iterations.
        engine: a name of `ENGINES`.

    Raises:
        ValueError: an unknown engine, an engine that is not installed, or an image without pixels.
    """

    def __init__(
        self, image: UInt8[np.ndarray, "H W 3"], parameters: CrfParameters, engine: str = "permutohedral"
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(unknown_name("CRF engine", engine, ENGINES))
        if image.size == 0:
            raise ValueError(f"expected an image with pixels, got shape {image.shape}; check the file")
        self._size = image.shape[:2]
        self._mean_field = ENGINES[engine](image, parameters)

    def marginals(self, unaries: Float32[np.ndarray, "T K H W"]) -> Float32[np.ndarray, "T K H W"]:
        """Marginals Q of each unary after the mean-field iterations; they sum to 1 over the K labels.

        Args:
            unaries: energies (negative log probabilities), one set of K labels per threshold.

        Raises:
            ValueError: unaries that differ from the image in size, have no label, or are not finite.
        """
        if unaries.shape[2:] != self._size:
            raise ValueError(
                f"expected unaries of the image's size {self._size}, got {unaries.shape[2:]}; "
                "resize the scores first"
            )
        if unaries.shape[1] == 0:
            raise ValueError("expected unaries of at least 1 label, got 0; give the background a channel")
        if not np.isfinite(unaries).all():
            raise ValueError("expected finite unaries, got NaN or infinity; clip the probabilities above 0")
        if unaries.shape[0] == 0 or unaries.shape[1] == 1:
            return np.ones_like(unaries)
        return self._mean_field.marginals(unaries)

    def labels(self, unaries: Float32[np.ndarray, "T K H W"]) -> Int64[np.ndarray, "T H W"]:
        """Most probable label of each pixel, 0…K−1, for each unary; arguments and errors as of `marginals`."""
        height, width = self._size
        marginals = self.marginals(unaries).reshape(*unaries.shape[:2], height * width)
        labels = np.zeros((len(unaries), height * width), np.int64)
        _most_probable(marginals, labels)
        return labels.reshape(-1, height, width)


@njit(cache=True, nogil=True)
@no_type_check
def _most_probable(marginals, labels):
    """Write the first label of the highest probability into `labels` (zeros); numpy is slow on a middle axis."""
    best = np.empty(marginals.shape[2], np.float32)
    for t in range(marginals.shape[0]):
        for n in range(best.size):
            best[n] = marginals[t, 0, n]
        for label in range(1, marginals.shape[1]):
            for n in range(best.size):
                if marginals[t, label, n] > best[n]:
                    best[n] = marginals[t, label, n]
                    labels[t, n] = label
