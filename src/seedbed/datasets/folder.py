"""A user's own photographs: a folder, image-level labels (a CSV, or sub-folders), and masks if there are any.

Ids are what the CSV says: a path below the folder of images, or a file's name, with or without its extension; the
file may lie in any sub-folder. Splits come from a column of the CSV or from one CSV or text file per split; if only
one split is declared and nothing else is said, it consists of all rows. Where sub-folders are the labels
(`label_folders`), ids are paths, and splits are text files or folders above those of the classes.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from seedbed.datasets import declaration
from seedbed.datasets.class_names import BACKGROUND, refuse_classes
from seedbed.datasets.declaration import RelativePath, SplitDeclaration
from seedbed.datasets.files import MOST_CLASSES, PNGS, SUFFIXES, mask_lookup, named_otherwise
from seedbed.datasets.finder import Finder, without_suffix
from seedbed.datasets.label_csv import read_label_csv
from seedbed.datasets.label_folders import FOLDERS, read_label_folders
from seedbed.datasets.labels import LabelTable
from seedbed.datasets.listed import ListedDataset, SplitList
from seedbed.datasets.mask_checks import MaskChecks
from seedbed.errors import SeedbedError, unknown_name

EXAMPLES = 3
"""Files that a note names."""
LISTS = frozenset({".txt", ".csv"})
"""Endings of a split's list, in lower case; without one of them, it is a name in the column of splits."""


