"""Oxford-IIIT Pet (Parkhi et al. 2012), as published and as torchvision lays it out: cats and dogs of 37 breeds.

A photograph shows one animal. Its breed is in its name, `<breed>_<number>`, cats with a capital. A trimap has 1 where
the animal is, 2 for background and 3 for the border between them, which papers treat in three ways.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, UInt8

from seedbed.datasets import declaration
from seedbed.datasets.class_names import refuse_classes
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import PNGS, UNKNOWN, named_otherwise, read_mask, with_any_ending
from seedbed.datasets.labels import LabelTable
from seedbed.datasets.listed import ListedDataset, SplitList
from seedbed.datasets.mask_checks import MaskChecks, in_one_line
from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE

FOLDER = "oxford-iiit-pet"
"""The folder that torchvision makes below its root."""
ANIMAL, BACKGROUND, BORDER = 1, 2, 3
BORDERS = {"void": IGNORE, "background": 0}
SPECIES = {"1": "cat", "2": "dog"}


class PetsOptions(declaration.Options):
    """Options of kind `pets`."""

    labels: Literal["breed", "species", "pet"] = "breed"
    """Image-level labels, and classes of the masks: 37 breeds, cat and dog, or one class."""
    border: Literal["void", "background", "foreground"] = "void"
    """What the border of a trimap is: without a label (255), background, or the animal."""


class PetsDataset(ListedDataset):
    """The folder of `images` and `annotations`, or torchvision's root above it."""

    Options: ClassVar = PetsOptions
    needs_root: ClassVar = True

    def __init__(
        self, name: str, root: Path | None, options: PetsOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; the lists are read, since they tell the breeds.

        Raises:
            SeedbedError: a list is missing, or names no breed.
        """
        assert root is not None
        super().__init__(name, root / FOLDER if (root / FOLDER).is_dir() else root, splits)
        self.options = options
        self._rows: dict[str, list[str]] = {}
        self.classes = tuple(sorted({self._class(i) for split in splits for i in self._split(split).ids}))
        refuse_classes(self.classes, f"data set {name!r}")
        self._without_animal: list[str] = []

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """The one class that the name tells."""
        return self._table.labels(image_id, self.root)

    def source(self, image_id: str) -> Path:
        """The image's file: `<id>.jpg`, or where there is none, with another ending of a photograph."""
        return with_any_ending(self.root / "images" / f"{image_id}.jpg")

    def places(self) -> list[Path]:
        """Lists, photographs and trimaps."""
        return [self.root / "annotations", self.root / "images"]

    def notes(self) -> list[str]:
        """Those of all data sets, and trimaps that show no animal."""
        told = [f"{path}: the trimap shows no animal" for path in self._without_animal]
        return super().notes() + in_one_line(told, "trimaps")

    @cached_property
    def _table(self) -> LabelTable:
        table = LabelTable(self.classes)
        for split in self.splits:
            for image_id in self._split(split).ids:
                table.rows[image_id] = np.array([c == self._class(image_id) for c in self.classes])
        return table

    def _class(self, image_id: str) -> str:
        breed = image_id.rpartition("_")[0]
        named = {"breed": _title(breed), "species": "cat" if breed[:1].isupper() else "dog", "pet": "pet"}
        return named[self.options.labels]

    def _tables(self) -> Sequence[LabelTable]:
        return [self._table]

    def _read_split(self, split: str) -> SplitList:
        path = self.root / "annotations" / f"{self.splits[split].list or split}.txt"
        if not path.is_file():
            there = ", ".join(sorted(p.stem for p in path.parent.glob("*.txt"))) or "none"
            raise SeedbedError(
                f"{path}: expected a list of Oxford-IIIT Pet, but there is no such file; lists there: {there}"
            )
        found = SplitList.of_lines(path)
        kept = [(n, line.split()) for n, line in zip(found.lines, found.ids, strict=True) if line[0] != "#"]
        for number, (image_id, *columns) in kept:
            if not all(image_id.rpartition("_")):
                raise SeedbedError(
                    f"{path}, line {number}: expected <breed>_<number>, got {image_id[:50]!r}; correct the line"
                )
            self._rows[image_id] = columns
        return SplitList(path, [columns[0] for _, columns in kept], [number for number, _ in kept])

    def _own_faults(self) -> list[str]:
        """Lines whose numbers of breed or species are missing, or are not those that the name has in most lines."""
        listed = [(i.rpartition("_")[0], *(*columns, "", "")[:2]) for i, columns in self._rows.items()]
        pairs = Counter((breed, number) for breed, number, _ in listed if number)
        numbers, owners = _most(pairs), _most(Counter({(n, breed): k for (breed, n), k in pairs.items()}))
        faults = []
        for image_id, (breed, number, kind) in zip(self._rows, listed, strict=True):
            species = "cat" if breed[:1].isupper() else "dog"
            if SPECIES.get(kind) == species and numbers.get(breed) == number and owners[number] == breed:
                continue
            told = f"breed {numbers.get(breed, '?')} and species of a {species}"
            expected = f"{told}, as the name and the other lines say"
            came = " ".join((number, kind)).strip() or "nothing"
            if number and numbers[breed] == number and owners[number] != breed:
                expected, came = f"breed {number} to be {owners[number]}, as in the other lines", repr(breed)
            faults.append(f"{self._where(image_id)}: expected {expected}, got {came}; correct the line")
        return faults

    def _mask_path(self, image_id: str) -> Path | None:
        path = self.root / "annotations" / "trimaps" / f"{image_id}.png"
        return path if path.is_file() else None

    def _read_mask(
        self, image_id: str, path: Path, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "height width"]:
        value = self.classes.index(self._class(image_id)) + 1
        lookup = np.full(256, UNKNOWN, np.uint8)
        lookup[[ANIMAL, BACKGROUND, BORDER]] = value, 0, BORDERS.get(self.options.border, value)
        return read_mask(path, lookup, size, self.source(image_id))

    def _mask_faults(
        self, image_id: str, size: tuple[int, int] | None, masks: dict[Path, str], without: list[str]
    ) -> list[str]:
        """A trimap that is missing or not one; labels and trimap cannot contradict each other."""
        assert self._checks is not None
        path = self._mask_path(image_id)
        if path is None:
            without.append(image_id)
            return []
        try:
            found = self._checks.show(self._read_mask(image_id, path, size))
        except SeedbedError as error:
            return [str(error)]
        self._without_animal += [] if found else [str(path)]
        return []

    def _no_mask(self, image_id: str) -> str:
        path = self.root / "annotations" / "trimaps" / f"{image_id}.png"
        return f"{path}: expected a trimap, but there is no such file{named_otherwise(path, PNGS)}"

    def _new_checks(self) -> MaskChecks:
        return MaskChecks(self.classes, range(1, len(self.classes) + 1))

    def _unlisted(self) -> Sequence[str]:
        return []


def _most(pairs: Counter[tuple[str, str]]) -> dict[str, str]:
    """The second of the most frequent pair of each first; of equally frequent ones, what came first."""
    found: dict[str, str] = {}
    for (first, second), _ in pairs.most_common():
        found.setdefault(first, second)
    return found


def _title(breed: str) -> str:
    """The name of a breed as torchvision writes it: `american_bulldog` is American Bulldog."""
    return " ".join(part.title() for part in breed.split("_"))
