"""Class probabilities of pixels where it is known which classes an image can have."""

import numpy as np
from jaxtyping import Bool, Float32, Int, UInt8

from seedbed.refine.confident_regions import RefineScores


def possible_labels(
    present: Bool[np.ndarray, " classes"],
    mask_lookup: UInt8[np.ndarray, "256"] | None,
    labels: Int[np.ndarray, " labels"],
) -> Int[np.ndarray, " kept"]:
    """Those of a network's labels that an image can have: background, and what its present classes allow.

    Args:
        present: of each class of the image-level labels, whether the image has it.
        mask_lookup: label of the masks for each label of the image-level classes, for a network of the masks' classes
            (`class_map`); a label that no image-level class becomes is always possible. None: the same classes.
        labels: the network's, 0 background.
    """
    named = np.arange(1, len(present) + 1)
    of_classes = named if mask_lookup is None else mask_lookup[named]
    absent = np.setdiff1d(of_classes[~present], np.append(of_classes[present], 0))
    return np.asarray(np.setdiff1d(labels, absent))


def probabilities_of_labels(
    probabilities: Float32[np.ndarray, "K H W"],
    labels: Int[np.ndarray, " kept"],
    refine: RefineScores | None = None,
) -> Float32[np.ndarray, "kept H W"]:
    """Probabilities of the given labels, which share that of the others, and a CRF among them.

    Args:
        probabilities: of the network's K labels, 0 background.
        labels: from 0 to K - 1, without repetition.
        refine: score CRF of the image; not called where only one label is left.
    """
    kept = probabilities
    if len(labels) < len(probabilities):
        kept = probabilities[labels]
        kept /= np.maximum(kept.sum(axis=0), np.finfo(np.float32).tiny)
    if refine is not None and len(labels) > 1:
        kept = refine(kept)
    return np.asarray(kept)
