"""Scores of saliency against masks: what is salient is whatever is not background.

Precision, recall and F are of pixels pooled over images; β² = 0.3 is the weight that work on salient objects gives to
recall (Achanta et al. 2009). With true classes as the prior (the GT rows of P-NOC's Table 6) a pixel is right if it is
salient and has a class, or is neither; all else counts as a miss.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from seedbed.labels import IGNORE
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.segmentation import class_iou, class_precision, class_recall

BETA_SQUARED = 0.3


def saliency_counts(
    truth: UInt8[np.ndarray, "H W"], salient: Bool[np.ndarray, "H W"]
) -> Int64[np.ndarray, "2 3"]:
    """Pixels by truth (background, any class) and prediction (not salient, salient, nothing); truth 255 left out."""
    binary = np.where(truth == IGNORE, IGNORE, truth > 0).astype(np.uint8)
    return confusion_counts(binary, salient.astype(np.uint8), 2)


def saliency_scores(counts: Int64[np.ndarray, "2 3"]) -> dict[str, Any]:
    """Precision, recall, F1, F with β² = 0.3, mean IoU, and the F1 of calling everything salient; None if undefined."""
    precision, recall = (float(find(counts)[1]) for find in (class_precision, class_recall))
    present, total = int(counts[1].sum()), int(counts.sum())
    ious = class_iou(counts)
    return {
        "precision": _json(precision),
        "recall": _json(recall),
        "f1": f_measure(precision, recall, 1.0),
        "f_beta": f_measure(precision, recall, BETA_SQUARED),
        "mean_iou": None if np.isnan(ious).all() else float(np.nanmean(ious)),
        "f1_all_salient": f_measure(present / total, 1.0, 1.0) if present else None,
    }


def f_measure(precision: float, recall: float, beta_squared: float) -> float | None:
    """(1 + β²) P R / (β² P + R); 0 if nothing is found, None if a part is undefined and the other is not 0."""
    if np.isnan(precision) or np.isnan(recall):
        return 0.0 if precision == 0 or recall == 0 else None
    below = beta_squared * precision + recall
    return (1 + beta_squared) * precision * recall / below if below > 0 else 0.0


def with_true_classes(
    truth: UInt8[np.ndarray, "H W"], salient: Bool[np.ndarray, "H W"]
) -> UInt8[np.ndarray, "H W"]:
    """Saliency with the true classes as the prior: each salient pixel's, 0 if not salient, 255 for salient background.

    Counted with `neutral: missed`, salient background is a miss of background and of no other class.
    """
    labelled = np.where(truth == 0, IGNORE, truth)
    return np.where(salient, labelled, 0).astype(np.uint8)


def _json(value: float) -> float | None:
    return None if np.isnan(value) else value
