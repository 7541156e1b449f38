"""COCO (Lin et al. 2014): photographs in a folder per split, and one JSON of instances per split.

Image-level labels are the categories of an image's annotations, crowds included. Masks are drawn from polygons and run
lengths where they are read. 2014, 2017 and files of one's own that have the same form.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, UInt8
from pydantic import Field

from seedbed.datasets import declaration
from seedbed.datasets.coco_json import Instances, Photo, read_instances
from seedbed.datasets.coco_masks import Crowd, Overlap, Region, class_mask, degenerate
from seedbed.datasets.declaration import RelativePath, SplitDeclaration
from seedbed.datasets.files import mask_lookup, size_fault
from seedbed.datasets.known_files import Part
from seedbed.datasets.labels import LabelTable
from seedbed.datasets.listed import ListedDataset, SplitList
from seedbed.datasets.mask_checks import MaskChecks
from seedbed.errors import SeedbedError


class CocoOptions(declaration.Options):
    """Options of kind `coco`; paths are relative to the root, and `{list}` is the `list` of a split, or its name."""

    annotations: RelativePath = "annotations/instances_{list}.json"
    """JSON of instances of a split."""
    images: RelativePath = "{list}"
    """Folder of a split's photographs."""
    crowd: Crowd = "class"
    """What the pixels of a crowd are: of its class, without a label (255), or background."""
    overlap: Overlap = Field(default="smaller")
    """Which of several objects of different classes has a pixel: the smaller one, the later one, or none (255)."""


class JsonList(SplitList):
    """The images of a JSON, which has no lines."""

    def at_place(self, place: int) -> str:
        """Where the id of a place in the split stands."""
        return f"{self.path}, image {self.ids[place]!r}"


class CocoDataset(ListedDataset):
    """A folder in COCO's layout."""

    Options: ClassVar = CocoOptions
    needs_root: ClassVar = True

    def __init__(
        self, name: str, root: Path | None, options: CocoOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; the files of annotations are read, since they hold the classes.

        Raises:
            SeedbedError: such a file is missing or not usable, or two of them have different categories.
        """
        assert root is not None
        super().__init__(name, root, splits)
        self.options = options
        self._files = {split: read_instances(self._path(options.annotations, split)) for split in splits}
        first, *others = self._files.values()
        self.classes = first.classes
        for other in others:
            if other.classes != self.classes:
                differ = sorted({*other.classes} ^ {*self.classes}) or ["their order"]
                raise SeedbedError(
                    f"{other.path}: expected the categories of {first.path}, but they differ in "
                    f"{', '.join(differ[:5])}; declare the files as two data sets, or correct one"
                )
        self._lookup = mask_lookup(list(range(1, len(self.classes) + 1)))

    def _path(self, pattern: str, split: str) -> Path:
        return self.root / pattern.replace("{list}", self.splits[split].list or split)

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels: the categories of its annotations.

        Raises:
            SeedbedError: no file lists the image.
        """
        return self._table.labels(image_id, self._files[next(iter(self.splits))].path)

    def source(self, image_id: str) -> Path:
        """The image's file."""
        split, photo = self._photo(image_id)
        return self._path(self.options.images, split) / photo.file_name

    def places(self) -> list[Path]:
        """Annotations and folders of photographs."""
        found = [self._files[split].path for split in self.splits]
        return list(dict.fromkeys([*found, *(self._path(self.options.images, s) for s in self.splits)]))

    def mask_source(self, image_id: str) -> Part | None:
        """A part of the JSON; None without a mask, or where the JSON does not tell the image's size."""
        if image_id not in self._masked:
            return None
        split, photo = self._photo(image_id)
        return Part(self._files[split].path, image_id) if photo.size else None

    def notes(self) -> list[str]:
        """Those of all data sets, and how many objects enclose nothing."""
        return super().notes() + [note for file in self._files.values() for note in _degenerate(file)]

    def _photo(self, image_id: str) -> tuple[str, Photo]:
        for split, file in self._files.items():
            if image_id in file.photos:
                return split, file.photos[image_id]
        raise SeedbedError(f"data set {self.name!r}: no file of annotations has an image {image_id!r}")

    @cached_property
    def _table(self) -> LabelTable:
        table = LabelTable(self.classes)
        for file in self._files.values():
            table.faults += file.faults
            for image_id, photo in file.photos.items():
                found = {one.class_id for one in photo.objects}
                table.rows.setdefault(image_id, np.isin(np.arange(len(self.classes)), list(found)))
        return table

    def _tables(self) -> Sequence[LabelTable]:
        return [self._table]

    def _read_split(self, split: str) -> SplitList:
        ids = list(self._files[split].photos)
        if not ids and self._files[split].faults:
            raise SeedbedError(self._files[split].faults[0])
        return JsonList(self._files[split].path, ids, [0] * len(ids))

    def _mask_path(self, image_id: str) -> Path:
        return self._files[self._photo(image_id)[0]].path

    def _read_mask(
        self, image_id: str, path: Path, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "height width"]:
        _, photo = self._photo(image_id)
        width, height = photo.size or size or self.image(image_id).size
        if size is not None and (width, height) != size:
            told = size_fault(size, (width, height), "says", self.source(image_id))
            raise SeedbedError(f"{path}: expected image {image_id!r} {told}; replace one of them")
        for one in photo.objects:
            if one.segmentation is None:
                raise SeedbedError(
                    f"{path}: annotation {one.number} of image {image_id!r} has no segmentation; add it, or declare "
                    "`masks: false`"
                )
        regions = [Region(one.class_id + 1, one.segmentation, one.crowd) for one in photo.objects]
        try:
            return class_mask(regions, height, width, self.options.crowd, self.options.overlap)
        except ValueError as error:
            raise SeedbedError(f"{path}: image {image_id!r}: {error}; correct its annotations") from None

    def _mask_faults(
        self, image_id: str, size: tuple[int, int] | None, masks: dict[Path, str], without: list[str]
    ) -> list[str]:
        """Whether the mask can be drawn; labels are those of the same annotations, so there is nothing to compare."""
        assert self._checks is not None
        try:
            self._checks.show(self._read_mask(image_id, self._mask_path(image_id), size))
        except SeedbedError as error:
            return [str(error)]
        return []

    def _no_mask(self, image_id: str) -> str:
        return f"{self._mask_path(image_id)}: expected annotations of image {image_id!r}, but there are none"

    def _new_checks(self) -> MaskChecks:
        return MaskChecks(self.classes, range(1, len(self.classes) + 1))

    def _unlisted(self) -> Sequence[str]:
        return []


def _degenerate(file: Instances) -> list[str]:
    count = degenerate([one.segmentation for photo in file.photos.values() for one in photo.objects])
    told = f"{file.path}: {count} objects have polygons of fewer than three points; they are labels without pixels"
    return [told] if count else []
