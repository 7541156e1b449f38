"""`round_agreement`: how far the label maps of a round of training agree with those of the round before.

`agreement` is the share of the pixels labelled in both whose label is the same; `class_agreement` is the mean over
classes, background included, of intersection over union of the two. No mask is read, so it can tell when
self-training should stop: at the first round that changes few labels, `agreement` >= `enough`.

The plan adds this stage for label maps that were made, through a training, from label maps of another node with the
same name: predictions of a round from those of the round before. The default of `enough` was chosen, not measured.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from seedbed.errors import SeedbedError
from seedbed.metrics import segmentation
from seedbed.metrics.confusion import confusion_counts
from seedbed.runtime.contract import Input, Job, Parameters, Stage
from seedbed.runtime.judging import judgement_json


class RoundAgreementParameters(Parameters):
    """When rounds agree enough."""

    enough: float = Field(
        default=0.98,
        ge=0,
        le=1,
        description="agreement with the round before at which another changes little",
    )


def run(job: Job) -> bytes:
    """The agreement on one split.

    Raises:
        SeedbedError: two label maps of an image have different sizes.
    """
    after, before = job.artifact("target"), job.artifact("before")
    new, old = after.open(job.split), before.open(job.split)
    names: list[str] = after.manifest.facts["classes"]
    counts = np.zeros((len(names) + 1, len(names) + 2), np.int64)
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "round_agreement"):
        if new[image_id].shape != old[image_id].shape:
            raise SeedbedError(
                f"{after.folder}: the label map of {image_id!r} does not have the size of that in {before.folder}; run "
                "the stages that made them again"
            )
        counts += confusion_counts(old[image_id], new[image_id], len(names) + 1)
    compared = int(counts[:, :-1].sum())
    agreement = float(np.trace(counts[:, :-1])) / compared if compared else None
    by_class = segmentation.class_iou(counts)
    mean = segmentation.mean_iou(counts)
    result = {
        "scores": {
            "agreement": agreement,
            "class_agreement": None if np.isnan(mean) else mean,
            "compared_pixels": compared,
            "per_class": {
                name: {"iou": None if np.isnan(value) else float(value)}
                for name, value in zip(("background", *names), by_class, strict=True)
            },
        },
        "before": str(job.slice.get("before", "")),
        "enough": job.parameters.enough,
        "stop": agreement is not None and agreement >= job.parameters.enough,
        "counts": counts.tolist(),
        "classes": ["background", *names],
    }
    return judgement_json(STAGE, job, "round_agreement", result)


STAGE = Stage(
    name="round_agreement",
    version=1,
    summary="Compare label maps with those of the round before, without masks.",
    parameters=lambda raw: RoundAgreementParameters,
    inputs={"target": Input(("label_maps",)), "before": Input(("label_maps",))},
    resources="counts",
    run=run,
    writes_file=True,
)
