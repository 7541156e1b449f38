"""Groups of classes, PASCAL VOC's by occurrence, size and what they appear with, and what their IoU goes with.

P-NOC, §3.1 and Table 3: means of groups, and correlations of the classes' IoU with their properties.

The properties behind VOC's groups are those of the 1,464 training images. The printed list of singletons lacks cat and
cow, but the printed means of all five methods hold only with them (Puzzle-CAM: 69.36 with, printed 69.3; 65.6 without),
so they are included here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64

from seedbed.errors import unknown_name

FEWEST = 3
"""Classes that a correlation needs."""

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


Groups = Mapping[str, Mapping[str, Sequence[str]]]
"""Kinds of groups, each with its groups and their classes."""


def check_groups(groups: Groups, classes: Sequence[str] | None = None) -> None:
    """Refuse groups that do not divide the classes: each class must be in one group of every kind.

    Args:
        classes: of the masks, without background; what they are is left open if None.

    Raises:
        ValueError: the first fault: a group without classes, a class in two groups of a kind or twice in one, an
            unknown class, a class in no group.
    """
    for kind, of_kind in groups.items():
        found: dict[str, str] = {}
        for group, members in of_kind.items():
            if not members:
                raise ValueError(f"{kind}: group {group!r} has no classes; name some, or remove it")
            for name in members:
                if found.get(name) == group:
                    raise ValueError(f"{kind}: class {name!r} is twice in group {group!r}; name it once")
                if name in found:
                    raise ValueError(
                        f"{kind}: class {name!r} is in two groups, {found[name]!r} and {group!r}; leave it in one, or "
                        "make another kind of groups"
                    )
                if classes is not None and name not in classes:
                    raise ValueError(f"{kind}: group {group!r}: {unknown_name('class', name, classes)}")
                found[name] = group
        if missing := [name for name in classes or () if name not in found]:
            told = ", ".join(map(repr, missing[:5])) + (
                f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            )
            raise ValueError(
                f"{kind}: no group has {told}; add what is missing to a group, such as one named other"
            )


def group_scores(
    class_iou: Float[np.ndarray, "K"], classes: Sequence[str] = VOC_CLASSES, groups: Groups | None = None
) -> dict[str, Any]:
    """Means of groups of classes, overall mean and spread, from the IoU of background and each class.

    Args:
        class_iou: K values, background first; NaN where a class is absent.
        classes: the K - 1 foreground classes in this order; without `groups` a subset of VOC's.
        groups: `VOC_GROUPS` if None; their classes may be absent from `classes`.

    Returns:
        `overall_mean` over all K values, `overall_std` (sample standard deviation, ddof 1) over the
        foreground, and for each kind the mean of each group. Absent classes are left out; None
        if no class remains (for the deviation, fewer than two).

    Raises:
        ValueError: the number of values does not match the classes, or a class is not one of VOC's.
    """
    if len(class_iou) != len(classes) + 1:
        raise ValueError(
            f"expected background and {len(classes)} classes, {len(classes) + 1} values; got {len(class_iou)}"
        )
    for name in classes if groups is None else ():
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
                for group, members in of_kind.items()
            }
            for kind, of_kind in (VOC_GROUPS if groups is None else groups).items()
        },
    }


def class_properties(
    labels: Bool[np.ndarray, "images classes"], pixels: Float[np.ndarray, "classes"] | None = None
) -> dict[str, Float64[np.ndarray, "classes"]]:
    """Properties of classes, as P-NOC's Table 3 has them (O, %C, L and %S); NaN for a class that no image has.

    Args:
        labels: image-level labels.
        pixels: of each class in all masks together, as a share of the pixels of an image of mean size; without them
            there is no `size`.

    Returns:
        `occurrence`: images that have the class; `co_occurrence`: the share of these that have another class, too;
        `cardinality`: their mean number of classes; `size`: the class's share of one of these images.
    """
    images = labels.sum(0).astype(np.float64)
    held = np.where(images > 0, images, np.nan)
    number = labels.sum(1)
    found = {
        "occurrence": images,
        "co_occurrence": (labels & (number > 1)[:, None]).sum(0) / held,
        "cardinality": (labels * number[:, None]).sum(0) / held,
    }
    return found if pixels is None else found | {"size": pixels / held}


def property_correlations(
    class_iou: Float[np.ndarray, "classes"], properties: Mapping[str, Float[np.ndarray, "classes"]]
) -> dict[str, float | None]:
    """Pearson's coefficient of the classes' IoU with each property (P-NOC, Table 3, its last rows).

    Args:
        class_iou: of the foreground classes; NaN where a class is absent, which is then left out.
        properties: values by class, in the same order.

    Returns:
        None where fewer than three classes remain or a column is constant.
    """
    found: dict[str, float | None] = {}
    for name, values in properties.items():
        known = ~(np.isnan(class_iou) | np.isnan(values))
        x, y = class_iou[known], values[known]
        constant = x.size < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0
        found[name] = None if constant else float(np.corrcoef(x, y)[0, 1])
    return found


def _mean(values: Sequence[float]) -> float | None:
    defined = [float(value) for value in values if not np.isnan(value)]
    return sum(defined) / len(defined) if defined else None
