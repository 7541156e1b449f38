"""Integer counts of truth against prediction: the one source of every score (DESIGN §6).

Counts of images, shards and splits are merged by addition. Row t, column p counts pixels of true class t that
were predicted as class p; the last column counts labelled pixels that the prediction leaves neutral. Pixels
without a label in the truth are not counted (PASCAL VOC's void, removed from truth and prediction alike).
"""

import numpy as np
from jaxtyping import Int64, UInt8

from seedbed.labels import IGNORE


def confusion_counts(
    truth: UInt8[np.ndarray, "height width"],
    prediction: UInt8[np.ndarray, "..."],
    classes: int,
) -> Int64[np.ndarray, "K K+1"]:
    """Count pixels by true and predicted class.

    Args:
        truth: mask; 0 background, c + 1 for class c, 255 for pixels without a label.
        prediction: mask of the same shape; 255 for neutral pixels.
        classes: K, the number of classes with background.

    Returns:
        K rows (truth) × K + 1 columns (prediction, then neutral).

    Raises:
        ValueError: shapes differ, or a mask holds a value that is neither a class nor 255; K outside 1 … 255.
    """
    if truth.shape != prediction.shape:
        raise ValueError(
            f"expected truth and prediction of one size, got {_shape(truth)} and {_shape(prediction)}; "
            "both must have the image's size"
        )
    if not 1 <= classes <= IGNORE:
        raise ValueError(f"expected 1 to {IGNORE} classes with background, got {classes}")
    from seedbed.metrics._kernels import count_pairs

    width = classes + 2
    code = np.full(256, classes + 1, np.int64)
    code[:classes] = np.arange(classes)
    code[IGNORE] = classes
    cells = count_pairs(_words(truth), _words(prediction), code * width, code, width * width)
    table = cells.reshape(width, width)
    for name, mask, bad in (("truth", truth, table[-1]), ("prediction", prediction, table[:, -1])):
        if bad.any():
            raise ValueError(_foreign_value(name, mask, classes))
    counts: np.ndarray = table[:classes, : classes + 1].copy()
    return counts


def _words(mask: np.ndarray) -> np.ndarray:
    """The mask's bytes as uint64; the last word is filled up with pixels that have no label."""
    flat = np.ascontiguousarray(mask).ravel().astype(np.uint8, casting="safe", copy=False)
    if flat.size % 8:
        flat = np.append(flat, np.full(-flat.size % 8, IGNORE, np.uint8))
    return flat.view(np.uint64)


def _shape(mask: np.ndarray) -> str:
    return "×".join(map(str, mask.shape))


def _foreign_value(name: str, mask: np.ndarray, classes: int) -> str:
    foreign = (mask >= classes) & (mask != IGNORE)
    return (
        f"{name} holds the value {int(mask[foreign][0])} in {int(foreign.sum())} pixels; "
        f"expected 0 to {classes - 1}, or {IGNORE}; check the list of classes"
    )
