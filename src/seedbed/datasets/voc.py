"""PASCAL VOC's layout (Everingham et al. 2010): JPEGImages, SegmentationClass, ImageSets/Segmentation.

Masks are palette PNGs whose indices are lines of `class_names.txt` (from 0; without that file, VOC's own 21 names),
and 255 where a pixel has no label. A data set may use only some of the classes: its masks are renumbered to 0 … C,
and an index of any other class is a fault.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import AfterValidator, Field

from seedbed.datasets import declaration
from seedbed.datasets.class_names import BACKGROUND, refuse_classes
from seedbed.datasets.declaration import RelativePath, SplitDeclaration
from seedbed.datasets.files import PNGS, mask_lookup, named_otherwise, with_any_ending
from seedbed.datasets.known_files import Remember, read_anew
from seedbed.datasets.label_csv import read_label_csv
from seedbed.datasets.labels import LabelTable, read_annotations, read_cls_labels
from seedbed.datasets.listed import ListedDataset, SplitList
from seedbed.datasets.mask_checks import MaskChecks
from seedbed.errors import SeedbedError, unknown_name
from seedbed.regular_files import NotTextError, read_text, system_reason

# fmt: off
VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
)
# fmt: on


LABELS = r"^(annotations|csv)$|\.npy$|\.csv$"
"""What `labels` may be, as a regular expression."""


def _labels(value: str) -> str:
    if not re.search(LABELS, value):
        raise ValueError(f"expected annotations, csv, or a path that ends in .npy or .csv, got {value!r}")
    return value


class VocOptions(declaration.Options):
    """Options of kind `voc`; paths are relative to the root."""

    labels: Annotated[RelativePath, AfterValidator(_labels)] = Field(
        default="annotations", json_schema_extra={"pattern": LABELS}
    )
    """`annotations` (XML below `Annotations`), `csv` (the file `image_labels.csv`), or the path of a
    `cls_labels.npy` or of a CSV: a column `image_id` and one 0/1 column per class."""
    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Without background. By default the class columns of the CSV, or without one all of `class_names.txt`."""
    images: RelativePath = "JPEGImages"
    """Folder of photographs: `<id>.jpg`, or where there is none, another ending (`.JPG`, `.png`, …)."""
    masks: RelativePath = "SegmentationClass"
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
        self._remember: Remember = read_anew
        self._listings: dict[tuple[str, str], tuple[Path, set[str]]] = {}
        names = root / "class_names.txt"
        self.names = _class_names(names) if os.path.lexists(names) else list(VOC_NAMES)
        self.classes = self._csv.classes if self._csv is not None else self._given_classes()
        for c in self.classes:
            if c not in self.names[1:]:
                raise SeedbedError(f"data set {name!r}: {unknown_name('class', c, self.names[1:])}")
        self.class_indices = [self.names.index(c) for c in self.classes]
        self._lookup = mask_lookup(self.class_indices)
        refuse_classes(self.classes, f"data set {name!r}")

    def remember_annotations(self, remember: Remember) -> None:
        """Read files of annotations only where `remember` does not know what they hold."""
        self._remember = remember

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels.

        Raises:
            SeedbedError: the file of labels does not contain the image, or its labels are not understood.
        """
        return self._labels.labels(image_id, self._label_path)

    def source(self, image_id: str) -> Path:
        """The image's file: `<id>.jpg`, or where there is none, with another ending of a photograph."""
        if found := self._in_listing(self.options.images, f"{image_id}.jpg"):
            return found
        return with_any_ending(self.root / self.options.images / f"{image_id}.jpg")

    def places(self) -> list[Path]:
        """Class names, labels, lists, photographs and masks."""
        named = [self.root / "class_names.txt", self._label_path, *map(self._list_path, self.splits)]
        folders = [self.root / self.options.images, self.root / self.options.masks]
        return [*dict.fromkeys([*named, self.root / "ImageSets", *folders])]

    def _tables(self) -> Sequence[LabelTable]:
        return [self._labels]

    def _unlisted(self) -> list[str]:
        """Not for a published file, which labels all of VOC, whatever part of it is here."""
        if self.options.labels.endswith(".npy"):
            return []
        return [i for i in self._labelled() if i not in self._listed]

    def _given_classes(self) -> tuple[str, ...]:
        return self.options.classes or tuple(self.names[1:])

    def _labelled(self) -> list[str]:
        if self.options.labels == "annotations":
            return sorted(p.stem for p in self._label_path.glob("*.xml"))
        return list(self._labels.lines)

    @cached_property
    def _label_path(self) -> Path:
        labels = self.options.labels
        return self.root / {"annotations": "Annotations", "csv": "image_labels.csv"}.get(labels, labels)

    @cached_property
    def _csv(self) -> LabelTable | None:
        if self._label_path.suffix != ".csv":
            return None
        table = read_label_csv(self._label_path, self.options.classes)
        if table.classes:
            return table
        none = [f"{self._label_path}: expected classes, got none; add one 0/1 column per class"]
        return LabelTable(tuple(self.names[1:]), faults=table.faults or none, readable=False)

    @cached_property
    def _labels(self) -> LabelTable:
        if self._csv is not None:
            return self._csv
        if self.options.labels == "annotations":
            ids = list(self._listed)
            return read_annotations(self._label_path, self.classes, self.names[1:], ids, self._remember)
        columns = self.names[1:]
        return read_cls_labels(self._label_path, self.classes, columns)

    def _mask_path(self, image_id: str) -> Path | None:
        """`<id>.png`, or `<id>.jpg.png` as `seedbed export` may call it."""
        if found := self._in_listing(self.options.masks, f"{image_id}.png"):
            return found
        folder = self.root / self.options.masks
        source = self.source(image_id)
        stem = folder / image_id
        names = [stem.name, source.name, source.stem]
        paths = (stem.with_name(f"{n}{suffix}") for n in dict.fromkeys(names) for suffix in (".png", ".PNG"))
        return next((p for p in paths if p.is_file()), None)

    def _in_listing(self, folder: str, path: str) -> Path | None:
        """A file at a path below a folder, which is listed once; None if it was not there then."""
        above, _, name = path.rpartition("/")
        if (folder, above) not in self._listings:
            place = self.root / folder / above
            self._listings[folder, above] = place, set(_files_of(place))
        place, names = self._listings[folder, above]
        return place / name if name in names else None

    def _no_mask(self, image_id: str) -> str:
        path = self.root / self.options.masks / f"{image_id}.png"
        return f"{path}: expected a mask, but there is no such file{named_otherwise(path, PNGS)}"

    def _new_checks(self) -> MaskChecks:
        return MaskChecks(self.classes, self.class_indices)

    def _where(self, image_id: str) -> str:
        if self.options.labels == "annotations":
            return str(self._label_path / f"{image_id}.xml")
        return super()._where(image_id)

    def _read_split(self, split: str) -> SplitList:
        return _read_list(self._list_path(split), self.options.images)

    def _list_path(self, split: str) -> Path:
        name = self.splits[split].list or split
        if name.endswith(".txt"):
            return self.root / name
        folders = [self.root / "ImageSets" / f for f in ("Segmentation", "Main")]
        found = [f / f"{name}.txt" for f in folders if (f / f"{name}.txt").is_file()]
        return found[0] if found else folders[0] / f"{name}.txt"


