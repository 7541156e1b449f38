"""A user's own photographs: a folder, a CSV of image-level labels, and masks if there are any.

Ids are what the CSV says: a path below the folder of images, or a file's name, with or without its extension; the
file may lie in any sub-folder. Splits come from a column of the CSV or from one CSV or text file per split; if only
one split is declared and nothing else is said, it consists of all rows.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from seedbed.datasets import declaration
from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import mask_lookup, pair_faults
from seedbed.datasets.labels import LabelTable, read_label_csv
from seedbed.datasets.listed import ListedDataset
from seedbed.errors import SeedbedError, unknown_name

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


class FolderOptions(declaration.Options):
    """Options of kind `folder`; paths are relative to the root."""

    labels: str = "labels.csv"
    """CSV: a column `image_id`; one 0/1 column per class, or a column `labels` of names (separated by `;` or
    spaces); a column `split`, if any. Splits that have CSV lists of their own do not need it."""
    images: str = "."
    masks: str | None = None
    """Folder of PNGs (palette or grey indices) that mirrors the images."""
    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Without background. By default the class columns of the CSV, or the names in its column `labels`, sorted."""
    mask_indices: dict[str, Annotated[int, Field(ge=1, le=253)]] = Field(default_factory=dict)
    """Class → index in the masks, if it is not 1, 2, … in the order of the classes."""


class _Finder:
    """Files below a folder, by path or name, with or without extension; the folder is walked once."""

    def __init__(self, folder: Path, suffixes: frozenset[str], without: Path | None = None) -> None:
        self.folder = folder
        self.by_key: dict[str, list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in suffixes or not path.is_file():
                continue
            if without in path.parents:
                continue
            below = path.relative_to(folder)
            keys = {below.as_posix(), below.with_suffix("").as_posix(), below.name, below.stem}
            for key in keys:
                self.by_key.setdefault(key, []).append(path)

    def find(self, key: str, what: str) -> Path:
        exact = self.folder / key
        found = self.by_key.get(key, [])
        if exact in found:
            return exact
        direct = [p for p in found if p.relative_to(self.folder).with_suffix("").as_posix() == key]
        found = direct or found
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(p.relative_to(self.folder).as_posix() for p in found)
            raise SeedbedError(f"{self.folder}: {key!r} could be {choices}; write the path below the folder")
        raise SeedbedError(f"{self.folder}: expected {what} for {key!r}, but there is no such file")


class FolderDataset(ListedDataset):
    """A folder of photographs with a CSV."""

    Options: ClassVar = FolderOptions
    needs_root: ClassVar = True

    def __init__(
        self, name: str, root: Path | None, options: FolderOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; reads the CSV files.

        Raises:
            SeedbedError: nothing says what the classes are, or `mask_indices` names an unknown one.
        """
        assert root is not None
        super().__init__(name, root, splits)
        self.options = options
        self._tables = self._read_tables()
        self.classes = self._tables[0].classes
        if not self.classes:
            told = [f for t in self._tables for f in t.faults]
            raise SeedbedError(
                told[0]
                if told
                else f"{root / options.labels}: expected classes, got none; add columns, or set `classes`"
            )
        for c in options.mask_indices:
            if c not in self.classes:
                raise SeedbedError(
                    f"datasets.{name}.with.mask_indices: {unknown_name('class', c, self.classes)}"
                )
        self._lookup = mask_lookup([options.mask_indices.get(c, i + 1) for i, c in enumerate(self.classes)])
        self._rows = {i: row for t in self._tables for i, row in t.rows.items()}

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels.

        Raises:
            SeedbedError: no CSV holds the image.
        """
        if image_id not in self._rows:
            raise SeedbedError(self._unlabelled(image_id))
        return self._rows[image_id]

    def source(self, image_id: str) -> Path:
        """The image's file.

        Raises:
            SeedbedError: there is none, or there are several that fit.
        """
        return self._images.find(image_id, "a photograph")

    def faults(self) -> list[str]:
        """Every fault, one line each: splits, labels, photographs, masks."""
        faults = [f for t in self._tables for f in t.faults]
        faults += self._split_faults()
        for image_id in self._listed:
            if image_id not in self._rows:
                faults.append(self._unlabelled(image_id))
            try:
                mask = self._mask_path(image_id) if image_id in self._masked else None
            except SeedbedError as error:
                faults.append(str(error))
                mask = None
            try:
                faults += pair_faults(self.source(image_id), mask, self._lookup)
            except SeedbedError as error:
                faults.append(str(error))
        for image_id in self._rows.keys() - self._listed.keys():
            try:
                self.source(image_id)
            except SeedbedError as error:
                faults.append(f"{error}, although the CSV labels it")
        return list(dict.fromkeys(faults))

    def _unlabelled(self, image_id: str) -> str:
        labels = self.root / self.options.labels
        return f"{labels}: no labels for image {image_id!r}; add them, or take it off the list"

    def _read_tables(self) -> list[LabelTable]:
        lists = [s.list or "" for s in self.splits.values()]
        paths = [self.root / f for f in lists if f.endswith(".csv")]
        if len(paths) < len(lists):
            paths.insert(0, self.root / self.options.labels)
        first = read_label_csv(paths[0], self.options.classes)
        return [first] + [read_label_csv(p, first.classes) for p in paths[1:]]

    def _read_split(self, split: str) -> tuple[list[str], Path]:
        named = self.splits[split].list
        path = self.root / (named if named and PurePosixPath(named).suffix else self.options.labels)
        if path.suffix == ".csv" and named == path.relative_to(self.root).as_posix():
            return list(read_label_csv(path, self.classes).rows), path
        if path.suffix == ".txt":
            if not path.is_file():
                raise SeedbedError(f"{path}: expected a list of ids, one per line, but there is no such file")
            return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()], path
        table = self._tables[0]
        if table.splits:
            return [i for i, s in table.splits.items() if s == (named or split)], path
        if len(self.splits) == 1:
            return list(table.rows), path
        raise SeedbedError(
            f"{path}: nothing says which images are in split {split!r}; add a column `split`,"
            f" or name a list: datasets.{self.name}.splits.{split}.list"
        )

    @cached_property
    def _images(self) -> _Finder:
        masks = self.root / self.options.masks if self.options.masks else None
        return _Finder(self.root / self.options.images, SUFFIXES, without=masks)

    @cached_property
    def _masks(self) -> _Finder:
        return _Finder(self.root / (self.options.masks or "."), frozenset({".png"}))

    @cached_property
    def _masked(self) -> frozenset[str]:
        return super()._masked if self.options.masks else frozenset()

    def _mask_path(self, image_id: str) -> Path:
        below = self.source(image_id).relative_to(self._images.folder)
        return self._masks.find(below.with_suffix(".png").as_posix(), "a mask")
