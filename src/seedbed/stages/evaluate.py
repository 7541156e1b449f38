"""`evaluate`: integer counts and scores of one scored node on one split.

All scores are functions of counts. Classifications are scored on image-level labels. Label maps are scored on the true
masks as they are; maps at a fixed threshold, and over a curve of thresholds whose best is marked as chosen with masks.
Pixels whose truth is 255 are left out. Each point of a curve has over- and under-activation, too; of label maps the
file names the images with the lowest and the highest mean IoU over the classes of the image.

The plan adds this stage: once for each node in a recipe's `scores` and each split of the node whose truth is known.
True masks are for the judges. Apart from them, `prepare_dataset` computes the masks' checksums, the report page shows
some masks beside the samples, and the supervised baseline trains on them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.metrics import classification, segmentation
from seedbed.metrics.confusion import confusion_counts
from seedbed.runtime.background_option import OTSU, POOLED, BackgroundScore, background_score
from seedbed.runtime.contract import Input, Job, Stage
from seedbed.runtime.crf_options import CrfOptions
from seedbed.runtime.judging import judgement_json


class EvaluateParameters(CrfOptions):
    """How a node is scored."""

    background_score: BackgroundScore = Field(
        default=0.25,
        description="fixed threshold at which CAMs are scored: background where score <= it; or otsu, that of split "
        "train",
    )
    curve_step: float = Field(
        default=0.01, ge=0.0001, le=0.5, description="step of the threshold curve of CAMs"
    )
    neutral: Literal["dropped", "missed"] = Field(
        default="dropped",
        description="how a neutral prediction counts: not at all, or as a miss of its true class",
    )
    ranked_images: int = Field(
        default=12,
        ge=0,
        le=10_000,
        description="label maps: how many of the worst and of the best images are named",
    )
    class_map: dict[str, str] = Field(default_factory=dict, description="classes to collapse: {breed: pet}")

    def pooled(self) -> Mapping[str, str]:
        """Otsu's threshold is that of all training images, whatever split is scored."""
        return {"target": POOLED} if self.background_score == OTSU else {}


def run(job: Job) -> bytes:
    """The scores file: its header, the ledger, the scores and the counts from which they follow.

    Raises:
        SeedbedError: of this meaning there are no scores by class.
    """
    target = job.artifact("target")
    if not target.meaning.score:
        raise SeedbedError(
            f"{target.folder} is {target.meaning.heading}, which has no scores by class; choose another node"
        )
    result = BY_FORM[target.meaning.form.name](job, target)
    return judgement_json(STAGE, job, target.meaning.score, result)


def score_classifier(job: Job, target: Artifact) -> dict[str, Any]:
    """mAP, per-image AP and F1 from each image's class probabilities."""
    image_ids = list(job.dataset.image_ids(job.split))
    vectors = target.open(job.split)
    found = [vectors[i].get("probabilities", np.empty(0, np.float32)) for i in image_ids]
    if any(len(vector) != len(job.dataset.classes) for vector in found):
        raise SeedbedError(
            f"{target.folder}: expected probabilities of {len(job.dataset.classes)} classes for every image, got "
            f"{sorted({len(vector) for vector in found})}; run its stage again"
        )
    probabilities = np.stack(found)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise SeedbedError(
            f"{target.folder}: expected probabilities in [0, 1], got {probabilities.min():g} to "
            f"{probabilities.max():g}; run its stage again"
        )
    labels = np.stack([job.dataset.labels(i) for i in image_ids])
    return {"scores": classification.scores(labels, probabilities, tuple(job.dataset.classes))}


def score_label_maps(job: Job, target: Artifact) -> dict[str, Any]:
    """Counts and scores of label maps."""
    from seedbed.refine.crf.refiners import sharpen_label_map

    parameters: EvaluateParameters = job.parameters
    maps = target.open(job.split)
    classes = len(job.dataset.classes) + 1
    counts = np.zeros((classes, classes + 1), np.int64)
    by_image: dict[str, float] = {}
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "evaluate"):
        predicted, truth = maps[image_id], job.true_mask(image_id)
        if predicted.shape != truth.shape:
            (height, width), (found, across) = truth.shape, predicted.shape
            raise SeedbedError(
                f"{target.folder}: expected a label map of {image_id!r} of its mask's size {width}x{height}, "
                f"but it is {across}x{found}; run its stage again"
            )
        if parameters.has_crf:
            refine = parameters.label_refiner(job.dataset.image(image_id))
            predicted = sharpen_label_map(predicted, refine)
        of_image = confusion_counts(truth, predicted, classes)
        counts += of_image
        by_image[image_id] = segmentation.mean_iou(_joined(job, of_image)[0], neutral=parameters.neutral)
    return _from_counts(job, counts) | {"images": ranked(by_image, parameters.ranked_images)}


