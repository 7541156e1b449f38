"""The dense CRF by our own lattice: Krähenbühl & Koltun 2011, Algorithm 1, for many unaries at once.

One update of a pixel is Q(l) ∝ exp(−u(l) + Σ_m w_m k_m∗Q(l)), with k_m symmetrically normalised and Potts
compatibility. It is fast because:

- the bilateral lattice is built once per image, the spatial one once per image size up to `KEPT` pixels;
- the weight of a kernel, its normalisation and the slice's gain are folded into the barycentric weights;
- Q sums to 1, so only K − 1 labels are filtered; the last one's message is that of Q = 1 less the others';
- several unaries of an image (thresholds) share one pass, up to 8 channels side by side;
- slice, softmax and the next splat are one pass over the pixels: Q is written only at the end;
- a lattice is blurred in place, along chains of neighbours whose rows are fetched into the cache ahead.

All of it runs in one thread, so results do not depend on the number of threads.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, Int64, UInt8

from seedbed.refine.crf.lattice import build_lattice, gain, lattice_filter
from seedbed.refine.crf.mean_field import mean_field, scratch
from seedbed.refine.crf.parameters import CrfParameters

KEPT = 2**20
"""Pixels up to which the spatial kernels of the last sizes are kept: 50 bytes per pixel and more."""
_WIDTHS = (1, 2, 4, 8)  # channels side by side; each is compiled once


class Kernel(NamedTuple):
    """One pairwise term of an image.

    Attributes:
        vertices: the lattice vertices of each pixel.
        weights: barycentric weight × sqrt(compat × normalisation × gain): used once to splat, once to slice.
        chains, ends, rows: of the lattice.
        constant: message of Q = 1.
    """

    vertices: Int32[np.ndarray, "N corners"]
    weights: Float32[np.ndarray, "N corners"]
    chains: Int32[np.ndarray, " links"]
    ends: Int64[np.ndarray, " corners"]
    rows: int
    constant: Float32[np.ndarray, " N"]


def _kernel(features: Float32[np.ndarray, "N d"], compat: float) -> Kernel:
    lattice = build_lattice(features)
    norm = 1 / np.sqrt(lattice_filter(lattice, np.ones(len(features), np.float32)) + np.float32(1e-20))
    constant = np.float32(compat) * norm * lattice_filter(lattice, norm)
    norm *= np.sqrt(np.float32(compat) * gain(features.shape[1]))
    np.multiply(lattice.weights, norm[:, None], out=lattice.weights)
    return Kernel(*lattice, constant)


def _features(height: int, width: int, sxy: float, colours: int = 0) -> Float32[np.ndarray, "N d"]:
    """Places of pixels in units of the kernel, and room for their colours."""
    features = np.empty((height, width, 2 + colours), np.float32)
    features[..., 0] = np.arange(width, dtype=np.float32) / np.float32(sxy)
    features[..., 1] = np.arange(height, dtype=np.float32)[:, None] / np.float32(sxy)
    return features.reshape(height * width, -1)


def _spatial_kernel(height: int, width: int, sxy: float, compat: float) -> Kernel:
    return _kernel(_features(height, width, sxy), compat)


_kept_spatial_kernel = lru_cache(maxsize=8)(_spatial_kernel)


def _bilateral_kernel(image: UInt8[np.ndarray, "H W 3"], sxy: float, srgb: float, compat: float) -> Kernel:
    height, width = image.shape[:2]
    features = _features(height, width, sxy, colours=3)
    np.divide(image.reshape(-1, 3), np.float32(srgb), out=features[:, 2:])
    return _kernel(features, compat)


class PermutohedralMeanField:
    """Mean field of one image by our own lattice.

    Raises:
        ValueError: a kernel too narrow for the image (see `build_lattice`).
    """

    def __init__(self, image: UInt8[np.ndarray, "H W 3"], parameters: CrfParameters) -> None:
        self._iterations = parameters.iterations
        height, width = image.shape[:2]
        spatial_kernel = _kept_spatial_kernel if height * width <= KEPT else _spatial_kernel
        self._spatial = spatial_kernel(height, width, parameters.gaussian_sxy, parameters.gaussian_compat)
        self._bilateral = _bilateral_kernel(
            image, parameters.bilateral_sxy, parameters.bilateral_srgb, parameters.bilateral_compat
        )

    def marginals(self, unaries: Float32[np.ndarray, "T K H W"]) -> Float32[np.ndarray, "T K H W"]:
        """Marginals of each unary; one pass takes as many unaries as fit into 8 channels, and at least one."""
        thresholds, labels = unaries.shape[:2]
        # One kind of array only, since numba compiles for each kind: a read-only array is another one.
        flat = np.require(unaries.reshape(thresholds, labels, -1), requirements=("C_CONTIGUOUS", "WRITEABLE"))
        marginals = np.empty_like(flat)
        together = max(1, _WIDTHS[-1] // (labels - 1))
        spatial, bilateral = self._spatial, self._bilateral
        channels, room = 0, None
        for start in range(0, thresholds, together):
            part = slice(start, start + together)
            if room is None or channels != len(flat[part]) * (labels - 1):
                channels = len(flat[part]) * (labels - 1)
                width = min((w for w in _WIDTHS if w >= channels), default=_WIDTHS[-1])
                room = scratch(spatial.rows + 1, bilateral.rows + 1, flat.shape[2], channels, width)
            mean_field(flat[part], marginals[part], spatial, bilateral, self._iterations, room, (0,) * width)
        return marginals.reshape(unaries.shape)
