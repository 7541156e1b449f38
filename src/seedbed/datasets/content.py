"""What a data set holds, for comparison: classes, lists, labels and digests of photographs and masks, but no pixels.

`Content` is taken from an index or from the data set itself; `changes` counts what differs between two of them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from seedbed.datasets.base import Dataset
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import memory_for
from seedbed.datasets.index import Index, image_digest
from seedbed.datasets.known_files import Remember, read_anew
from seedbed.datasets.mask_sums import mask_digest, masks_text
from seedbed.errors import SeedbedError


class Row(NamedTuple):
    """One image of one split; what cannot be read or understood is empty."""

    image_id: str
    split: str
    sha256: str
    labels: str


class MaskRow(NamedTuple):
    """One mask of one split; `sha256` is empty if the mask cannot be read."""

    image_id: str
    split: str
    sha256: str


@dataclass(frozen=True)
class Content:
    """What a data set holds.

    Attributes:
        masks: None if they were not looked at.
    """

    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    masks: tuple[MaskRow, ...] | None

    @classmethod
    def of_index(cls, index: Index, masks: Sequence[tuple[str, str, str]] | None) -> "Content":
        """From an index and the rows of the masks' checksums."""
        rows = (Row(r.image_id, r.split, r.sha256, _flags(r.labels)) for r in index.rows)
        return cls(index.classes, tuple(rows), None if masks is None else tuple(MaskRow(*m) for m in masks))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that trainings depend on: everything but masks."""
        return _digest([self.classes, self.rows])

    @cached_property
    def masks_digest(self) -> str | None:
        """SHA-256 of what is known of masks; None if they were not looked at."""
        return None if self.masks is None else _digest(self.masks)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _flags(labels: Sequence[bool]) -> str:
    return "".join(map("01".__getitem__, labels))


def read_rows(
    dataset: Dataset,
    splits: Mapping[str, SplitDeclaration],
    remember: Remember,
    digests: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """The images of a data set; photographs are read only where `remember` does not know them.

    Args:
        dataset: the data set.
        splits: its declared splits.
        remember: gets the digest of each file.
        digests: of photographs by image id, where they are known without a look at any file.

    Raises:
        SeedbedError: a list cannot be read.
    """
    known: dict[str, tuple[str, str]] = {}
    for split in splits:
        for image_id in dataset.image_ids(split):
            if image_id not in known:
                sha256 = _photograph(dataset, image_id, remember) if digests is None else digests[image_id]
                known[image_id] = sha256, _labels(dataset, image_id)
            yield Row(image_id, split, *known[image_id])


def _photograph(dataset: Dataset, image_id: str, remember: Remember) -> str:
    try:
        return image_digest(dataset, image_id, remember)
    except (SeedbedError, OSError):
        return ""


def _labels(dataset: Dataset, image_id: str) -> str:
    try:
        return _flags(dataset.labels(image_id).tolist())
    except SeedbedError:
        return ""


def masks_csv(
    dataset: Dataset,
    splits: Mapping[str, SplitDeclaration],
    made_with: str,
    remember: Remember = read_anew,
) -> str:
    """Checksums of the masks as CSV text, for splits that have masks: of their sizes and indices 0 … C, 255.

    This reads pixel truth but passes none of it on: from the file, evaluations know that a mask has changed.

    Args:
        made_with: digest of declaration and index.
        remember: gets the digest of each file.

    Raises:
        SeedbedError: a mask is missing, unreadable, or differs in size from its photograph.
    """
    found = (
        (image_id, split, _mask(dataset, image_id, remember)) for image_id, split in _masked(dataset, splits)
    )
    rows = ((image_id, split, sha256) for image_id, split, sha256 in found if sha256 is not None)
    return masks_text(rows, made_with)


def read_masks(
    dataset: Dataset, splits: Mapping[str, SplitDeclaration], remember: Remember
) -> Iterator[MaskRow]:
    """The masks of the splits that have masks; they are read only where `remember` does not know them.

    Raises:
        SeedbedError: a list cannot be read.
    """
    known: dict[str, str | None] = {}
    for image_id, split in _masked(dataset, splits):
        if image_id not in known:
            try:
                known[image_id] = _mask(dataset, image_id, remember)
            except (SeedbedError, OSError):
                known[image_id] = ""
        sha256 = known[image_id]
        if sha256 is not None:
            yield MaskRow(image_id, split, sha256)


def _masked(dataset: Dataset, splits: Mapping[str, SplitDeclaration]) -> Iterator[tuple[str, str]]:
    for split, declared in splits.items():
        for image_id in dataset.image_ids(split) if declared.masks else ():
            yield image_id, split


def _mask(dataset: Dataset, image_id: str, remember: Remember) -> str | None:
    """The digest of a mask; None if there is none."""

    def read() -> str | None:
        with memory_for(f"mask of image {image_id!r}"):
            mask = dataset.mask(image_id)
            return None if mask is None else mask_digest(mask)

    path = getattr(dataset, "mask_source", lambda image_id: None)(image_id)
    return read() if path is None else remember(path, lambda: read() or "")


class Changes(NamedTuple):
    """How many of each differ, or `order` if images or classes have another order."""

    photographs: int = 0
    labels: int = 0
    classes: int = 0
    splits: int = 0
    order: int = 0
    masks: int = 0

    @property
    def retrains(self) -> bool:
        """Whether more than masks differs."""
        return any(self._replace(masks=0))

    def __str__(self) -> str:
        """`3 photographs, 1 label`; empty if nothing differs."""
        named = {
            "photograph": self.photographs,
            "label": self.labels,
            "class": self.classes,
            "image in another split": self.splits,
            "mask": self.masks,
        }
        told = [f"{count} {_plural(name, count)}" for name, count in named.items() if count]
        return ", ".join([*told, *(["order of images or classes"] if self.order else [])])


def _plural(name: str, count: int) -> str:
    many = {"class": "classes", "image in another split": "images in other splits"}
    return name if count == 1 else many.get(name, f"{name}s")


def changes(old: Content, new: Content) -> Changes:
    """What differs: photographs that were added, dropped or replaced; labels of the others; classes; masks."""
    before, after = ({row.image_id: row for row in content.rows} for content in (old, new))
    common = before.keys() & after.keys()
    replaced = sum(before[i].sha256 != after[i].sha256 for i in common)
    stayed = set(common)
    if [(row.image_id, row.split) for row in old.rows] != [(row.image_id, row.split) for row in new.rows]:
        splits = [_splits(content) for content in (old, new)]
        stayed = {i for i in common if splits[0][i] == splits[1][i]}
    counted = Changes(
        photographs=len(before.keys() ^ after.keys()) + replaced,
        labels=sum(_differing(old.classes, before[i].labels, new.classes, after[i].labels) for i in common),
        classes=len({*old.classes} ^ {*new.classes}),
        splits=len(common) - len(stayed),
        masks=_changed_masks(old.masks, new.masks, stayed),
    )
    if counted.retrains or old.digest == new.digest:
        return counted
    return counted._replace(order=1)


def _splits(content: Content) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in content.rows:
        found.setdefault(row.image_id, []).append(row.split)
    return found


def _differing(classes: Sequence[str], labels: str, others: Sequence[str], other: str) -> int:
    """Labels of an image that differ among the classes that both have; one if they are not understood."""
    if (classes, labels) == (others, other):
        return 0
    if not labels or not other:
        return int(labels != other)
    first, second = dict(zip(classes, labels, strict=True)), dict(zip(others, other, strict=True))
    return sum(first[name] != second[name] for name in first.keys() & second.keys())


def _changed_masks(old: Sequence[MaskRow] | None, new: Sequence[MaskRow] | None, stayed: set[str]) -> int:
    """Masks that differ, of images that were there before in the same splits."""
    if old is None or new is None:
        return 0
    before, after = ({row.image_id: row.sha256 for row in rows} for rows in (old, new))
    return sum(before.get(i) != after.get(i) for i in (before.keys() | after.keys()) & stayed)
