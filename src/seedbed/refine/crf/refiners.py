"""The dense CRF of one image as a function of labels or of scores, as `confident_regions` takes it.

What depends on the image alone is built once and serves every call.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from seedbed.labels import IGNORE
from seedbed.refine.confident_regions import RefineLabels, RefineScores
from seedbed.refine.crf.dense_crf import DenseCrf, unary_from_labels, unary_from_softmax
from seedbed.refine.crf.parameters import CrfParameters


def label_refiner(
    image: UInt8[np.ndarray, "H W 3"], parameters: CrfParameters, engine: str = "permutohedral"
) -> RefineLabels:
    """Function (labels, number of labels) → most probable labels: `crf_inference_label` of IRN and its heirs.

    Args:
        image: photograph, RGB.
        parameters: kernels, iterations and `label_confidence`.
        engine: a name of `ENGINES`.

    Raises:
        ValueError: as `DenseCrf`; the returned function as `unary_from_labels`.
    """
    crf = DenseCrf(image, parameters, engine)

    def refine(labels: np.ndarray, n_labels: int) -> np.ndarray:
        unary = unary_from_labels(labels, n_labels, parameters.label_confidence)
        return np.asarray(crf.labels(unary[None])[0])

    return refine


def score_refiner(
    image: UInt8[np.ndarray, "H W 3"], parameters: CrfParameters, engine: str = "permutohedral"
) -> RefineScores:
    """Function from scores (background first) to marginals: `crf_inference` of PSA.

    Args:
        image: photograph, RGB.
        parameters: kernels and iterations.
        engine: a name of `ENGINES`.

    Raises:
        ValueError: as `DenseCrf`.
    """
    crf = DenseCrf(image, parameters, engine)

    def refine(scores: np.ndarray) -> np.ndarray:
        return np.asarray(crf.marginals(unary_from_softmax(scores)[None])[0])

    return refine


def sharpen_label_map(
    label_map: UInt8[np.ndarray, "H W"], refine: RefineLabels, class_ids: Sequence[int] | None = None
) -> UInt8[np.ndarray, "H W"]:
    """A label map (0 background, c + 1 class c, 255 neutral) after a label CRF; neutral pixels stay neutral.

    Args:
        refine: `label_refiner` of the image.
        class_ids: the CRF's labels besides background and 255, from 0, as in the published code; None for those that
            have a pixel. The share of a pixel's probability that is not its own label's is divided among the others.
    """
    values, compact = np.unique(label_map, return_inverse=True)
    if class_ids is not None:
        named = [0, *(c + 1 for c in class_ids)]
        values = np.union1d(values, np.array(named, np.uint8))
        compact = np.searchsorted(values, label_map)
    refined = refine(compact.reshape(label_map.shape), len(values))
    return np.where(label_map == IGNORE, label_map, values[refined]).astype(np.uint8)
