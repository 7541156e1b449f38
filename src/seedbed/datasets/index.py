"""The index of a data set: ids, splits, sizes, checksums and labels, as CSV text.

Stages read the index for ids and labels and the data set for pixels. A photograph that has changed since it was
indexed is refused when it is first read.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from seedbed.datasets.base import Dataset
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import MOST_PIXELS, id_fault, refuse_classes
from seedbed.errors import SeedbedError, unknown_name
from seedbed.regular_files import read_regular, system_reason

COLUMNS = ("image_id", "split", "width", "height", "sha256")
MASK_COLUMNS = ("image_id", "split", "sha256")


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


def image_digest(dataset: Dataset, image_id: str) -> str:
    """SHA-256 of an image: of its file, or of its size and RGB pixels if it is generated."""
    path = dataset.source(image_id)
    return _file_digest(path) if path is not None else _pixel_digest(dataset.image(image_id))


def build_index(
    dataset: Dataset,
    splits: Mapping[str, SplitDeclaration],
    progress: Callable[[str], None] = lambda image_id: None,
) -> Index:
    """Read every photograph once.

    Args:
        dataset: the data set to index.
        splits: its declared splits; the index keeps their order.
        progress: called with the id of each row when it is done.

    Raises:
        SeedbedError: an image or a label is missing or unreadable.
    """
    refuse_classes(dataset.classes, f"data set {dataset.name!r}")
    known: dict[str, IndexRow] = {}
    rows = []
    for split in splits:
        for image_id in dataset.image_ids(split):
            if image_id not in known:
                width, height = dataset.image(image_id).size
                labels = tuple(bool(x) for x in dataset.labels(image_id))
                known[image_id] = IndexRow(
                    image_id, split, width, height, image_digest(dataset, image_id), labels
                )
            row = known[image_id]
            rows.append(IndexRow(image_id, split, row.width, row.height, row.sha256, row.labels))
            progress(image_id)
    return Index(dataset.classes, tuple(rows))


def index_csv(index: Index) -> str:
    """The index as CSV text: fixed columns, then one 0/1 column per class; equal indexes give equal text."""
    lines = [
        [r.image_id, r.split, str(r.width), str(r.height), r.sha256, *("1" if x else "0" for x in r.labels)]
        for r in index.rows
    ]
    return _csv([*COLUMNS, *index.classes], lines)


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
    refuse_classes(header[len(COLUMNS) :], where)
    rows = []
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, start=2):
        try:
            image_id, split, width, height, sha256, *labels = line
            sides = int(width), int(height)
            if len(line) != len(header) or not set(labels) <= {"0", "1"} or min(sides) < 1:
                raise ValueError
            if id_fault(image_id) or sides[0] * sides[1] > MOST_PIXELS or (image_id, split) in seen:
                raise ValueError
            seen.add((image_id, split))
            rows.append(IndexRow(image_id, split, *sides, sha256, tuple(x == "1" for x in labels)))
        except ValueError as error:
            raise SeedbedError(
                f"{where}, line {number}: not a row of an index; run prepare_dataset again"
            ) from error
    return Index(tuple(header[len(COLUMNS) :]), tuple(rows))


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


def masks_csv(dataset: Dataset, splits: Mapping[str, SplitDeclaration]) -> str:
    """Checksums of the masks as CSV text, for splits that have masks: of their sizes and indices 0 … C, 255.

    The last row holds the SHA-256 of all rows before it. This reads pixel truth but passes none of it on: from the
    file, evaluations know that a mask has changed.

    Raises:
        SeedbedError: a mask is missing, unreadable, or differs in size from its photograph.
    """
    lines = []
    for split, declared in splits.items():
        for image_id in dataset.image_ids(split) if declared.masks else ():
            mask = dataset.mask(image_id)
            if mask is None:
                continue
            digest = hashlib.sha256(f"{mask.shape[1]}x{mask.shape[0]}\n".encode() + mask.tobytes())
            lines.append([image_id, split, digest.hexdigest()])
    return _with_last_row(_csv(MASK_COLUMNS, lines))


def masks_digest(path: Path) -> str:
    """SHA-256 of a file of `masks_csv`, for the inputs of what reads masks.

    Raises:
        SeedbedError: it is missing, or its last row does not fit the rows before it.
    """
    try:
        content = read_regular(path)
    except FileNotFoundError:
        raise SeedbedError(
            f"expected the checksums of the masks at {path}, found none; run prepare_dataset"
        ) from None
    except OSError as error:
        raise SeedbedError(
            f"{path}: not a readable file of checksums ({system_reason(error)}); remove it and run prepare_dataset"
        ) from None
    rows = content[: content[:-1].rfind(b"\n") + 1]
    if content != _with_last_row(rows.decode(errors="replace")).encode():
        raise SeedbedError(
            f"{path} was changed, or made by an older version: its last row is not the digest of the rows before it; "
            "run prepare_dataset again"
        )
    return hashlib.sha256(content).hexdigest()


def _with_last_row(rows: str) -> str:
    return f"{rows},,{hashlib.sha256(rows.encode()).hexdigest()}\n"


class IndexedDataset:
    """A data set behind its index: ids and labels from the index, photographs checked against it.

    It is a `Dataset` itself.
    """

    def __init__(self, dataset: Dataset, index: Index) -> None:
        """Combine the two.

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
        self.dataset = dataset
        self.index = index
        self._verified: set[str] = set()

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
        path = self.dataset.source(image_id) if image_id not in self._verified else None
        if path is not None:
            self._verify(image_id, _file_digest(path), row.sha256)
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
            SeedbedError: the mask is unreadable, or differs in size from the indexed photograph.
        """
        mask = self.dataset.mask(image_id)
        width, height = self.size(image_id)
        if mask is not None and mask.shape != (height, width):
            raise SeedbedError(
                f"data set {self.name!r}: expected a mask of {image_id!r} of the photograph's size"
                f" {width}x{height}, but it is {mask.shape[1]}x{mask.shape[0]}"
            )
        return mask

    def source(self, image_id: str) -> Path | None:
        """The image's file."""
        return self.dataset.source(image_id)

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
        return f"{what}; run prepare_dataset again"


def _file_digest(path: Path) -> str:
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


def _csv(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()
