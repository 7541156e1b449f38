"""`saliency_quality`: precision, recall and F of saliency, and label maps from saliency joined with CAMs.

Saliency is cut at `threshold`; the best threshold of a grid is marked as chosen with masks. With CAMs, two label maps
are scored by class: the largest of the CAMs and of background, whose score is 1 - saliency (`inverse`), or which is
wherever saliency is not above the threshold (`cut`). `true_classes` has the true class of each salient pixel (the GT
rows of P-NOC's Table 6): it shows what saliency alone costs, and is no result.

The plan adds this stage for each node of saliency, with the CAMs of the recipe; P-NOC paper, §6.2 and Table 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.saliency import saliency_counts, saliency_scores, with_true_classes
from seedbed.metrics.segmentation import mean_iou
from seedbed.runtime.contract import Input, Job, Parameters, Stage
from seedbed.runtime.judging import judgement_json

GRID = tuple(round(0.05 * k, 2) for k in range(1, 20))


class SaliencyQualityParameters(Parameters):
    """Where saliency is cut."""

    threshold: float = Field(default=0.5, ge=0, lt=1, description="salient where saliency > this")


def run(job: Job) -> bytes:
    """The scores of one split.

    Raises:
        SeedbedError: saliency of another size than an image's mask or CAMs.
    """
    from seedbed.refine.confident_regions import decide_argmax

    fixed: float = job.parameters.threshold
    thresholds = sorted({*GRID, fixed})
    classes = len(job.dataset.mask_classes) + 1
    saliency = job.artifact("target").open(job.split)
    cams = job.artifact("cams").open(job.split) if "cams" in job.inputs else None
    binary = {threshold: np.zeros((2, 3), np.int64) for threshold in thresholds}
    names = ("true_classes", *(("inverse", "cut") if cams is not None else ()))
    joined = {name: np.zeros((classes, classes + 1), np.int64) for name in names}
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "saliency_quality"):
        truth, found = job.true_mask(image_id), saliency.scores(image_id)[0]
        _check_size(job.artifact("target"), image_id, found.shape, truth.shape)
        for threshold, counts in binary.items():
            counts += saliency_counts(truth, found > np.float32(threshold))
        salient = found > np.float32(fixed)
        maps = {"true_classes": with_true_classes(truth, salient)}
        if cams is not None:
            class_ids, scores = cams[image_id].class_ids, cams.scores(image_id)
            _check_size(job.artifact("cams"), image_id, scores.shape[1:], truth.shape)
            # No score reaches 2.
            backgrounds = {"inverse": 1 - found, "cut": np.where(salient, 0, 2).astype(np.float32)}
            for name, background in backgrounds.items():
                maps[name] = job.dataset.in_mask_classes(decide_argmax(scores, class_ids, background))
        for name, label_map in maps.items():
            joined[name] += confusion_counts(truth, label_map, classes)
    scores_of = {threshold: saliency_scores(counts) for threshold, counts in binary.items()}
    best = max(thresholds, key=lambda threshold: (scores_of[threshold]["f1"] or 0.0, -threshold))
    result: dict[str, Any] = {
        "scores": scores_of[fixed],
        "fixed_threshold": fixed,
        "best_f1": {"threshold": best, "f1": scores_of[best]["f1"], "chosen_with": "masks"},
        "mean_iou_joined": {name: _mean(counts) for name, counts in joined.items()},
        "prior": str(job.slice.get("prior", "")),
        "salient_counts": binary[fixed].tolist(),
    }
    return judgement_json(STAGE, job, "saliency", result)


def _mean(counts: np.ndarray) -> float | None:
    found = mean_iou(counts, neutral="missed")
    return None if np.isnan(found) else found


def _check_size(artifact: Artifact, image_id: str, found: tuple[int, ...], size: tuple[int, ...]) -> None:
    if found != size:
        raise SeedbedError(
            f"{artifact.folder}: expected maps of {image_id!r} of its mask's size {size[1]}x{size[0]}, but they are "
            f"{found[1]}x{found[0]}; run its stage again"
        )


STAGE = Stage(
    name="saliency_quality",
    version=1,
    summary="Judge saliency against true masks, alone and joined with CAMs.",
    parameters=lambda raw: SaliencyQualityParameters,
    inputs={"target": Input(("saliency",)), "cams": Input(("cams",), required=False)},
    resources="counts",
    run=run,
    reads_masks=True,
    writes_file=True,
)
