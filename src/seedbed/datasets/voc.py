"""PASCAL VOC's layout (Everingham et al. 2010): JPEGImages, SegmentationClass, ImageSets/Segmentation.

Masks are palette PNGs whose indices are lines of `class_names.txt` (from 0; without that file, VOC's own 21 names),
and 255 where a pixel has no label. A data set may use only some of the classes: its masks are renumbered to 0 … C,
and an index of any other class is a fault.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from seedbed.datasets import declaration
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import mask_lookup, pair_faults
from seedbed.datasets.labels import LabelTable, read_annotations, read_cls_labels, read_label_csv
from seedbed.datasets.listed import ListedDataset
from seedbed.errors import SeedbedError, unknown_name

# fmt: off
VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)
# fmt: on


class VocOptions(declaration.Options):
    """Options of kind `voc`; paths are relative to the root."""

    labels: str = Field(default="annotations", pattern=r"^(annotations|csv)$|\.npy$|\.csv$")
    """`annotations` (XML below `Annotations`), `csv` (the file `image_labels.csv`), or the path of a
    `cls_labels.npy` or of a CSV: a column `image_id` and one 0/1 column per class."""
    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Without background. By default the class columns of the CSV, or without one all of `class_names.txt`."""
    images: str = "JPEGImages"
    masks: str = "SegmentationClass"
    """Folder of masks (SBD's are published as `SegmentationClassAug`)."""


class VocDataset(ListedDataset):
    """A folder in VOC's layout."""

    Options: ClassVar = VocOptions
    needs_root: ClassVar = True

    def __init__(
        self, name: str, root: Path | None, options: VocOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; only the list of class names is read.

        Raises:
            SeedbedError: a class without an index.
        """
        assert root is not None
        super().__init__(name, root, splits)
        self.options = options
        names = root / "class_names.txt"
        self.names = names.read_text(encoding="utf-8").split("\n") if names.is_file() else list(VOC_NAMES)
        self.names = [n.strip() for n in self.names if n.strip()]
        self.classes = self._csv.classes if self._csv is not None else self._given_classes()
        for c in self.classes:
            if c not in self.names[1:]:
                raise SeedbedError(f"data set {name!r}: {unknown_name('class', c, self.names[1:])}")
        self._lookup = mask_lookup([self.names.index(c) for c in self.classes])

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels.

        Raises:
            SeedbedError: the file of labels does not contain the image.
        """
        row = self._labels.rows.get(image_id)
        if row is None:
            raise SeedbedError(
                f"{self._label_path}: no labels for image {image_id!r}; add them, or take it off the list"
            )
        return row

    def source(self, image_id: str) -> Path:
        """The image's file."""
        return self.root / self.options.images / f"{image_id}.jpg"

    def faults(self) -> list[str]:
        """Every fault, one line each: lists, labels, photographs, masks."""
        faults = self._split_faults()
        faults += self._labels.faults
        for image_id in self._listed:
            masks = self._mask_path(image_id) if image_id in self._masked else None
            faults += pair_faults(self.source(image_id), masks, self._lookup)
            if image_id not in self._labels.rows and not any(
                repr(image_id) in f for f in self._labels.faults
            ):
                faults.append(
                    f"{self._label_path}: no labels for image {image_id!r}; add them, or take it off the list"
                )
        if self.options.labels.endswith(".npy"):
            return faults  # the published file labels all of VOC, whatever part of it is here
        return faults + [
            f"{self._label_path}: labels {image_id!r}, but there is no photograph {self.source(image_id)}"
            for image_id in self._labelled()
            if image_id not in self._listed and not self.source(image_id).is_file()
        ]

    def _given_classes(self) -> tuple[str, ...]:
        return self.options.classes or tuple(self.names[1:])

    def _labelled(self) -> list[str]:
        if self.options.labels == "annotations":
            return sorted(p.stem for p in self._label_path.glob("*.xml"))
        return list(self._labels.rows)

    @property
    def _label_path(self) -> Path:
        labels = self.options.labels
        return self.root / {"annotations": "Annotations", "csv": "image_labels.csv"}.get(labels, labels)

    @cached_property
    def _csv(self) -> LabelTable | None:
        if self._label_path.suffix != ".csv":
            return None
        table = read_label_csv(self._label_path, self.options.classes)
        return table if table.classes else LabelTable(tuple(self.names[1:]), faults=table.faults)

    @cached_property
    def _labels(self) -> LabelTable:
        if self._csv is not None:
            return self._csv
        if self.options.labels == "annotations":
            return read_annotations(self._label_path, self.classes, self.names[1:], list(self._listed))
        columns = self.names[1:]
        return read_cls_labels(self._label_path, self.classes, columns)

    def _mask_path(self, image_id: str) -> Path:
        return self.root / self.options.masks / f"{image_id}.png"

    def _read_split(self, split: str) -> tuple[list[str], Path]:
        path = self._list_path(split)
        return _read_list(path), path

    def _list_path(self, split: str) -> Path:
        name = self.splits[split].list or split
        if name.endswith(".txt"):
            return self.root / name
        folders = [self.root / "ImageSets" / f for f in ("Segmentation", "Main")]
        found = [f / f"{name}.txt" for f in folders if (f / f"{name}.txt").is_file()]
        return found[0] if found else folders[0] / f"{name}.txt"


def _read_list(path: Path) -> list[str]:
    """Ids of a list: the first word of each line, an id or, as PSA publishes them, the image's path."""
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in path.parent.glob("*.txt"))) or "none"
        raise SeedbedError(
            f"{path}: expected a list of ids, but there is no such file; lists in this folder: {there}"
        )
    words = [line.split()[0] for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    return [w.rsplit("/", 1)[-1].removesuffix(".jpg") if w.startswith("/") else w for w in words]
