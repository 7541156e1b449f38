"""`label_areas`: what label maps show, where there are no masks to score them with.

The neutral pixel ratio; the share of the area that each class has; and of the images in which the image-level labels
name a class, the share in which that class has no pixel. None of these says where a class should be, so none replaces a
score; a label map that fails them is of no use.

The plan adds this stage for each node of label maps in a recipe's `scores`, on its splits without masks.
"""

from __future__ import annotations

from typing import Any, SupportsInt

import numpy as np

from seedbed.labels import IGNORE
from seedbed.runtime.contract import Input, Job, Parameters, Stage
from seedbed.runtime.judging import judgement_json


def run(job: Job) -> bytes:
    """The areas of one split. All are fractions; what nothing defines is null."""
    target = job.artifact("target")
    maps = target.open(job.split)
    image_ids = job.dataset.image_ids(job.split)
    shown = np.zeros((len(image_ids), 256), np.int64)
    labels = np.zeros((len(image_ids), len(job.dataset.mask_classes)), bool)
    for place, image_id in enumerate(job.progress(image_ids, len(image_ids), "label_areas")):
        shown[place] = np.bincount(maps[image_id].ravel(), minlength=256)
        labels[place, job.dataset.mask_class_ids(image_id)] = True
    pixels = shown.sum(axis=0)
    lacks = labels & (shown[:, 1 : 1 + labels.shape[1]] == 0)
    empty = shown[:, 1:IGNORE].sum(axis=1) == 0
    per_class = {
        name: {
            "area": _share(pixels[1 + c], pixels.sum()),
            "images": int(labels[:, c].sum()),
            "without_pixel": _share(lacks[:, c].sum(), labels[:, c].sum()),
        }
        for c, name in enumerate(job.dataset.mask_classes)
    }
    scores: dict[str, Any] = {
        "images": len(image_ids),
        "neutral_ratio": _share(pixels[IGNORE], pixels.sum()),
        "foreground_area": _share(pixels[1:IGNORE].sum(), pixels.sum()),
        "labelled_without_pixel": _share(lacks.any(axis=1).sum(), labels.any(axis=1).sum()),
        "images_without_foreground": _share(empty.sum(), len(image_ids)),
        "per_class": {"background": {"area": _share(pixels[0], pixels.sum())}, **per_class},
    }
    return judgement_json(STAGE, job, target.meaning.score, {"scores": scores})


def _share(part: SupportsInt, whole: SupportsInt) -> float | None:
    return int(part) / int(whole) if int(whole) else None


STAGE = Stage(
    name="label_areas",
    version=1,
    summary="Judge label maps without masks: neutral ratio, area of each class, labelled classes without a pixel.",
    parameters=lambda raw: Parameters,
    inputs={"target": Input(("label_maps",))},
    resources="counts",
    run=run,
    writes_file=True,
)
