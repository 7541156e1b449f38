"""A data set whose classes are joined or dropped: `class_map` of its declaration."""

import numpy as np
from jaxtyping import Bool, UInt8

from seedbed.datasets.base import Dataset
from seedbed.datasets.class_map import ClassMap, unchanged, vocabulary
from seedbed.datasets.wrapped import WrappedDataset


class MappedDataset(WrappedDataset):
    """A `Dataset` in front of another one; whatever does not concern classes is that one's.

    Attributes:
        classes: of the image-level labels.
        mask_classes: of the masks.
        mask_lookup: index of a class of the labels → index in the masks.

    Args:
        whole: the data set as it is.
        class_map: what becomes of its classes.

    Raises:
        SeedbedError: the map names an unknown class, or leaves one out.
    """

    def __init__(self, whole: Dataset, class_map: ClassMap) -> None:
        super().__init__(whole)
        where = f"data set {whole.name!r}: class_map"
        labels = vocabulary(whole.classes, class_map.labels, f"{where}.labels")
        masks = vocabulary(labels.classes, class_map.masks, f"{where}.masks")
        self.classes = labels.classes
        self.mask_classes = masks.classes
        self.mask_lookup = masks.lookup
        self._lookup: UInt8[np.ndarray, 256] = masks.lookup[labels.lookup]
        self._joins = np.array(
            [
                [labels.lookup[c + 1] == k + 1 for c in range(len(whole.classes))]
                for k in range(len(self.classes))
            ]
        )

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels: a class is there where one of those that it joins is."""
        joined: Bool[np.ndarray, classes] = (self._joins & self.whole.labels(image_id)).any(1)
        return joined

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth, with the indices of `mask_classes`."""
        mask = self.whole.mask(image_id)
        return None if mask is None else self._lookup[mask]


def mask_classes(dataset: Dataset) -> tuple[str, ...]:
    """Classes of a data set's masks: those of its labels, unless a `class_map` says otherwise."""
    found: tuple[str, ...] = getattr(dataset, "mask_classes", dataset.classes)
    return found


def mask_lookup(dataset: Dataset) -> UInt8[np.ndarray, "256"]:
    """Index of a class of the labels → index in the masks; the same for both without a `class_map`."""
    found: UInt8[np.ndarray, 256] = getattr(dataset, "mask_lookup", unchanged(dataset.classes).lookup)
    return found
