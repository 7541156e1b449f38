"""`evaluate`: integer counts and scores of one scored node on one split.

All scores are functions of counts; masks are read here, and the thresholds found with them are marked as such.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import to_json
from seedbed.errors import SeedbedError
from seedbed.metrics import classification, segmentation
from seedbed.metrics.confusion import confusion_counts
from seedbed.runtime.contract import Input, Job, Stage
from seedbed.runtime.crf_options import NO_CRF, CrfOptions, sharpen_label_map
from seedbed.runtime.scores import full_size_scores, true_mask


class EvaluateParameters(CrfOptions):
    """What is scored, and how."""

    background_score: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="fixed threshold at which CAMs are scored: background where score <= it",
    )
    curve_step: float = Field(default=0.01, gt=0, le=0.5, description="step of the threshold curve of CAMs")
    neutral: Literal["dropped", "missed"] = Field(
        default="dropped", description="what a neutral prediction is: removed, or a miss of its true class"
    )
    class_map: dict[str, str] = Field(default_factory=dict, description="classes to collapse: {breed: pet}")


STAGE = Stage(
    name="evaluate",
    version=1,
    summary="Score a node on a split, against true masks or image-level labels.",
    kind="label_maps",
    parameters=lambda raw: EvaluateParameters,
    inputs={"target": Input(("classifier", "cams", "label_maps"))},
    function="seedbed.stages.evaluate:run",
    node=False,
    reads_masks=True,
    writes_file=True,
)


def run(job: Job) -> bytes:
    """The scores file: everything that it says of itself, the ledger, the scores and the counts they come from."""
    target = job.inputs["target"]
    assert target is not None
    kind = str(job.slice["score"])
    if kind == "classification":
        result = score_classifier(job, target)
    elif kind in ("cam", "refined_cam"):
        result = score_cams(job, target)
    else:
        result = score_label_maps(job, target)
    head = {
        "stage": STAGE.name,
        "stage_version": STAGE.version,
        "dataset": job.slice["dataset"],
        "node": job.slice["node"],
        "split": job.split,
        "kind": kind,
        "parameters": dict(job.slice),
        "inputs": dict(job.contents),
        "ledger": [entry.model_dump() for entry in job.ledger],
    }
    return to_json(head | result)


def score_classifier(job: Job, target: Artifact) -> dict[str, Any]:
    """mAP, per-image AP and F1 from the probabilities that the classifier stored for the split."""
    from safetensors.numpy import load_file

    probabilities = load_file(target.file("probabilities.safetensors"))
    image_ids = list(job.dataset.image_ids(job.split))
    if job.split not in probabilities:
        raise SeedbedError(
            f"{target.folder} holds no probabilities of split {job.split}; add it to its `score_splits`"
        )
    labels = np.stack([job.dataset.labels(i) for i in image_ids])
    return {"scores": classification.scores(labels, probabilities[job.split], tuple(job.dataset.classes))}


def score_label_maps(job: Job, target: Artifact) -> dict[str, Any]:
    """Counts and scores of label maps."""
    parameters: EvaluateParameters = job.parameters
    maps = target.label_maps(job.split)
    classes = len(job.dataset.classes) + 1
    counts = np.zeros((classes, classes + 1), np.int64)
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "evaluate"):
        predicted = maps[image_id]
        if parameters.crf != NO_CRF:
            image = np.array(job.dataset.image(image_id))
            predicted = sharpen_label_map(image, predicted, parameters.crf, parameters.crf_engine)
        counts += confusion_counts(true_mask(job, image_id), predicted, classes)
    return _from_counts(job, counts)


def score_cams(job: Job, target: Artifact) -> dict[str, Any]:
    """Scores of CAMs at the fixed threshold, and the curve over all thresholds; its best is chosen with masks."""
    from seedbed.metrics.threshold_tables import ThresholdTable

    parameters: EvaluateParameters = job.parameters
    grid = np.round(np.arange(0, 1, parameters.curve_step), 4).tolist()
    thresholds = sorted({*grid, parameters.background_score})
    classes = len(job.dataset.classes) + 1
    table = ThresholdTable.empty(thresholds, classes)
    cams = target.cams(job.split)
    image_ids = job.dataset.image_ids(job.split)
    fixed_counts = np.zeros((classes, classes + 1), np.int64)
    for image_id in job.progress(image_ids, len(image_ids), "evaluate"):
        stored = cams[image_id]
        truth = true_mask(job, image_id)
        if stored.class_ids:
            scores = full_size_scores(stored, target.manifest.stage)
            table.add(scores, np.array(stored.class_ids), truth)
        else:
            fixed_counts += confusion_counts(truth, np.zeros(stored.size, np.uint8), classes)
    curve_counts = table.curve() + fixed_counts
    means = segmentation.mean_ious(curve_counts)
    best = int(np.nanargmax(means))
    result = _from_counts(job, curve_counts[thresholds.index(parameters.background_score)])
    result["fixed_threshold"] = parameters.background_score
    result["best"] = {
        "threshold": thresholds[best],
        "mean_iou": float(means[best]),
        "chosen_with": "masks",
    }
    result["curve"] = [
        {"threshold": t, "mean_iou": None if np.isnan(m) else float(m)}
        for t, m in zip(thresholds, means, strict=True)
    ]
    return result


def _from_counts(job: Job, counts: np.ndarray) -> dict[str, Any]:
    parameters: EvaluateParameters = job.parameters
    classes: Sequence[str] = job.dataset.classes
    if parameters.class_map:
        counts, classes = segmentation.collapse(counts, classes, parameters.class_map)
    return {
        "scores": segmentation.scores(counts, classes, parameters.neutral),
        "counts": counts.tolist(),
        "classes": ["background", *classes],
    }
