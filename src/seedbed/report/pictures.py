"""Pictures of a node's images, by the form of its artifact: heat maps of maps, coloured label maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from seedbed.artifacts.label_maps import LabelMaps
from seedbed.artifacts.maps import SALIENCY, MapStore
from seedbed.errors import SeedbedError
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.segmentation import mean_iou
from seedbed.report import overlays
from seedbed.report.blocks import Cell
from seedbed.report.results import Node

if TYPE_CHECKING:
    from seedbed.datasets.index import IndexedDataset

Mask = UInt8[np.ndarray, "H W"]


@runtime_checkable
class Pictures(Protocol):
    """Pictures of the images of one node."""

    def __contains__(self, image_id: str) -> bool: ...

    def strongest(self, image_id: str) -> int | None:
        """Class (from 0) that a line of heat maps should show for an image; None if these pictures do not decide."""

    def cell(
        self, image_id: str, photo: overlays.Picture, class_id: int | None, mask: Mask | None = None
    ) -> Cell:
        """The picture over the photograph, with its caption.

        Args:
            class_id: class that heat maps show first.
            mask: the truth, against which label maps are judged.
        """


class HeatPictures:
    """Scores of one class over the photograph.

    Args:
        store: maps that hold the images.
        classes: names, without background.
    """

    def __init__(self, store: MapStore, classes: Sequence[str]) -> None:
        self._store = store
        self._classes = classes

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._store

    def strongest(self, image_id: str) -> int | None:
        """Class with the highest peaks, summed over the scales; None if the image has no class, and for saliency."""
        stored = self._store[image_id]
        if not stored.class_ids or self._store.is_saliency:
            return None
        peaks = sum(scale.max(axis=(1, 2)) for scale in stored.maps)
        return stored.class_ids[int(np.argmax(peaks))]

    def cell(
        self, image_id: str, photo: overlays.Picture, class_id: int | None, mask: Mask | None = None
    ) -> Cell:
        """Heat map of one class, with those of the image's others, or of saliency; uniformly cold if the image has no
        scores for the class."""
        size = (photo.shape[0], photo.shape[1])
        if self._store.is_saliency:
            shown = overlays.shrink_scores(self._store.scores(image_id)[0], size)
            return Cell(overlays.jpeg(overlays.overlay_heat(photo, shown)), SALIENCY)
        class_ids = self._store[image_id].class_ids
        if class_id is None or class_id not in class_ids:
            return Cell(overlays.jpeg(overlays.overlay_heat(photo, np.zeros(size, np.float32))), "no class")
        cells = {
            found: Cell(
                overlays.jpeg(overlays.overlay_heat(photo, overlays.shrink_scores(score, size))),
                self._classes[found],
                name=self._classes[found],
            )
            for found, score in zip(class_ids, self._store.scores(image_id), strict=True)
        }
        first = cells.pop(class_id)
        return replace(first, others=tuple(cells.values()))


class LabelPictures:
    """Classes in colours over the photograph.

    Args:
        store: label maps of the images.
        classes: names, without background.
    """

    def __init__(self, store: LabelMaps, classes: Sequence[str]) -> None:
        self._store = store
        self._classes = classes

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._store

    def strongest(self, image_id: str) -> None:
        """Label maps show all classes."""

    def cell(
        self, image_id: str, photo: overlays.Picture, class_id: int | None, mask: Mask | None = None
    ) -> Cell:
        """All classes, captioned with their names; with the image's mean IoU if there is a mask.

        Raises:
            SeedbedError: the mask does not fit the label map.
        """
        label_map = self._store[image_id]
        shown = label_cell(label_map, photo, self._classes)
        if mask is None:
            return shown
        try:
            counts = confusion_counts(mask, label_map, len(self._classes) + 1)
        except ValueError as error:
            raise SeedbedError(f"image {image_id!r}: {error}") from None
        score = mean_iou(counts)
        return shown if isnan(score) else replace(shown, mean_iou=score)


DRAWN: Mapping[str, Callable[[Any, Sequence[str]], Pictures]] = {
    "maps": HeatPictures,
    "label_maps": LabelPictures,
}
"""How artifacts of a form are drawn; others are not shown."""


def pictures_of(node: Node, split: str, dataset: IndexedDataset) -> Pictures:
    """Pictures of the first shard of a split.

    Raises:
        SeedbedError: the shard disagrees with its manifest, or its maps with the sizes of the images.
    """
    store: MapStore | LabelMaps = node.artifact.open(shard=f"{split}-0")
    store.check_sizes(dataset.image_ids(split), dataset.size)
    classes = dataset.mask_classes if node.meaning.of_masks else dataset.classes
    return DRAWN[node.meaning.form.name](store, classes)


def label_cell(label_map: UInt8[np.ndarray, "H W"], photo: overlays.Picture, classes: Sequence[str]) -> Cell:
    """A label map over the photograph, captioned with its classes."""
    small = overlays.shrink_labels(label_map, (photo.shape[0], photo.shape[1]))
    return Cell(overlays.jpeg(overlays.overlay_labels(photo, small)), class_names(label_map, classes))


def class_names(label_map: UInt8[np.ndarray, "H W"], classes: Sequence[str]) -> str:
    """Names of the classes in a label map, largest first."""
    values, pixels = np.unique(label_map, return_counts=True)
    found = sorted((-int(n), int(v)) for v, n in zip(values, pixels, strict=True) if 0 < v <= len(classes))
    return ", ".join(classes[value - 1] for _, value in found) or "background only"
