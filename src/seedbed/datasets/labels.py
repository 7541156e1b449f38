"""Image-level labels as people publish them: a CSV, VOC's annotation XML, or the field's `cls_labels.npy`.

Every reader returns a `LabelTable`. It collects what is wrong in a file, so that everything can be reported at once.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool, Shaped

from seedbed.datasets.plain_pickle import read_plain_pickle
from seedbed.errors import unknown_name


@dataclass
class LabelTable:
    """Image-level labels by id, in the order of the file."""

    classes: tuple[str, ...]
    rows: dict[str, Bool[np.ndarray, "classes"]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    """Id → split, if the file has such a column."""
    faults: list[str] = field(default_factory=list)
    """One line each, naming the file."""


ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN = "image_id", "split", "labels"


def read_label_csv(path: Path, classes: Sequence[str] | None = None) -> LabelTable:
    """Labels from a CSV: a column `image_id`, then one 0/1 column per class or one column `labels` of names.

    A column `split` may say to which split an image belongs.

    Names in one cell are separated by `;`, or by spaces if the cell has no `;`. An empty cell stands for an image
    without any class.

    Args:
        path: the file.
        classes: the classes to read; None for all class columns in their order, or all names, sorted.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = [c.strip() for c in reader.fieldnames or ()]
            reader.fieldnames = header
            records = [(reader.line_num, record) for record in reader]
    except FileNotFoundError:
        return LabelTable(
            tuple(classes or ()), faults=[f"{path}: expected a CSV of labels, but there is no such file"]
        )
    except (UnicodeDecodeError, csv.Error) as error:
        return LabelTable(tuple(classes or ()), faults=[f"{path}: not a readable CSV ({error})"])

    columns = [c for c in header if c not in (ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN)]
    by_name = NAMES_COLUMN in header
    if classes is None:
        names = {n for _, r in records for n in _names(r.get(NAMES_COLUMN) or "", ())} if by_name else set()
        classes = sorted(names) if by_name else columns
    table = LabelTable(tuple(classes))
    if ID_COLUMN not in header:
        table.faults.append(
            f"{path}: expected a column {ID_COLUMN!r}, but the columns are {', '.join(header)}"
        )
        return table
    if not by_name:
        missing = [c for c in classes if c not in columns]
        table.faults += [f"{path}: {unknown_name('class (column)', c, columns)}" for c in missing]
        if missing:
            return table
    for line, record in records:
        image_id = (record[ID_COLUMN] or "").strip()
        if not image_id:
            table.faults.append(f"{path}, line {line}: expected an {ID_COLUMN}, got an empty cell")
            continue
        if image_id in table.rows:
            table.faults.append(f"{path}, line {line}: {image_id!r} is listed twice")
            continue
        try:
            table.rows[image_id] = (
                _from_names(record[NAMES_COLUMN] or "", table.classes)
                if by_name
                else _from_columns(record, table.classes)
            )
        except ValueError as error:
            table.faults.append(f"{path}, line {line}: {error}")
            continue
        if SPLIT_COLUMN in header:
            table.splits[image_id] = (record[SPLIT_COLUMN] or "").strip()
    return table


def _names(cell: str, classes: Sequence[str]) -> list[str]:
    if ";" in cell:
        return [n.strip() for n in cell.split(";") if n.strip()]
    return [cell.strip()] if cell.strip() in classes else cell.split()


def _from_names(cell: str, classes: Sequence[str]) -> Bool[np.ndarray, "classes"]:
    row = np.zeros(len(classes), dtype=bool)
    for name in _names(cell, classes):
        if name not in classes:
            raise ValueError(unknown_name("class", name, classes))
        row[classes.index(name)] = True
    return row


def _from_columns(record: dict[str, Any], classes: Sequence[str]) -> Bool[np.ndarray, "classes"]:
    values = [(record[c] or "").strip() for c in classes]
    for c, value in zip(classes, values, strict=True):
        if value not in ("0", "1", "0.0", "1.0", ""):
            raise ValueError(f"expected 0 or 1 for {c!r}, got {value!r}")
    return np.array([v in ("1", "1.0") for v in values], dtype=bool)


def read_annotations(
    folder: Path, classes: Sequence[str], known: Sequence[str], ids: Sequence[str]
) -> LabelTable:
    """Labels from VOC's XML: every `object`, including difficult ones, as in the field's own label file.

    Args:
        folder: contains `<id>.xml`.
        classes: classes of the data set.
        known: names that are not faults; those outside `classes` are left out.
        ids: the images whose files are read.
    """
    table = LabelTable(tuple(classes))
    if not folder.is_dir():
        table.faults.append(f"{folder}: expected the folder of annotations, but there is none")
        return table
    for image_id in ids:
        path = folder / f"{image_id}.xml"
        if not path.is_file():
            continue
        try:
            found = {
                (o.findtext("name") or "").strip()
                for o in ElementTree.parse(path).getroot().findall("object")
            }
        except ElementTree.ParseError as error:
            table.faults.append(f"{path}: not readable XML ({error})")
            continue
        table.faults += [f"{path}: {unknown_name('class', n, known)}" for n in sorted(found - set(known))]
        table.rows[image_id] = np.array([c in found for c in classes], dtype=bool)
    return table


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
        table.faults.append(f"{path}: expected the file of labels, but there is no such file")
        return table
    except (ValueError, OSError) as error:
        table.faults.append(f"{path}: expected a dict of label vectors as the field publishes it ({error})")
        return table
    picked = [columns.index(c) for c in classes]
    for key, vector in content.items():
        image_id = key if isinstance(key, str) else f"{key // 10**6:04d}_{key % 10**6:06d}"
        if vector.shape != (len(columns),):
            table.faults.append(
                f"{path}: expected {len(columns)} numbers for {image_id}, got {len(vector)}; replace the file"
            )
        elif not np.isin(vector, (0, 1)).all():
            table.faults.append(f"{path}: expected zeros and ones for {image_id}, got {vector.tolist()}")
        else:
            table.rows[image_id] = vector[picked] > 0
    return table


def _vectors(path: Path) -> dict[str | int, Shaped[np.ndarray, "length"]]:
    """The content of `cls_labels.npy`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a `.npy` file of one dict of plain vectors.
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, kind = read(file)
        if shape != () or kind != np.dtype(object):
            raise ValueError(f"it is an array of shape {shape} and type {kind}")
        return read_plain_pickle(file.read())
