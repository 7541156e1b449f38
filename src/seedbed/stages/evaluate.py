"""`evaluate`: integer counts and scores of one scored node on one split.

All scores are functions of counts. Classifications are scored on image-level labels. Label maps are scored on the true
masks as they are; maps at a fixed threshold, and over a curve of thresholds whose best is marked as chosen with masks.
Pixels whose truth is 255 are left out. Each point of a curve has over- and under-activation, too. The counts of each
image are kept, packed, for intervals of differences (`seedbed compare`).

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
from seedbed.artifacts.maps import SHARES
from seedbed.errors import SeedbedError
from seedbed.metrics import classification, segmentation
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.image_counts import ImageCounts
from seedbed.runtime.background_option import OTSU, BackgroundScore, background_score
from seedbed.runtime.contract import Input, Job, Stage
from seedbed.runtime.crf_options import CrfOptions
from seedbed.runtime.judging import judgement_json


class EvaluateParameters(CrfOptions):
    """How a node is scored."""

    background_score: BackgroundScore = Field(
        default=OTSU,
        description="fixed threshold at which CAMs are scored: background where score <= it; otsu is that of split "
        "train, chosen without masks",
    )
    curve_step: float = Field(
        default=0.01, ge=0.0001, le=0.5, description="step of the threshold curve of CAMs"
    )
    neutral: Literal["dropped", "missed"] = Field(
        default="dropped",
        description="how a neutral prediction counts: not at all, or as a miss of its true class",
    )
    crf_labels: Literal["found", "present"] = Field(
        default="found",
        description="the labels of a CRF on label maps: those that have a pixel, or all that the image-level labels "
        "name, as in the published code",
    )
    class_map: dict[str, str] = Field(
        default_factory=dict,
        description="classes of the masks to collapse for the scores alone: {breed: pet}; `class_map` of the data set "
        "joins them before anything is trained",
    )


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
    classes = len(job.dataset.mask_classes) + 1
    counts, images = np.zeros((classes, classes + 1), np.int64), ImageCounts()
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
            named = job.dataset.mask_class_ids(image_id)
            predicted = sharpen_label_map(
                predicted, refine, named if parameters.crf_labels == "present" else None
            )
        found_counts = confusion_counts(truth, predicted, classes)
        counts += found_counts
        images.add(_collapsed(job, found_counts)[0])
    return _from_counts(job, counts, images)


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
    fixed_counts, images = np.zeros((classes, classes + 1), np.int64), ImageCounts()
    for image_id in job.progress(image_ids, len(image_ids), "evaluate"):
        stored = cams[image_id]
        truth = job.true_mask(image_id)
        if stored.class_ids:
            scores, class_ids = cams.scores(image_id), np.array(stored.class_ids)
            table.add(scores, class_ids, truth)
            at_fixed = ThresholdTable.empty([fixed], classes)
            at_fixed.add(scores, class_ids, truth)
            (image_counts,) = at_fixed.curve()
        else:
            image_counts = confusion_counts(truth, np.zeros(stored.size, np.uint8), classes)
            fixed_counts += image_counts
        joined = segmentation.join_predictions(image_counts, job.dataset.mask_lookup)
        images.add(_collapsed(job, joined)[0])
    curve_counts = segmentation.join_predictions(table.curve() + fixed_counts, job.dataset.mask_lookup)
    means = segmentation.mean_ious(curve_counts)
    best = int(np.nanargmax(means))
    result = _from_counts(job, curve_counts[thresholds.index(fixed)], images)
    result["fixed_threshold"] = fixed
    if parameters.background_score == OTSU and not target.manifest.facts.get(SHARES):
        result["fixed_by"] = OTSU
    result["best"] = {
        "threshold": thresholds[best],
        "mean_iou": float(means[best]),
        "chosen_with": "masks",
    }
    result["curve"] = [
        {"threshold": t, "mean_iou": _defined(m), **_activation(counts)}
        for t, m, counts in zip(thresholds, means, curve_counts, strict=True)
    ]
    return result


def _activation(counts: np.ndarray) -> dict[str, float | None]:
    over, under = segmentation.activation_errors(counts)
    return {"over_activation": _defined(over), "under_activation": _defined(under)}


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _from_counts(job: Job, counts: np.ndarray, images: ImageCounts) -> dict[str, Any]:
    parameters: EvaluateParameters = job.parameters
    counts, classes = _collapsed(job, counts)
    return {
        "scores": segmentation.scores(counts, classes, parameters.neutral),
        "counts": counts.tolist(),
        "image_counts": {"images": len(images), "packed": images.packed()},
        "classes": ["background", *classes],
    }


def _collapsed(job: Job, counts: np.ndarray) -> tuple[np.ndarray, Sequence[str]]:
    """Counts and foreground classes after `class_map`."""
    parameters: EvaluateParameters = job.parameters
    if parameters.class_map:
        return segmentation.collapse(counts, job.dataset.mask_classes, parameters.class_map)
    return counts, job.dataset.mask_classes


BY_FORM: Mapping[str, Callable[[Job, Artifact], dict[str, Any]]] = {
    "vectors": score_classifier,
    "maps": score_cams,
    "label_maps": score_label_maps,
}
"""How artifacts of a form are scored."""

STAGE = Stage(
    name="evaluate",
    version=4,
    summary="Score a node on a split, against true masks or image-level labels.",
    parameters=lambda raw: EvaluateParameters,
    inputs={"target": Input(("vectors", "maps", "label_maps"))},
    resources="counts",
    run=run,
    reads_masks=True,
    writes_file=True,
)
