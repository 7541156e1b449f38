"""What data sets of files have in common: lists of ids that say which images are in a split."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import id_fault, is_turned, read_image, read_mask
from seedbed.datasets.known_files import Part
from seedbed.datasets.labels import LabelTable
from seedbed.datasets.mask_checks import MANY, MaskChecks, in_one_line
from seedbed.errors import SeedbedError, unknown_name
from seedbed.regular_files import NotTextError, read_regular, read_text, system_reason


class SplitList(NamedTuple):
    """Ids of a split with the file and the lines from which they come.

    Attributes:
        files: of each id, where they come from several files.
    """

    path: Path
    ids: list[str]
    lines: list[int]
    files: Sequence[Path] = ()

    @classmethod
    def of_lines(cls, path: Path) -> "SplitList":
        """Lines of a text file that are not empty."""
        try:
            text = read_text(path).splitlines()
        except NotTextError as error:
            raise SeedbedError(f"{path}: not a readable list ({error}); save it as UTF-8") from None
        except OSError as error:
            raise SeedbedError(f"{path}: not a readable list ({system_reason(error)}); replace it") from None
        lines = {k: line.strip() for k, line in enumerate(text, start=1) if line.strip()}
        return cls(path, list(lines.values()), list(lines))

    def at(self, image_id: str) -> str:
        """Where an id stands first."""
        return self.at_place(self.ids.index(image_id))

    def at_place(self, place: int) -> str:
        """Where the id of a place in the split (from 0) stands."""
        return f"{self.files[place] if self.files else self.path}, line {self.lines[place]}"


class ListedDataset(ABC):
    """Splits that are lists of ids; each image and each mask is a file of its own."""

    classes: tuple[str, ...]
    _lookup: UInt8[np.ndarray, "256"]
    """Index in a mask's file → index of the data set (`mask_lookup`)."""

    def __init__(self, name: str, root: Path, splits: Mapping[str, SplitDeclaration]) -> None:
        """Keep name, root and splits; nothing is read."""
        self.name = name
        self.root = root
        self.splits = dict(splits)
        self._lists: dict[str, SplitList] = {}
        self._checks: MaskChecks | None = None
        self._turned: list[Path] = []

    @abstractmethod
    def source(self, image_id: str) -> Path:
        """The image's file."""

    @abstractmethod
    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels."""

    @abstractmethod
    def _tables(self) -> Sequence[LabelTable]:
        """All image-level labels."""

    @abstractmethod
    def _read_split(self, split: str) -> SplitList:
        """Ids of a declared split."""

    @abstractmethod
    def _mask_path(self, image_id: str) -> Path | None:
        """The mask's file, None if there is no such file."""

    @abstractmethod
    def _no_mask(self, image_id: str) -> str:
        """The fault of an image without a mask."""

    @abstractmethod
    def _new_checks(self) -> MaskChecks: ...

    @abstractmethod
    def _unlisted(self) -> Sequence[str]:
        """Ids that are labelled and in no list, if their photographs are expected, too."""

    def image_ids(self, split: str) -> Sequence[str]:
        """Ids of a split, in the order of its file.

        Raises:
            SeedbedError: the split is not declared, or nothing says which images are in it, or it has no images.
        """
        if split not in self.splits:
            raise SeedbedError(f"data set {self.name!r}: {unknown_name('split', split, self.splits)}")
        found = self._split(split)
        if not found.ids:
            raise SeedbedError(
                f"{found.path}: expected ids of the images of split {split!r}, got none; fill the list"
            )
        return found.ids

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB."""
        return read_image(self.source(image_id))

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth; None if no split with masks lists the image.

        Raises:
            SeedbedError: a split with masks lists the image, but there is no mask, or it is not readable.
        """
        if image_id not in self._masked:
            return None
        path = self._mask_path(image_id)
        if path is None:
            raise SeedbedError(f"{self._no_mask(image_id)}; add it, or declare `masks: false`")
        return self._read_mask(image_id, path)

    def _read_mask(
        self, image_id: str, path: Path, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "height width"]:
        """The mask in a file, with the indices of the data set; `size` is the photograph's, if they are compared."""
        return read_mask(path, self._lookup, size, self.source(image_id))

    def mask_source(self, image_id: str) -> Path | Part | None:
        """The mask's file, or part of one; None if there is none, or no split with masks lists the image.

        Raises:
            SeedbedError: several files fit.
        """
        return self._mask_path(image_id) if image_id in self._masked else None

    @abstractmethod
    def places(self) -> list[Path]:
        """Files and folders of everything that the data set is read from."""

    def faults(self) -> list[str]:
        """Every fault, one line each: labels, options, lists, photographs, masks."""
        faults = [fault for table in self._tables() for fault in table.faults]
        faults += self._own_faults() + self._split_faults() + self._image_faults()
        return list(dict.fromkeys(faults))

    def notes(self) -> list[str]:
        """What may be right but is worth knowing, one line each; known after `faults`."""
        return (self._checks.notes() if self._checks is not None else []) + self._turns() + self._copies()

    def _turns(self) -> list[str]:
        """Photographs that are read turned, and whose masks may not be, which sizes do not always tell."""
        if not self._turned:
            return []
        number = len(self._turned)
        are = "photographs with masks have" if number > 1 else "photograph with a mask has"
        return [
            f"{number} {are} an EXIF orientation, by which {'they are' if number > 1 else 'it is'} turned or mirrored "
            f"when read, as viewers show {'them' if number > 1 else 'it'}; check that the masks are, too, first "
            f"{self._turned[0]}"
        ]

    def _copies(self) -> list[str]:
        """Photographs of equal bytes under two ids, of which one may be in training and the other in validation."""
        sizes: dict[int, list[str]] = {}
        for image_id in self._listed:
            try:
                sizes.setdefault(self.source(image_id).stat().st_size, []).append(image_id)
            except (SeedbedError, OSError, ValueError):
                continue  # a fault
        first: dict[tuple[int, str], str] = {}
        notes = []
        for size, ids in sizes.items():
            for image_id in ids if len(ids) > 1 else ():
                try:
                    source = self.source(image_id)
                    owner = first.setdefault(
                        (size, hashlib.sha256(read_regular(source)).hexdigest()), image_id
                    )
                    same = owner != image_id and not source.samefile(self.source(owner))
                except (SeedbedError, OSError):
                    continue
                if same:
                    notes.append(
                        f"warning: {image_id!r} has the same content as {owner!r} ({self._where(owner)}); "
                        "keep one of them"
                    )
        return in_one_line(notes, "photographs") if len(notes) > MANY else notes

    def _own_faults(self) -> list[str]:
        """Faults of the options of a kind and of what they say about the labels."""
        return []

    def _split(self, split: str) -> SplitList:
        if split not in self._lists:
            self._lists[split] = self._read_split(split)
        return self._lists[split]

    def _split_faults(self) -> list[str]:
        """Lists that cannot be read, ids that no list may contain, and ids that are listed twice."""
        faults = []
        for split in self.splits:
            try:
                self.image_ids(split)
            except SeedbedError as error:
                faults.append(str(error))
                continue
            listed = self._split(split)
            seen: set[str] = set()
            for place, image_id in enumerate(listed.ids):
                told = f"{image_id!r} is listed twice" if image_id in seen else id_fault(image_id)
                faults += [f"{listed.at_place(place)}: {told}"] if told else []
                seen.add(image_id)
        for one, other in combinations(self.splits, 2):
            faults += self._shared(one, other)
        return faults

    def _shared(self, one: str, other: str) -> list[str]:
        """Images in two splits of which neither is a part of the other."""
        ids, others = (dict.fromkeys(self._readable(split)) for split in (one, other))
        shared = [i for i in others if i in ids]
        if len(shared) in (len(ids), len(others)):
            return []
        first, second = self._split(one), self._split(other)
        faults = [
            f"{second.at(i)}: {i!r} is in split {other!r} and in split {one!r} ({first.at(i)}); take it off one"
            for i in shared
        ]
        return in_one_line(faults, "images") if len(faults) > MANY else faults

    def _image_faults(self) -> list[str]:
        """Faults of photographs, of their labels and of their masks; every file is decoded completely."""
        self._checks, self._turned = self._new_checks(), []
        faults: list[str] = []
        without_mask: list[str] = []
        owners: dict[str, str] = {}
        masks: dict[Path, str] = {}
        same: dict[str, str] = {}
        for image_id in self._listed:
            if id_fault(image_id):
                continue
            size = None
            try:
                source = self.source(image_id)
            except SeedbedError as error:
                faults.append(f"{error} ({self._where(image_id)})")
                continue
            try:
                same |= self._same_file(image_id, source, owners)
                size = read_image(source).size
            except SeedbedError as error:
                faults.append(str(error))
            if image_id in self._masked:
                self._turned += [source] if size is not None and is_turned(source) else []
                faults += self._mask_faults(image_id, size, masks, without_mask)
        for image_id in self._unlisted():
            try:
                source = self.source(image_id)
                if not source.is_file():
                    raise SeedbedError(f"{source}: expected a photograph, but there is no such file")
                same |= self._same_file(image_id, source, owners)
            except SeedbedError as error:
                faults.append(f"{error}, although {self._where(image_id)} labels it")
        faults += self._unlabelled(same) + list(dict.fromkeys(same.values()))
        return faults + self._without_mask(without_mask) + self._checks.summary()

    def _unlabelled(self, known: Mapping[str, str]) -> list[str]:
        """Listed images without labels, except those in `known`, whose names are at fault."""
        tables = self._tables()
        if not all(table.readable for table in tables):
            return []
        faults = []
        for image_id in self._listed:
            if image_id in known or id_fault(image_id) or any(t.holds(image_id) for t in tables):
                continue
            try:
                self.labels(image_id)
            except SeedbedError as error:
                faults.append(str(error))
        return faults

    def _same_file(self, image_id: str, source: Path, owners: dict[str, str]) -> dict[str, str]:
        """The fault of an id that is another name of an earlier one, by both ids."""
        owner = owners.setdefault(_file_key(source), image_id)
        if owner == image_id:
            return {}
        fault = f"{image_id!r} is the same file as {owner!r} ({self._where(owner)}); keep one"
        return dict.fromkeys((image_id, owner), f"{self._where(image_id)}: {fault}")

    def _mask_faults(
        self, image_id: str, size: tuple[int, int] | None, masks: dict[Path, str], without: list[str]
    ) -> list[str]:
        assert self._checks is not None
        try:
            path = self._mask_path(image_id)
            if path is None:
                without.append(image_id)
                return []
            source = self.source(image_id)
            other = self.source(masks.setdefault(path, image_id))
            if _file_key(other) != _file_key(source):
                names = f"{other.name}.png and {source.name}.png"
                told = f"is the mask of both {masks[path]!r} and {image_id!r}; name the masks {names}"
                return [f"{path}: {told}"]
            mask = self._read_mask(image_id, path, size)
        except SeedbedError as error:
            return [str(error)]
        rows = [t.rows[image_id] for t in self._tables() if image_id in t.rows]
        return self._checks.check(path, mask, rows[-1] if rows else None)

    def _without_mask(self, ids: Sequence[str]) -> list[str]:
        """One line per image, or one for all if no image of a split has a mask or if there are many."""
        faults = []
        lacking = set(ids)
        for split, declared in self.splits.items():
            listed = self._readable(split) if declared.masks else []
            told = [self._no_mask(i) for i in listed if i in lacking]
            if len(told) > MANY or (len(told) > 1 and len(told) == len(listed)):
                faults.append(
                    f"split {split!r}: {len(told)} of {len(listed)} images have no mask, first {told[0]};"
                    f" add them, or declare datasets.{self.name}.splits.{split}: {{masks: false}}"
                )
            else:
                faults += [f"{fault}; add it, or declare `masks: false`" for fault in told]
        return faults

    def _where(self, image_id: str) -> str:
        """File and line that name an image first."""
        for table in self._tables():
            if image_id in table.lines:
                return table.at(image_id)
        for split in self.splits:
            if image_id in self._readable(split):
                return self._split(split).at(image_id)
        return str(self.root)

    @cached_property
    def _listed(self) -> dict[str, None]:
        """Ids of all readable lists, without repetition."""
        return dict.fromkeys(i for split in self.splits for i in self._readable(split))

    @cached_property
    def _masked(self) -> frozenset[str]:
        return frozenset(i for split, s in self.splits.items() if s.masks for i in self._readable(split))

    def _readable(self, split: str) -> list[str]:
        try:
            return self._split(split).ids
        except SeedbedError:
            return []


def _file_key(path: Path) -> str:
    """The same for all names of one file, be they links or hard links."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # a fault of its own
        return os.path.realpath(path)
    return f"{found.st_dev}:{found.st_ino}" if found.st_ino else os.path.realpath(path)
