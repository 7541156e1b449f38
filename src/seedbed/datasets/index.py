"""The index of a data set: ids, splits, sizes, checksums and labels, as CSV text.

Stages read the index for ids and labels and the data set for pixels. A photograph that has changed since it was
indexed is refused when it is first read.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from seedbed.datasets.base import Dataset
from seedbed.datasets.class_names import refuse_classes
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import id_fault, memory_for, size_fault
from seedbed.datasets.known_files import Part, Remember, read_anew
from seedbed.datasets.mapped import mask_classes, mask_lookup
from seedbed.datasets.mask_sums import csv_text, mask_digest
from seedbed.datasets.shrunk import ShrunkDataset, shrunk_size
from seedbed.errors import SeedbedError, unknown_name
from seedbed.labels import MOST_PIXELS
from seedbed.regular_files import read_regular, system_reason

COLUMNS = ("image_id", "split", "width", "height", "sha256")
ORIGINAL = ("original_width", "original_height")
"""Columns after these, where the data set's photographs are shrunk."""
AGAIN = "start the run again, which indexes what has changed"


@dataclass(frozen=True)
class IndexRow:
    """One image of one split; an image in two splits has two rows."""

    image_id: str
    split: str
    width: int
    height: int
    sha256: str
    """Of the file's bytes; of size and RGB pixels if the image is generated."""
    labels: tuple[bool, ...]
    original: tuple[int, int] | None = None
    """Width and height of the photograph itself, where `longest` is declared; width and height are those it is
    shrunk to."""


