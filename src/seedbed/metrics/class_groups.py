"""Groups of PASCAL VOC's classes by occurrence, size and what they appear with (P-NOC, §3.1 and Table 3).

The properties are those of the 1,464 training images. The printed list of singletons lacks cat and cow, but the
printed means of all five methods hold only with them (Puzzle-CAM: 69.4 with, 65.6 without), so they are
included here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from seedbed.errors import unknown_name

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

VOC_GROUPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "occurrence": {
        "low": ("bicycle", "boat", "bus", "cow", "horse", "sheep"),
        "mid": (
            "aeroplane",
            "bottle",
            "diningtable",
            "motorbike",
            "pottedplant",
            "sofa",
            "train",
            "tvmonitor",
        ),
        "high": ("bird", "car", "cat", "chair", "dog", "person"),
    },
    "size": {
        "small": ("aeroplane", "bicycle", "bird", "boat", "bottle", "chair", "pottedplant"),
        "mid": ("car", "cow", "person", "tvmonitor"),
        "large": ("bus", "cat", "diningtable", "dog", "horse", "motorbike", "sheep", "sofa", "train"),
    },
    "group": {
        "singleton": ("aeroplane", "bird", "boat", "cat", "cow", "sheep", "train"),
        "person": ("person",),
        "animal": ("dog", "horse"),
        "room": ("bottle", "chair", "diningtable", "pottedplant", "sofa", "tvmonitor"),
        "traffic": ("bicycle", "bus", "car", "motorbike"),
    },
}
"""Images per class: low at most 78, mid 81 to 93, high at least 105. Mean share of the image's area: small at
most 11.8 %, mid 15.2 to 18.0 %, large at least 19.1 %. Each of the three is a partition of the 20 classes."""


def group_scores(class_iou: Float[np.ndarray, "K"], classes: Sequence[str] = VOC_CLASSES) -> dict[str, Any]:
    """Means of VOC's class groups, overall mean and spread, from the IoU of background and each class.

    Args:
        class_iou: K values, background first; NaN where a class is absent.
        classes: the K - 1 foreground classes in this order; a subset of VOC's.

    Returns:
        `overall_mean` over all K values, `overall_std` (sample standard deviation, ddof 1) over the
        foreground, and for each of `VOC_GROUPS` the mean of each group. Absent classes are left out; None
        if no class remains (for the deviation, fewer than two).

    Raises:
        ValueError: the number of values does not match the classes, or a class is not one of VOC's.
    """
    if len(class_iou) != len(classes) + 1:
        raise ValueError(
            f"expected background and {len(classes)} classes, {len(classes) + 1} values; got {len(class_iou)}"
        )
    for name in classes:
        if name not in VOC_CLASSES:
            raise ValueError(unknown_name("class of PASCAL VOC", name, VOC_CLASSES))
    value = dict(zip(classes, class_iou[1:], strict=True))
    foreground = class_iou[1:][~np.isnan(class_iou[1:])]
    return {
        "overall_mean": _mean(list(class_iou)),
        "overall_std": float(np.std(foreground, ddof=1)) if foreground.size > 1 else None,
        **{
            kind: {
                group: _mean([value[name] for name in members if name in value])
                for group, members in groups.items()
            }
            for kind, groups in VOC_GROUPS.items()
        },
    }


def _mean(values: Sequence[float]) -> float | None:
    defined = [float(value) for value in values if not np.isnan(value)]
    return sum(defined) / len(defined) if defined else None
