"""Scores of the image-level classifier.

Average precision is the all-point form, Σ (R_n − R_{n−1})·P_n over the distinct probabilities in falling
order, without interpolation; equal probabilities make one step (as in scikit-learn's
`average_precision_score`, unlike VOC's 11 points).
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

Labels = Bool[np.ndarray, "N C"]
Probabilities = Float[np.ndarray, "..."]
"""N × C; checked against the labels."""


def average_precision(labels: Bool[np.ndarray, "n"], probabilities: Float[np.ndarray, "n"]) -> float:
    """All-point average precision of one ranking; NaN if nothing is labelled."""
    if not labels.any():
        return float("nan")
    order = np.argsort(-probabilities, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    hits = np.cumsum(labels[order])[ends]
    precision = hits / (ends + 1)
    recall = hits / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def class_average_precision(labels: Labels, probabilities: Probabilities) -> Float64[np.ndarray, "C"]:
    """Average precision of each class over the images; NaN where no image has the class."""
    _check(labels, probabilities)
    return np.array([average_precision(*column) for column in zip(labels.T, probabilities.T, strict=True)])


def image_average_precision(labels: Labels, probabilities: Probabilities) -> float:
    """Average precision of each image's ranking of the classes, averaged over the images that have a label."""
    _check(labels, probabilities)
    return _mean(np.array([average_precision(*row) for row in zip(labels, probabilities, strict=True)]))


def f1_scores(
    labels: Labels, probabilities: Probabilities, threshold: float = 0.5
) -> tuple[float, float, Float64[np.ndarray, "C"]]:
    """F1 of the decision probability ≥ threshold.

    Returns:
        Micro F1 (hits pooled over all classes), macro F1 (mean over the classes that are labelled or predicted
        anywhere), and F1 of each class; NaN where nothing is labelled or predicted.
    """
    _check(labels, probabilities)
    predicted = probabilities >= threshold
    hits = (labels & predicted).sum(0)
    total = labels.sum(0) + predicted.sum(0)
    each = np.where(total > 0, 2 * hits / np.maximum(total, 1), np.nan)
    micro = float(2 * hits.sum() / total.sum()) if total.any() else float("nan")
    return micro, _mean(each), each


def scores(labels: Labels, probabilities: Probabilities, classes: tuple[str, ...]) -> dict[str, Any]:
    """Every classification score, ready for JSON: None instead of NaN where a score is undefined.

    Args:
        labels: image-level labels.
        probabilities: the classifier's, in [0, 1].
        classes: the C foreground classes.

    Raises:
        ValueError: shapes or numbers of classes disagree, or a probability is not finite.
    """
    _check(labels, probabilities)
    if len(classes) != labels.shape[1]:
        raise ValueError(
            f"expected a name per column of the labels, {labels.shape[1]}, got {len(classes)}; check the classes"
        )
    precision = class_average_precision(labels, probabilities)
    micro, macro, f1 = f1_scores(labels, probabilities)
    return {
        "images": len(labels),
        "mean_average_precision": _json(_mean(precision)),
        "image_average_precision": _json(image_average_precision(labels, probabilities)),
        "f1_micro": _json(micro),
        "f1_macro": _json(macro),
        "absent": [name for c, name in enumerate(classes) if not labels[:, c].any()],
        "per_class": {
            name: {
                "average_precision": _json(precision[c]),
                "f1": _json(f1[c]),
                "images": int(labels[:, c].sum()),
            }
            for c, name in enumerate(classes)
        },
    }


def _check(labels: Bool[np.ndarray, "..."], probabilities: Float[np.ndarray, "..."]) -> None:
    if labels.ndim != 2 or labels.shape != probabilities.shape:
        raise ValueError(
            f"expected labels and probabilities of one shape (images, classes), "
            f"got {labels.shape} and {probabilities.shape}"
        )
    if not np.isfinite(probabilities).all():
        image, column = np.argwhere(~np.isfinite(probabilities))[0]
        raise ValueError(
            f"probability of class {column} in image {image} is not finite; the classifier diverged"
        )


def _mean(values: Float64[np.ndarray, "n"]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