@dataclass(frozen=True)
class Index:
    """The whole table."""

    classes: tuple[str, ...]
    rows: tuple[IndexRow, ...]

    @cached_property
    def by_id(self) -> Mapping[str, IndexRow]:
        """The row of each image."""
        return {row.image_id: row for row in self.rows}

    @cached_property
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Ids of each split, in order."""
        ids: dict[str, list[str]] = {}
        for row in self.rows:
            ids.setdefault(row.split, []).append(row.image_id)
        return {split: tuple(of_split) for split, of_split in ids.items()}


def image_digest(dataset: Dataset, image_id: str, remember: Remember = read_anew) -> str:
    """SHA-256 of an image: of its file, or of its size and RGB pixels if it is generated."""
    path = dataset.source(image_id)
    if path is None:
        return _pixel_digest(dataset.image(image_id))
    return remember(path, lambda: file_digest(path))


def build_index(
    dataset: Dataset,
    splits: Mapping[str, SplitDeclaration],
    remember: Remember = read_anew,
) -> Index:
    """Read every photograph once.

    Args:
        dataset: the data set to index.
        splits: its declared splits; the index keeps their order.
        remember: gets the digest of each file.

    Raises:
        SeedbedError: an image or a label is missing or unreadable.
    """
    refuse_classes(dataset.classes, f"data set {dataset.name!r}")
    known: dict[str, IndexRow] = {}
    rows = []
    for split in splits:
        for image_id in dataset.image_ids(split):
            if image_id not in known:
                with memory_for(f"image {image_id!r}"):
                    known[image_id] = _index_row(dataset, image_id, split, remember)
            rows.append(replace(known[image_id], split=split))
    return Index(dataset.classes, tuple(rows))


def _index_row(dataset: Dataset, image_id: str, split: str, remember: Remember) -> IndexRow:
    (width, height), original = _sizes(dataset, image_id)
    labels = tuple(bool(x) for x in dataset.labels(image_id))
    digest = image_digest(dataset, image_id, remember)
    return IndexRow(image_id, split, width, height, digest, labels, original)


def _sizes(dataset: Dataset, image_id: str) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """Width and height of an image, and those of the photograph itself if the data set shrinks it."""
    if not isinstance(dataset, ShrunkDataset):
        return dataset.image(image_id).size, None
    original = dataset.whole.image(image_id).size
    return shrunk_size(original, dataset.longest), original


def index_csv(index: Index) -> str:
    """The index as CSV text: fixed columns, then one 0/1 column per class; equal indexes give equal text."""
    shrunk = any(r.original for r in index.rows)
    lines = [
        [
            *(r.image_id, r.split, str(r.width), str(r.height), r.sha256),
            *map(str, r.original or ()),
            *("1" if x else "0" for x in r.labels),
        ]
        for r in index.rows
    ]
    return csv_text([*COLUMNS, *(ORIGINAL if shrunk else ()), *index.classes], lines)


def parse_index(text: str, where: str = "index.csv") -> Index:
    """Read the text that `index_csv` wrote.

    Args:
        text: CSV.
        where: name of the file, for messages.

    Raises:
        SeedbedError: the text is not such a table.
    """
    try:
        header, *lines = list(csv.reader(io.StringIO(text), strict=True)) or [[]]
    except csv.Error as error:
        raise SeedbedError(f"{where}: not a readable index ({error}); run prepare_dataset again") from None
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise SeedbedError(
            f"{where}: expected the columns {', '.join(COLUMNS)}, got {', '.join(header)}; run prepare_dataset again"
        )
    shrunk = tuple(header[len(COLUMNS) :][: len(ORIGINAL)]) == ORIGINAL
    classes = tuple(header[len(COLUMNS) + (len(ORIGINAL) if shrunk else 0) :])
    refuse_classes(classes, where)
    rows = []
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, start=2):
        try:
            image_id, split, width, height, sha256, *labels = line
            original = (int(labels.pop(0)), int(labels.pop(0))) if shrunk else None
            sides = int(width), int(height)
            if len(line) != len(header) or not set(labels) <= {"0", "1"}:
                raise ValueError
            if not (_is_size(sides) and _is_size(original or sides)):
                raise ValueError
            if id_fault(image_id) or (image_id, split) in seen:
                raise ValueError
            seen.add((image_id, split))
            rows.append(IndexRow(image_id, split, *sides, sha256, tuple(x == "1" for x in labels), original))
        except (ValueError, IndexError) as error:
            raise SeedbedError(
                f"{where}, line {number}: not a row of an index; run prepare_dataset again"
            ) from error
    return Index(classes, tuple(rows))


def _is_size(sides: tuple[int, int]) -> bool:
    return min(sides) >= 1 and sides[0] * sides[1] <= MOST_PIXELS


def read_index(path: Path) -> Index:
    """Read the file that `prepare_dataset` wrote.

    Raises:
        SeedbedError: it is not such a table.
    """
    try:
        text = read_regular(path).decode()
    except UnicodeDecodeError as error:
        raise SeedbedError(f"{path}: not a readable index ({error}); run prepare_dataset again") from None
    except OSError as error:
        raise SeedbedError(
            f"{path}: not a readable index ({system_reason(error)}); run prepare_dataset again"
        ) from None
    index = parse_index(text, str(path))
    if not index.rows:
        raise SeedbedError(f"{path}: expected rows of images, got none; run prepare_dataset again")
    return index


class IndexedDataset:
    """A data set behind its index: ids and labels from the index, photographs and masks checked against it.

    It is a `Dataset` itself. `classes` are those of labels, classifiers and CAMs; `mask_classes` are those of masks and
    label maps.
    """

    def __init__(self, dataset: Dataset, index: Index, masks: Mapping[str, str] | None = None) -> None:
        """Combine the two.

        Args:
            dataset: the data set.
            index: its index.
            masks: SHA-256 of each mask by image id (`masks_rows`), for what reads masks; they are not checked if None.

        Raises:
            SeedbedError: their classes differ.
        """
        if dataset.classes != index.classes:
            raise SeedbedError(
                f"data set {dataset.name!r}: its classes are {', '.join(dataset.classes)}, but its index says"
                f" {', '.join(index.classes)}; run prepare_dataset again"
            )
        self.name = dataset.name
        self.classes = index.classes
        self.mask_classes = mask_classes(dataset)
        self.mask_lookup = mask_lookup(dataset)
        self.dataset = dataset
        self.index = index
        self._masks = masks
        self._verified: set[str] = set()
        self.last_read = ""
        """Id of the image whose pixels or mask were read last, for messages."""
        self._verified_masks: set[str] = set()

    def image_ids(self, split: str) -> Sequence[str]:
        """Ids of a split, from the index.

        Raises:
            SeedbedError: no such split in the index.
        """
        if split not in self.index.splits:
            raise SeedbedError(f"data set {self.name!r}: {unknown_name('split', split, self.index.splits)}")
        return self.index.splits[split]

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB.

        Raises:
            SeedbedError: it has changed since it was indexed; this is checked when it is first read.
        """
        row = self._row(image_id)
        self.last_read = image_id
        path = self.dataset.source(image_id) if image_id not in self._verified else None
        if path is not None:
            self._verify(image_id, file_digest(path), row.sha256)
        image = self.dataset.image(image_id)
        if image_id not in self._verified:
            self._verify(image_id, _pixel_digest(image), row.sha256)
        if image.size != (row.width, row.height):
            raise SeedbedError(self._changed(image_id))
        return image

    def size(self, image_id: str) -> tuple[int, int]:
        """Width and height, from the index."""
        row = self._row(image_id)
        return row.width, row.height

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels, from the index."""
        return np.array(self._row(image_id).labels, dtype=bool)

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth.

        Raises:
            SeedbedError: the mask is unreadable, differs in size from the indexed photograph, or has changed since
                the masks were indexed; this is checked when it is first read.
        """
        self.last_read = image_id
        mask = self.dataset.mask(image_id)
        width, height = self.size(image_id)
        if mask is not None and mask.shape != (height, width):
            raise SeedbedError(
                f"data set {self.name!r}: expected a mask of {image_id!r} "
                f"{size_fault((width, height), (mask.shape[1], mask.shape[0]))}"
            )
        if mask is not None and self._masks is not None and image_id not in self._verified_masks:
            if self._masks.get(image_id) != mask_digest(mask):
                raise SeedbedError(
                    f"data set {self.name!r}: the mask of image {image_id!r} has changed since the masks were indexed;"
                    f" {AGAIN}"
                )
            self._verified_masks.add(image_id)
        return mask

    def in_mask_classes(
        self, label_map: UInt8[np.ndarray, "height width"]
    ) -> UInt8[np.ndarray, "height width"]:
        """A label map of the labels' classes as one of the masks' classes, which a `class_map` may join or drop."""
        found: UInt8[np.ndarray, "height width"] = self.mask_lookup[label_map]
        return found

    def mask_class_ids(self, image_id: str) -> list[int]:
        """Classes of the masks (from 0) that the image-level labels name."""
        values = np.unique(self.mask_lookup[np.flatnonzero(self.labels(image_id)) + 1])
        return [int(value) - 1 for value in values if 0 < value <= len(self.mask_classes)]

    def source(self, image_id: str) -> Path | None:
        """The image's file."""
        return self.dataset.source(image_id)

    def mask_source(self, image_id: str) -> Path | Part | None:
        """The mask's file, or part of one; None if there is none, or the data set does not tell."""
        found: Path | Part | None = getattr(self.dataset, "mask_source", _untold)(image_id)
        return found

    def faults(self) -> list[str]:
        """Faults of the data set, and every photograph that has changed since it was indexed."""
        faults = self.dataset.faults()
        for image_id, row in self.index.by_id.items():
            try:
                if image_digest(self.dataset, image_id) != row.sha256:
                    faults.append(self._changed(image_id))
            except (SeedbedError, OSError):
                if not any(image_id in fault for fault in faults):
                    faults.append(
                        f"data set {self.name!r}: image {image_id!r} is in the index, but no longer exists"
                    )
        return faults

    def _row(self, image_id: str) -> IndexRow:
        if image_id not in self.index.by_id:
            raise SeedbedError(
                f"data set {self.name!r}: image {image_id!r} is not in the index; run prepare_dataset again"
            )
        return self.index.by_id[image_id]

    def _verify(self, image_id: str, found: str, expected: str) -> None:
        if found != expected:
            raise SeedbedError(self._changed(image_id))
        self._verified.add(image_id)

    def _changed(self, image_id: str) -> str:
        path = self.dataset.source(image_id)
        where = f" ({path})" if path else ""
        what = f"data set {self.name!r}: image {image_id!r}{where} has changed since it was indexed"
        return f"{what}; {AGAIN}"


def _untold(image_id: str) -> None:
    return None


def file_digest(path: Path) -> str:
    """SHA-256 of a photograph's file.

    Raises:
        SeedbedError: there is no such file.
    """
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except FileNotFoundError as error:
        raise SeedbedError(f"{path}: expected a photograph, but there is no such file") from error
    except OSError as error:
        raise SeedbedError(
            f"{path}: not a readable photograph ({system_reason(error)}); replace it"
        ) from error


def _pixel_digest(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.width}x{image.height}\n".encode() + image.tobytes()).hexdigest()