def ranked(mean_ious: Mapping[str, float], number: int) -> dict[str, list[dict[str, Any]]]:
    """The images with the lowest and with the highest mean IoU, each list from its end inwards.

    An image without a score (no pixel has a label) is left out, and none is in both lists; of equal scores the image
    that sorts first comes first.
    """
    order = sorted((value, image_id) for image_id, value in mean_ious.items() if not np.isnan(value))
    number = min(number, len(order) // 2)
    best = sorted(order[len(order) - number :], key=lambda item: (-item[0], item[1]))
    return {
        name: [{"image_id": image_id, "mean_iou": float(value)} for value, image_id in items]
        for name, items in (("worst", order[:number]), ("best", best))
    }


def score_cams(job: Job, target: Artifact) -> dict[str, Any]:
    """Scores of CAMs at the fixed threshold, and the curve over all thresholds; its best is chosen with masks."""
    from seedbed.metrics.threshold_tables import ThresholdTable

    parameters: EvaluateParameters = job.parameters
    grid = np.round(np.arange(0, 1, parameters.curve_step), 4).tolist()
    fixed = background_score(parameters.background_score, target)
    thresholds = sorted({*grid, fixed})
    classes = len(job.dataset.classes) + 1
    table = ThresholdTable.empty(thresholds, classes)
    cams = job.maps("target")
    image_ids = job.dataset.image_ids(job.split)
    fixed_counts = np.zeros((classes, classes + 1), np.int64)
    for image_id in job.progress(image_ids, len(image_ids), "evaluate"):
        stored = cams[image_id]
        truth = job.true_mask(image_id)
        if stored.class_ids:
            table.add(cams.scores(image_id), np.array(stored.class_ids), truth)
        else:
            fixed_counts += confusion_counts(truth, np.zeros(stored.size, np.uint8), classes)
    curve_counts = table.curve() + fixed_counts
    means = segmentation.mean_ious(curve_counts)
    best = int(np.nanargmax(means))
    result = _from_counts(job, curve_counts[thresholds.index(fixed)])
    result["fixed_threshold"] = fixed
    if parameters.background_score == OTSU:
        result["fixed_by"] = OTSU
    result["best"] = {
        "threshold": thresholds[best],
        "mean_iou": float(means[best]),
        "chosen_with": "masks",
    }
    result["curve"] = [
        {"threshold": t, "mean_iou": _defined(m), **_activation(c)}
        for t, m, c in zip(thresholds, means, curve_counts, strict=True)
    ]
    return result


def _activation(counts: np.ndarray) -> dict[str, float | None]:
    over, under = segmentation.activation_errors(counts)
    return {"over_activation": _defined(over), "under_activation": _defined(under)}


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _joined(job: Job, counts: np.ndarray) -> tuple[np.ndarray, Sequence[str]]:
    """Counts and foreground classes after `class_map`."""
    classes: Sequence[str] = job.dataset.classes
    joined: Mapping[str, str] = job.parameters.class_map
    return segmentation.collapse(counts, classes, joined) if joined else (counts, classes)


def _from_counts(job: Job, counts: np.ndarray) -> dict[str, Any]:
    parameters: EvaluateParameters = job.parameters
    counts, classes = _joined(job, counts)
    return {
        "scores": segmentation.scores(counts, classes, parameters.neutral),
        "counts": counts.tolist(),
        "classes": ["background", *classes],
    }


BY_FORM: Mapping[str, Callable[[Job, Artifact], dict[str, Any]]] = {
    "vectors": score_classifier,
    "maps": score_cams,
    "label_maps": score_label_maps,
}
"""How artifacts of a form are scored."""

STAGE = Stage(
    name="evaluate",
    version=2,
    summary="Score a node on a split, against true masks or image-level labels.",
    parameters=lambda raw: EvaluateParameters,
    inputs={"target": Input(("vectors", "maps", "label_maps"))},
    resources="counts",
    run=run,
    reads_masks=True,
    writes_file=True,
)
