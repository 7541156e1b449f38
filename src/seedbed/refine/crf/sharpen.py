"""Label maps and scores sharpened to the edges of a photograph by the dense CRF, with a preset by name."""

from collections.abc import Callable

import numpy as np

from seedbed.labels import IGNORE
from seedbed.refine.crf.dense_crf import DenseCrf, unary_from_labels, unary_from_softmax
from seedbed.refine.crf.parameters import CRF_PRESETS


def label_refiner(image: np.ndarray, preset: str, engine: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """A function (labels, number of labels) -> labels that sharpens hard labels to the edges of `image`.

    What depends on the image alone is built once and serves every call.
    """
    parameters = CRF_PRESETS[preset]
    crf = DenseCrf(image, parameters, engine)

    def refine(labels: np.ndarray, n_labels: int) -> np.ndarray:
        unary = unary_from_labels(labels, n_labels, parameters.label_confidence)
        return np.asarray(crf.labels(unary[None])[0])

    return refine


def score_refiner(image: np.ndarray, preset: str, engine: str) -> Callable[[np.ndarray], np.ndarray]:
    """A function from scores (background first) to marginals that are sharpened to the edges of `image`."""
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
