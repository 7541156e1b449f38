"""The dense CRF by `pydensecrf`: the engine that the field used, and the oracle for our own.

It is an optional package (`pydensecrf2`, its maintained fork, imports as `pydensecrf`). Each unary builds
both lattices anew, since the package ties them to one model object.
"""

import importlib
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, UInt8

from seedbed.refine.crf.parameters import CrfParameters

# The package refuses read-only arrays, though it writes to none of them.
_BUFFER: Final = ("C_CONTIGUOUS", "WRITEABLE")


def _load() -> Any:
    try:
        return importlib.import_module("pydensecrf.densecrf")
    except ImportError as error:
        raise ValueError(
            "the CRF engine 'pydensecrf' needs pydensecrf2, which cannot be imported here; install it with "
            "`pip install setuptools wheel 'cython>=3'`, then `pip install --no-build-isolation pydensecrf2` "
            "(extra `crf`), or choose engine 'permutohedral'"
        ) from error


class PydensecrfMeanField:
    """Mean field of one image by `pydensecrf`.

    Raises:
        ValueError: `pydensecrf` is not installed.
    """

    def __init__(self, image: UInt8[np.ndarray, "H W 3"], parameters: CrfParameters) -> None:
        self._densecrf = _load()
        self._image = np.require(image, requirements=_BUFFER)
        self._parameters = parameters

    def marginals(self, unaries: Float32[np.ndarray, "T K H W"]) -> Float32[np.ndarray, "T K H W"]:
        """Marginals of each unary, one model after another."""
        return np.stack([self._one(unary) for unary in unaries])

    def _one(self, unary: Float32[np.ndarray, "K H W"]) -> Float32[np.ndarray, "K H W"]:
        labels, height, width = unary.shape
        setting = self._parameters
        model = self._densecrf.DenseCRF2D(width, height, labels)
        model.setUnaryEnergy(np.require(unary.reshape(labels, -1), requirements=_BUFFER))
        model.addPairwiseGaussian(sxy=setting.gaussian_sxy, compat=setting.gaussian_compat)
        model.addPairwiseBilateral(
            sxy=setting.bilateral_sxy,
            srgb=setting.bilateral_srgb,
            rgbim=self._image,
            compat=setting.bilateral_compat,
        )
        return np.array(model.inference(setting.iterations), dtype=np.float32).reshape(unary.shape)