def _class_names(path: Path) -> list[str]:
    """Names by index, from background on.

    Raises:
        SeedbedError: not a text, a name twice, no background in the first line, or an empty line between names.
    """
    try:
        names = read_text(path).splitlines()
    except NotTextError as error:
        raise SeedbedError(f"{path}: not readable names of classes ({error}); save it as UTF-8") from None
    except OSError as error:
        raise SeedbedError(
            f"{path}: not readable names of classes ({system_reason(error)}); replace it"
        ) from None
    while names and not names[-1].strip():
        names.pop()
    named = [n.strip() for n in names]
    if not named or named[0].lower() not in BACKGROUND:
        raise SeedbedError(
            f"{path}, line 1: expected 'background', which has index 0 in the masks, got {''.join(named[:1])!r}; write "
            "it before the classes"
        )
    if "" in named:
        raise SeedbedError(
            f"{path}, line {named.index('') + 1}: expected the name of a class, got an empty line, and the line tells "
            "the index of a class; remove it, or name the class"
        )
    for name in named:
        if named.count(name) > 1:
            raise SeedbedError(f"{path}: {name!r} is listed {named.count(name)} times; keep one")
    return named


_PRESENT = re.compile(r"(\S.*?)( +)(-1|0|1)")
"""`id ±1`, as in the lists of a class in ImageSets/Main; a space is doubled where there is no minus."""


def _read_list(path: Path, images: str) -> SplitList:
    """Ids of a list. A line is an id, or an id and ±1, or, as PSA publishes them, the paths of image and mask.

    Args:
        path: the list.
        images: folder of the photographs; paths of images lie below it.
    """
    if not path.is_file():
        there = ", ".join(sorted(p.name for p in path.parent.glob("*.txt"))) or "none"
        raise SeedbedError(
            f"{path}: expected a list of ids, but there is no such file; lists in this folder: {there}"
        )
    listed = SplitList.of_lines(path)
    found = [_PRESENT.fullmatch(line) for line in listed.ids]
    if all(found) and any(m and (m[3] == "-1" or len(m[2]) > 1) for m in found):
        return listed._replace(ids=[m[1] for m in found if m])
    paths = re.compile(rf"/?{re.escape(images)}/(.+?)\.(jpe?g|png)(\s+\S+\.png)?", re.IGNORECASE)
    matches = [paths.fullmatch(line) for line in listed.ids]
    return listed._replace(ids=[m[1] if m else i for m, i in zip(matches, listed.ids, strict=True)])


def _files_of(folder: Path) -> Iterator[str]:
    """Names of the files in a folder, without those that cannot be told to be files, such as link loops."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                if entry.is_file():
                    yield entry.name
