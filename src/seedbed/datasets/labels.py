"""Image-level labels as the field publishes them: VOC's annotation XML and `cls_labels.npy`.

Every reader returns a `LabelTable`. It collects what is wrong in a file, so that everything can be reported at once.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, Shaped

from seedbed.datasets.known_files import Remember, read_anew
from seedbed.datasets.plain_pickle import pickle_of, read_plain_pickle
from seedbed.errors import SeedbedError, unknown_name
from seedbed.regular_files import read_regular, system_reason

END = "\0"
"""After each name in what is remembered of a file; XML cannot contain it."""


@dataclass
class LabelTable:
    """Image-level labels by id, in the order of the file."""

    classes: tuple[str, ...]
    rows: dict[str, Bool[np.ndarray, "classes"]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    """Id → split, if the file has such a column."""
    faults: list[str] = field(default_factory=list)
    """One line each, naming the file."""
    path: Path = Path()
    """The file, if it is a CSV; the folder, if sub-folders are the labels."""
    lines: dict[str, int] = field(default_factory=dict)
    """Id → line of the file, if it is a CSV, also of rows that are refused; 0 if sub-folders are the labels."""
    refused: dict[str, str] = field(default_factory=dict)
    """Id → first fault, of images whose labels are there but are not understood."""
    misnamed_split: str = ""
    """The fault of a column that seems to name splits, but is not called `split`."""
    readable: bool = True
    """Whether rows were found at all; if not, that is the only fault to tell."""

    def refuse(self, image_id: str, faults: list[str], line: int | None = None) -> None:
        """Keep the faults of an image's labels, and remember that it has some; `line` is its line of a CSV."""
        self.faults += [fault for fault in faults if fault not in self.faults]
        if not image_id or self.holds(image_id):
            return
        self.refused[image_id] = faults[0]
        if line is not None:
            self.lines[image_id] = line

    def at(self, image_id: str) -> str:
        """File and line that name an image; the photograph's own path if sub-folders are the labels."""
        line = self.lines.get(image_id)
        return f"{self.path}, line {line}" if line else str(self.path / image_id)

    def holds(self, image_id: str) -> bool:
        """Whether the file says something about an image, be it understood or not."""
        return image_id in self.rows or image_id in self.refused

    def labels(self, image_id: str, where: Path) -> Bool[np.ndarray, "classes"]:
        """Labels of an image.

        Args:
            image_id: the image.
            where: file of the labels, for the message.

        Raises:
            SeedbedError: there are none, or they are not understood.
        """
        if image_id in self.rows:
            return self.rows[image_id]
        if image_id in self.refused or not self.readable:
            raise SeedbedError(self.refused.get(image_id, self.faults[0]))
        raise SeedbedError(f"{where}: no labels for image {image_id!r}; add them, or take it off the list")


def read_annotations(
    folder: Path,
    classes: Sequence[str],
    known: Sequence[str],
    ids: Sequence[str],
    remember: Remember = read_anew,
) -> LabelTable:
    """Labels from VOC's XML: every `object`, including difficult ones, as in the field's own label file.

    Args:
        folder: contains `<id>.xml`.
        classes: classes of the data set.
        known: names that are not faults; those outside `classes` are left out.
        ids: the images whose files are read.
        remember: gets the names in each file, each with `END` after it.
    """
    table = LabelTable(tuple(classes))
    if not folder.is_dir():
        table.faults.append(f"{folder}: expected the folder of annotations, but there is none")
        table.readable = False
        return table
    names = set(known)
    rows: dict[str, np.ndarray] = {}
    for image_id in ids:
        path = f"{folder}/{image_id}.xml"
        try:
            told = remember(path, partial(_annotated, path))
            found = set(told.split(END)[:-1])
        except (ElementTree.ParseError, LookupError, ValueError, OSError) as error:
            if isinstance(error, OSError) and not os.path.lexists(path):
                continue
            reason = system_reason(error) if isinstance(error, OSError) else error
            table.refuse(image_id, [f"{path}: not readable XML ({reason}); replace it"])
            continue
        if not found <= names:
            unknown = [f"{path}: {unknown_name('class', n, known)}" for n in sorted(found - names)]
            table.refuse(image_id, unknown)
            continue
        if told not in rows:  # few, even where there are many images
            rows[told] = np.array([c in found for c in classes], dtype=bool)
            rows[told].flags.writeable = False
        table.rows[image_id] = rows[told]
    return table


def _annotated(path: str) -> str:
    """Names of the objects of VOC's XML, each with `END` after it.

    Raises:
        ValueError: not such a file, as do ElementTree.ParseError, LookupError and OSError.
    """
    root = ElementTree.fromstring(read_regular(Path(path)))
    if root.tag != "annotation":
        raise ValueError(f"its root is {root.tag[:50]!r}, not 'annotation'")
    names = {(o.findtext("name") or "").strip() for o in root.findall("object")}
    return "".join(f"{name}{END}" for name in sorted(names))


def read_cls_labels(path: Path, classes: Sequence[str], columns: Sequence[str]) -> LabelTable:
    """Labels from `cls_labels.npy`: a pickled dict, id → one number per class.

    Keys are strings, or VOC ids without their underscore as integers (2007000032 is 2007_000032).

    Args:
        path: the file.
        classes: classes of the data set.
        columns: the class of each entry of a vector.
    """
    table = LabelTable(tuple(classes))
    try:
        content = _vectors(path)
    except FileNotFoundError:
        return LabelTable(
            tuple(classes),
            faults=[f"{path}: expected the file of labels, but there is no such file"],
            readable=False,
        )
    except (ValueError, OSError) as error:
        told = (
            f"{path}: expected a dict of label vectors as the field publishes it ({error}); replace the file"
        )
        return LabelTable(tuple(classes), faults=[told], readable=False)
    picked = [columns.index(c) for c in classes]
    for key, vector in content.items():
        image_id = key if isinstance(key, str) else f"{key // 10**6:04d}_{key % 10**6:06d}"
        if vector.shape != (len(columns),):
            told = f"expected {len(columns)} numbers for {image_id}, got {len(vector)}"
            table.refuse(image_id, [f"{path}: {told}; replace the file"])
        elif not np.isin(vector, (0, 1)).all():
            told = f"expected zeros and ones for {image_id}, got {vector.tolist()}"
            table.refuse(image_id, [f"{path}: {told}; replace the file"])
        else:
            table.rows[image_id] = vector[picked] > 0
    return table


def _vectors(path: Path) -> dict[str | int, Shaped[np.ndarray, "length"]]:
    """The content of `cls_labels.npy`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a `.npy` file of one dict of plain vectors.
    """
    return read_plain_pickle(pickle_of(path))
