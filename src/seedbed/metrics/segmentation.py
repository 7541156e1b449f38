"""Scores of masks, as functions of integer counts (`seedbed.metrics.confusion`).

Published implementations differ in three ways that change the figures, so each way has a name here:

- which classes enter the mean (`DEFINITIONS`; they differ as soon as a class is absent, which happens in small data
  sets);
- how a neutral prediction counts (`NEUTRAL`): `dropped` removes the pixel from truth and prediction, as the paper
  on threshold quality says about its mIoU ("excluding neutral pixels", §3.2); `missed` keeps it in the truth, so it
  is an error;
- over- and under-activation: the "FPR" and "FNR" of P-NOC's Fig. 6, which are shares of the union, not rates.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, SupportsInt

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from seedbed.errors import unknown_name
from seedbed.labels import IGNORE

Counts = Int64[np.ndarray, "K K+1"]


class Totals(NamedTuple):
    """Pixels of each class in a batch of counts; each field is Int64[..., K]."""

    hit: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray

    @property
    def union(self) -> np.ndarray:
        total: np.ndarray = self.truth + self.predicted - self.hit
        return total


DEFINITIONS: Mapping[str, Callable[[Totals], Bool[np.ndarray, "*batch K"]]] = {
    # chainercv, and thus IRN and ISIM: classes in truth or prediction; the others are left out
    "present": lambda totals: totals.union > 0,
    # PSA, Puzzle-CAM, P-NOC, SEAM: every class; one that is absent from both scores 0
    "all": lambda totals: np.ones_like(totals.union, dtype=bool),
    # deeplab-pytorch, SC-CAM: classes in the truth; a class that is only predicted has no IoU of its own
    "truth": lambda totals: totals.truth > 0,
}

NEUTRAL = ("dropped", "missed")


def class_iou(
    counts: Int64[np.ndarray, "*batch K K+1"], neutral: str = "dropped"
) -> Float64[np.ndarray, "*batch K"]:
    """Intersection over union of each class; NaN where the class is in neither truth nor prediction."""
    totals = _totals(counts, neutral)
    return _ratio(totals.hit, totals.union)


def class_precision(counts: Counts, neutral: str = "dropped") -> Float64[np.ndarray, "K"]:
    """Share of the pixels predicted as a class that belong to it; NaN where no pixel is predicted as it."""
    totals = _totals(counts, neutral)
    return _ratio(totals.hit, totals.predicted)


def class_recall(counts: Counts, neutral: str = "dropped") -> Float64[np.ndarray, "K"]:
    """Share of the pixels of a class that are found; NaN where the truth does not contain it."""
    totals = _totals(counts, neutral)
    return _ratio(totals.hit, totals.truth)


def class_f1(counts: Counts, neutral: str = "dropped") -> Float64[np.ndarray, "K"]:
    """Harmonic mean of precision and recall, 2·hit / (truth + predicted); NaN where a class is in neither."""
    totals = _totals(counts, neutral)
    return _ratio(2 * totals.hit, totals.truth + totals.predicted)


def mean_iou(counts: Counts, definition: str = "present", neutral: str = "dropped") -> float:
    """Mean intersection over union; NaN if no class enters the mean.

    Args:
        counts: rows truth, columns prediction, last column neutral.
        definition: which classes enter, a name of `DEFINITIONS`.
        neutral: how a neutral prediction counts, a name of `NEUTRAL`.

    Raises:
        ValueError: an unknown name.
    """
    return float(mean_ious(counts[None], definition, neutral)[0])


def mean_ious(
    counts: Int64[np.ndarray, "N K K+1"], definition: str = "present", neutral: str = "dropped"
) -> Float64[np.ndarray, "N"]:
    """`mean_iou` of N counts at once, for instance of every pair of a threshold grid."""
    if definition not in DEFINITIONS:
        raise ValueError(unknown_name("definition of mean IoU", definition, DEFINITIONS))
    totals = _totals(counts, neutral)
    entering = DEFINITIONS[definition](totals)
    iou = np.where(totals.union > 0, totals.hit / np.maximum(totals.union, 1), 0.0)
    return _ratio(np.where(entering, iou, 0.0).sum(-1), entering.sum(-1))


def pixel_accuracy(counts: Counts, neutral: str = "dropped") -> float:
    """Share of the labelled pixels that are right; NaN if there are none."""
    totals = _totals(counts, neutral)
    return _share(totals.hit.sum(), totals.truth.sum())


def neutral_ratio(counts: Counts) -> float:
    """Share of the labelled pixels that the prediction leaves neutral (NPR); NaN if there are none."""
    return _share(counts[:, -1].sum(), counts.sum())


def activation_errors(counts: Counts, neutral: str = "dropped") -> tuple[float, float]:
    """Over- and under-activation: (predicted − hit) / union and (truth − hit) / union, means over the foreground.

    Puzzle-CAM's evaluator prints them as FP and FN, and P-NOC's Fig. 6 as FPR and FNR. For each class,
    the two and its IoU add up to 1. Classes in neither truth nor prediction are left out; NaN if that leaves none.
    """
    totals = _totals(counts, neutral)
    union = totals.union[1:]
    over = _ratio((totals.predicted - totals.hit)[1:], union)
    under = _ratio((totals.truth - totals.hit)[1:], union)
    return _mean(over), _mean(under)


def scores(counts: Counts, classes: Sequence[str], neutral: str = "dropped") -> dict[str, Any]:
    """Every score of one set of counts, ready for JSON.

    Args:
        counts: rows truth, columns prediction, last column neutral.
        classes: the K - 1 foreground classes, in the masks' order.
        neutral: how a neutral prediction counts, a name of `NEUTRAL`; `mean_iou_by_neutral` has both.

    Returns:
        A dict without NaN: undefined scores are None. `absent` names the classes in neither truth nor prediction.

    Raises:
        ValueError: the number of classes does not match the counts, or an unknown name.
    """
    names = ["background", *classes]
    if len(names) != counts.shape[0]:
        raise ValueError(
            f"expected the names of {counts.shape[0] - 1} foreground classes, as the counts have, got {len(classes)}"
        )
    totals = _totals(counts, neutral)
    columns = {
        "iou": class_iou(counts, neutral),
        "precision": class_precision(counts, neutral),
        "recall": class_recall(counts, neutral),
        "f1": class_f1(counts, neutral),
    }
    over, under = activation_errors(counts, neutral)
    return {
        "labelled_pixels": int(counts.sum()),
        "neutral": neutral,
        "neutral_ratio": _json(neutral_ratio(counts)),
        "mean_iou": _json(mean_iou(counts, "present", neutral)),
        "mean_iou_by_definition": {name: _json(mean_iou(counts, name, neutral)) for name in DEFINITIONS},
        "mean_iou_by_neutral": {name: _json(mean_iou(counts, "present", name)) for name in NEUTRAL},
        **{f"mean_{name}": _json(_mean(values)) for name, values in columns.items() if name != "iou"},
        "pixel_accuracy": _json(pixel_accuracy(counts, neutral)),
        "over_activation": _json(over),
        "under_activation": _json(under),
        "absent": [name for name, union in zip(names, totals.union, strict=True) if union == 0],
        "per_class": {
            name: {
                **{column: _json(values[k]) for column, values in columns.items()},
                "truth_pixels": int(counts[k].sum()),
                "predicted_pixels": int(counts[:, k].sum()),
            }
            for k, name in enumerate(names)
        },
    }


def collapse(
    counts: Counts, classes: Sequence[str], class_map: Mapping[str, str]
) -> tuple[Int64[np.ndarray, "M M+1"], tuple[str, ...]]:
    """Merge foreground classes, for instance all breeds of a data set of pets into `pet`.

    Args:
        counts: counts of the K - 1 `classes` and background.
        classes: foreground classes, in the masks' order.
        class_map: new name of each class that changes; the others keep theirs.

    Returns:
        The merged counts and the new classes, in the order of their first member.

    Raises:
        ValueError: `class_map` names an unknown class.
    """
    for name in class_map:
        if name not in classes:
            raise ValueError(unknown_name("class in class_map", name, classes))
    renamed = [class_map.get(name, name) for name in classes]
    merged = tuple(dict.fromkeys(renamed))
    target = np.array([0, *(1 + merged.index(name) for name in renamed), 1 + len(merged)])
    result = np.zeros((len(merged) + 1, len(merged) + 2), np.int64)
    np.add.at(result, (target[:-1, None], target[None, :]), counts)
    return result, merged


def join_predictions(
    counts: Int64[np.ndarray, "*batch K K+1"], lookup: UInt8[np.ndarray, "256"]
) -> Int64[np.ndarray, "*batch M M+1"]:
    """Counts of predictions that are joined after they were made, against a truth that already is.

    Args:
        counts: rows truth (indices up to M - 1), columns prediction (K - 1 classes and background), last neutral.
        lookup: index of a prediction → its index among the M; 255 for neutral.
    """
    predicted = counts.shape[-2]
    targets = lookup[:predicted].astype(np.int64)
    joined = int(targets[targets != IGNORE].max()) + 1
    targets[targets == IGNORE] = joined
    result = np.zeros((*counts.shape[:-2], joined, joined + 1), np.int64)
    for column, target in enumerate([*targets.tolist(), joined]):
        result[..., target] += counts[..., :joined, column]
    return result


def _totals(counts: Int64[np.ndarray, "*batch K K+1"], neutral: str) -> Totals:
    if neutral not in NEUTRAL:
        raise ValueError(unknown_name("reading of neutral pixels", neutral, NEUTRAL))
    decided = counts[..., :-1]
    truth = (decided if neutral == "dropped" else counts).sum(-1)
    return Totals(np.diagonal(decided, axis1=-2, axis2=-1), truth, decided.sum(-2))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient in float64; NaN where the denominator is 0."""
    return np.where(denominator > 0, numerator / np.maximum(denominator, 1), np.nan)


def _share(part: SupportsInt, whole: SupportsInt) -> float:
    return int(part) / int(whole) if int(whole) else float("nan")


def _mean(values: Float64[np.ndarray, "K"]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _json(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
