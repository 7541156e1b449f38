"""The dense CRF as an option of several stages: presets checked when a recipe is loaded."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from seedbed.errors import unknown_name
from seedbed.labels import IGNORE
from seedbed.refine.crf.parameters import CRF_PRESETS
from seedbed.runtime.contract import Parameters

NO_CRF = "none"


def _known_preset(name: str) -> str:
    if name != NO_CRF and name not in CRF_PRESETS:
        raise ValueError(unknown_name("CRF preset", name, [NO_CRF, *CRF_PRESETS]))
    return name


CrfChoice = Annotated[str, AfterValidator(_known_preset)]
"""Name of a preset, or `none`."""


class CrfOptions(Parameters):
    """Parameters of a stage that can end with a dense CRF."""

    crf: CrfChoice = Field(default=NO_CRF, description="preset of a dense CRF on the result, or none")
    crf_engine: str = Field(default="permutohedral", description="engine of the dense CRF")


def label_refiner(image: np.ndarray, preset: str, engine: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """A function (labels, number of labels) -> labels that sharpens hard labels to the edges of `image`.

    What depends on the image alone is built once and serves every call.
    """
    from seedbed.refine.crf.dense_crf import DenseCrf, unary_from_labels

    parameters = CRF_PRESETS[preset]
    crf = DenseCrf(image, parameters, engine)

    def refine(labels: np.ndarray, n_labels: int) -> np.ndarray:
        unary = unary_from_labels(labels, n_labels, parameters.label_confidence)
        return np.asarray(crf.labels(unary[None])[0])

    return refine


def score_refiner(image: np.ndarray, preset: str, engine: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from scores (background first) to marginals that are sharpened to the edges of `image`."""
    from seedbed.refine.crf.dense_crf import DenseCrf, unary_from_softmax

    crf = DenseCrf(image, CRF_PRESETS[preset], engine)

    def refine(scores: np.ndarray) -> np.ndarray:
        return np.asarray(crf.marginals(unary_from_softmax(scores)[None])[0])

    return refine


def sharpen_label_map(image: np.ndarray, label_map: np.ndarray, preset: str, engine: str) -> np.ndarray:
    """A label map (0 background, c + 1 class c, 255 neutral) after a label CRF; neutral pixels stay neutral."""
    values, compact = np.unique(label_map, return_inverse=True)
    refined = label_refiner(image, preset, engine)(compact.reshape(label_map.shape), len(values))
    sharpened = values[refined].astype(np.uint8)
    return np.where(label_map == IGNORE, label_map, sharpened).astype(np.uint8)