class FolderOptions(declaration.Options):
    """Options of kind `folder`; paths are relative to the root."""

    labels: RelativePath = "labels.csv"
    """CSV with commas: a column `image_id`; one 0/1 column per class, or a column `labels` of names (separated by `;`,
    or by spaces if no cell has a `;`); a column `split`, if any. Splits that have CSV lists of their own do not need
    it. Or `folders`: the sub-folder of a photograph is its class (`cat/a.jpg`, or `train/cat/a.jpg`), and
    `background` holds photographs without any."""
    images: RelativePath = "."
    masks: RelativePath | None = None
    """Folder of PNGs (palette or grey indices) that mirrors the images: `a.png` or `a.jpg.png` for `a.jpg`."""
    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Without background. By default the class columns of the CSV, or the names in its column `labels`, or the
    sub-folders, sorted."""
    mask_indices: dict[str, Annotated[int, Field(ge=1, le=253)]] = Field(default_factory=dict)
    """Class → index in the masks, if it is not 1, 2, … in the order of the classes."""


class FolderDataset(ListedDataset):
    """A folder of photographs with a CSV."""

    Options: ClassVar = FolderOptions
    needs_root: ClassVar = True

    def __init__(
        self, name: str, root: Path | None, options: FolderOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; reads the CSV files.

        Raises:
            SeedbedError: more classes than masks can tell apart.
        """
        assert root is not None
        super().__init__(name, root, splits)
        self.options = options
        self._label_tables = self._read_tables()
        self.classes = self._label_tables[0].classes
        if len(self.classes) > MOST_CLASSES:
            raise SeedbedError(
                f"{self._label_tables[0].path}: expected at most {MOST_CLASSES} classes, because masks have 8 bits, got"
                f" {len(self.classes)}; name fewer in `classes`"
            )
        self.class_indices = [options.mask_indices.get(c, i + 1) for i, c in enumerate(self.classes)]
        self._lookup = mask_lookup(self.class_indices)
        self._sources: dict[str, str] = {}
        if options.classes is not None:
            refuse_classes(options.classes, f"datasets.{name}.with.classes")

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels.

        Raises:
            SeedbedError: no CSV holds the image, or its row is not understood.
        """
        labelled = [t for t in self._label_tables if image_id in t.lines]
        table = labelled[0] if labelled else self._label_tables[0]
        return table.labels(image_id, self._label_path)

    def source(self, image_id: str) -> Path:
        """The image's file.

        Raises:
            SeedbedError: there is none, or there are several that fit.
        """
        return self._images.folder / self._source(image_id)

    def _source(self, image_id: str) -> str:
        """Its path below the folder of images."""
        if image_id not in self._sources:
            self._sources[image_id] = self._images.find_below(image_id, "photograph")
        return self._sources[image_id]

    def places(self) -> list[Path]:
        """Labels, lists, the folder of images, and that of masks if there is one."""
        lists = [self.root / (s.list or "") for name, s in self.splits.items() if self._has_file(name)]
        folders = [self.root / folder for folder in (self.options.images, self.options.masks) if folder]
        return [*dict.fromkeys([*(t.path for t in self._label_tables), *lists, *folders])]

    def notes(self) -> list[str]:
        """Those of all data sets, and photographs that no row names."""
        return super().notes() + self._unnamed() + self._unread() + self._numbers()

    def _numbers(self) -> list[str]:
        """Classes that are called 0, 1, 2, …, most likely since a column `labels` holds indices."""
        if not self.classes or not all(c.isdecimal() for c in self.classes):
            return []
        return [
            f"the classes are called {', '.join(self.classes[:EXAMPLES])}{', …' * (len(self.classes) > EXAMPLES)}; if"
            " these numbers stand for names, write the names"
        ]

    def _unread(self) -> list[str]:
        """Photographs of formats that are not read."""
        found = [p for p in self._images.unread if not p.startswith(".") and "/." not in p]
        if not found:
            return []
        files, what = ("file", "a photograph") if len(found) == 1 else ("files", "photographs")
        ends = f", … in {self._images.folder}" if len(found) > EXAMPLES else f" in {self._images.folder}"
        return [
            f"{len(found)} {files} of other formats or without an ending, not read as {what}: "
            f"{', '.join(found[:EXAMPLES])}{ends}; convert to JPEG, or add the ending"
        ]

    def _unnamed(self) -> list[str]:
        """Known after `faults`, which looks for the file of every row."""
        tables = self._label_tables
        if self.options.labels == FOLDERS or not all(table.readable for table in tables):
            return []
        named = {os.path.realpath(self._images.folder / below) for below in self._sources.values()}
        left = [path for path in self._images.paths if os.path.realpath(path) not in named]
        if not left:
            return []
        told = f"{len(left)} photographs are" if len(left) > 1 else "1 photograph is"
        return [
            f"{told} not in the data set, since no row names {'them, first' if len(left) > 1 else 'it,'} {left[0]}"
        ]

    def _own_faults(self) -> list[str]:
        faults = self._class_faults() + self._disagreements() + self._undeclared() + self._no_folder()
        return faults + self._images.faults + (self._masks.faults if self.options.masks else [])

    def _tables(self) -> Sequence[LabelTable]:
        return self._label_tables

    def _read_tables(self) -> list[LabelTable]:
        lists = [s.list or "" for s in self.splits.values()]
        if self.options.labels == FOLDERS:
            folder, in_splits = self._images.folder, self._has_split_folders()
            return [read_label_folders(folder, self._images.paths, self.options.classes, in_splits)]
        paths = [self.root / f for f in dict.fromkeys(lists) if _ending(f) == ".csv"]
        if not all(_ending(f) == ".csv" for f in lists):
            paths.insert(0, self._label_path)
        first = read_label_csv(paths[0], self.options.classes)
        return [first] + [self._further(p, first) for p in dict.fromkeys(paths[1:]) if p != paths[0]]

    def _further(self, path: Path, first: LabelTable) -> LabelTable:
        """A CSV after the first, whose classes are those of the first; others are faults, unless they are declared."""
        table = read_label_csv(path, first.classes)
        if self.options.classes is None and first.readable and table.readable:
            others = [c for c in read_label_csv(path).classes if c not in first.classes]
            table.faults += [
                f"{path}: the class {c!r} is not one of {first.path} ({', '.join(first.classes)[:200]}); add it there,"
                " or name all classes in `classes`"
                for c in others
                if not any(repr(c) in fault for fault in table.faults)
            ]
        return table

    def _has_split_folders(self) -> bool:
        """Whether every split that has no list of its own is a folder that holds folders."""
        folders = [
            self._images.folder / (self.splits[s].list or s) for s in self.splits if not self._has_file(s)
        ]
        return bool(folders) and all(f.is_dir() and any(p.is_dir() for p in f.iterdir()) for f in folders)

    def _class_faults(self) -> list[str]:
        """No classes, and indices in the masks that are not one for each class."""
        first = self._label_tables[0]
        if not self.classes and first.readable and not first.faults:
            return [f"{first.path}: expected classes, got none; add columns, or set `classes`"]
        background = [c for c in self.classes if c.lower() in BACKGROUND]
        if background:
            return [f"datasets.{self.name}.with.classes: {background[0]!r} is not a class; leave it out"]
        where = f"datasets.{self.name}.with.mask_indices"
        known = self.options.mask_indices if self.classes else ()
        faults = [
            f"{where}: {unknown_name('class', c, self.classes)}" for c in known if c not in self.classes
        ]
        for index in sorted(set(self.class_indices)):
            names = [c for c, i in zip(self.classes, self.class_indices, strict=True) if i == index]
            if len(names) > 1:
                faults.append(
                    f"{where}: {' and '.join(map(repr, names))} have the index {index}; give each class its own"
                )
        return faults

    def _no_folder(self) -> list[str]:
        """Splits with masks, where no folder of masks is named."""
        masked = [] if self.options.masks else [s for s, declared in self.splits.items() if declared.masks]
        return [
            f"datasets.{self.name}.splits.{split}: has masks unless `masks: false` is declared, but `with.masks` names"
            " no folder of them; declare either"
            for split in masked
        ]

    def _disagreements(self) -> list[str]:
        """Images to which two CSV files give different labels."""
        faults = []
        first: dict[str, LabelTable] = {}
        for table in self._label_tables:
            for image_id, row in table.rows.items():
                other = first.setdefault(image_id, table)
                if (other.rows[image_id] != row).any():
                    faults.append(
                        f"{table.at(image_id)}: {image_id!r} has other labels than in {other.at(image_id)};"
                        " correct one of them"
                    )
        return faults

    def _undeclared(self) -> list[str]:
        """Rows whose split is empty or is not declared, where a split is read from the column."""
        by_column = [self.splits[s].list or s for s in self.splits if not self._has_file(s)]
        table = self._label_tables[0]
        rows: dict[str, list[str]] = {}
        for image_id, split in table.splits.items():
            rows.setdefault(split, []).append(image_id)
        faults = []
        for split, ids in rows.items() if by_column else ():
            where = table.at(ids[0])
            count = f" ({len(ids)} rows)" if len(ids) > 1 else ""
            if not split:
                faults.append(f"{where}: {ids[0]!r} has no split{count}; write one of {', '.join(by_column)}")
            elif split not in by_column:
                told = unknown_name("split", split, by_column)
                faults.append(
                    f"{where}: {told} Correct it, or declare it in datasets.{self.name}.splits{count}"
                )
        return faults

    def _has_file(self, split: str) -> bool:
        return _ending(self.splits[split].list or "") in LISTS

    def _read_split(self, split: str) -> SplitList:
        named = self.splits[split].list
        in_folders = self.options.labels == FOLDERS
        labels = self._images.folder if in_folders else self._label_path
        path = self.root / named if named and self._has_file(split) else labels
        ending = _ending(path.name)
        if in_folders and ending == ".csv":
            raise SeedbedError(f"{path}: expected a list of ids (.txt), since sub-folders are the labels")
        if ending == ".txt" and self._has_file(split):
            if not path.is_file():
                raise SeedbedError(f"{path}: expected a list of ids, one per line, but there is no such file")
            return self._as_in_labels(SplitList.of_lines(path))
        table = next((t for t in self._label_tables if t.path == path), self._label_tables[0])
        if not table.readable:
            raise SeedbedError(table.faults[0])
        if not self._has_file(split) and table.misnamed_split:
            raise SeedbedError(table.misnamed_split)
        if named and not self._has_file(split):
            self._refuse_unknown(named, split, table)
        if not self._has_file(split) and table.splits:
            ids = [i for i, s in table.splits.items() if s == (named or split)]
        elif self._has_file(split) or len(self.splits) == 1:
            ids = list(table.lines)
        else:
            advice = f"put them into {split}/CLASS" if in_folders else "add a column `split`"
            raise SeedbedError(
                f"{path}: nothing says which images are in split {split!r}; {advice},"
                f" or name a list: datasets.{self.name}.splits.{split}.list"
            )
        reasons = self._reasons(table, named or split) if not ids else []
        if reasons:
            raise SeedbedError(reasons[0])
        return SplitList(path, ids, [table.lines[i] for i in ids])

    def _as_in_labels(self, listed: SplitList) -> SplitList:
        """A list whose ids have to be written as in the labels, with their endings or without.

        Raises:
            SeedbedError: no id of the list is in the labels, but all of them are, with or without an ending.
        """
        known = {i for t in self._label_tables for i in t.lines}
        if not known or not listed.ids or any(i in known for i in listed.ids):
            return listed
        by_stem: dict[str, str] = {}
        for image_id in known:
            by_stem.setdefault(without_suffix(image_id), image_id)
        meant = [by_stem.get(i) or by_stem.get(without_suffix(i)) for i in listed.ids]
        if meant[0] is None or None in meant:
            return listed
        raise SeedbedError(
            f"{listed.path}: expected ids as in {self._label_tables[0].path}, such as {meant[0]!r}, got"
            f" {listed.ids[0]!r}; write them alike, with their endings or without"
        )

    def _refuse_unknown(self, named: str, split: str, table: LabelTable) -> None:
        """Refuse what a split's `list` says where it is neither a file that is read nor a name in the column of splits.

        Raises:
            SeedbedError: naming what it may be.
        """
        is_file = (self.root / named).is_file() or bool(_ending(named))
        if named in table.splits.values() or (table.splits and not is_file):
            return
        column = "sub-folder" if self.options.labels == FOLDERS else "name in the column `split`"
        told = f"expected a list of ids (.txt), a CSV (.csv), or a {column}, got {named!r}"
        advice = (
            "give the file one of these endings" if is_file else f"name a file, or leave out `list: {named}`"
        )
        raise SeedbedError(f"datasets.{self.name}.splits.{split}.list: {told}; {advice}")

    def _reasons(self, table: LabelTable, split: str) -> list[str]:
        """Faults because of which a split may have no images: rows that are cut off, or whose split is misspelt."""
        refused = [table.refused[i] for i in table.lines if i not in table.splits and i in table.refused]
        told = ("has no split", f"did you mean {split}")
        return refused + [fault for fault in self._undeclared() if any(t in fault for t in told)]

    def _unlisted(self) -> list[str]:
        return [i for t in self._label_tables for i in t.lines if i not in self._listed]

    @cached_property
    def _label_path(self) -> Path:
        return self.root / self.options.labels

    @cached_property
    def _images(self) -> Finder:
        masks = self.root / self.options.masks if self.options.masks else None
        return Finder(self.root / self.options.images, SUFFIXES, without=masks)

    @cached_property
    def _masks(self) -> Finder:
        return Finder(self.root / (self.options.masks or "."), frozenset({".png"}))

    @cached_property
    def _masked(self) -> frozenset[str]:
        return super()._masked if self.options.masks else frozenset()

    def _mask_path(self, image_id: str) -> Path | None:
        """`a.png`, or `a.jpg.png` as `seedbed export` may call it, for `a.jpg`; beside `a.bmp`, `a.png` may be its."""
        below = self._source(image_id)
        stem = without_suffix(below)
        found, short = self._masks.mirrored(below), self._masks.mirrored(stem)
        if not found or len(self._images.mirrored(stem)) == 1:
            found = found + short
        if len(found) > 1:
            names = " or ".join(PurePosixPath(path).name for path in found)
            raise SeedbedError(f"{self._masks.folder}: the mask of {image_id!r} could be {names}; keep one")
        return self._masks.folder / found[0] if found else None

    def _no_mask(self, image_id: str) -> str:
        below = f"{without_suffix(self._source(image_id))}.png"
        only = named_otherwise(self._masks.folder / below, PNGS)
        return f"{self._masks.folder}: expected a mask for {below!r}, but there is no such file{only}"

    def _new_checks(self) -> MaskChecks:
        unclear = {
            c
            for c, i in zip(self.classes, self.class_indices, strict=True)
            if self.class_indices.count(i) > 1
        }
        return MaskChecks(self.classes, self.class_indices, frozenset(unclear))


def _ending(path: str) -> str:
    """The ending of a path in lower case, with its dot; empty if there is none."""
    return PurePosixPath(path).suffix.lower()
