"""Image-level labels from a CSV that a person, a spreadsheet or pandas wrote.

A cell that is not understood refuses its row, never the whole file, so that `seedbed doctor` can list every fault and
no consequence of one.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from seedbed.datasets.class_names import BACKGROUND, NOTHING, alike, alike_faults, class_fault, reserved_fault
from seedbed.datasets.files import id_fault
from seedbed.datasets.label_names import NameCells
from seedbed.datasets.labels import LabelTable
from seedbed.errors import unknown_name
from seedbed.regular_files import open_regular, system_reason

ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN = "image_id", "split", "labels"
RowReader = Callable[[int, list[str]], tuple[Bool[np.ndarray, "classes"] | None, list[str]]]
"""From line and cells to labels, or to None and what is wrong."""
TRUTH = {"0": False, "1": True, "0.0": False, "1.0": True}


def read_label_csv(path: Path, classes: Sequence[str] | None = None) -> LabelTable:
    """Labels from a CSV: a column `image_id`, then one 0/1 column per class or one column `labels` of names.

    A column `split` may say to which split an image belongs.

    Names in one cell are separated by `;`, or by spaces if no cell of the file has a `;`. An empty cell of names
    stands for an image without any class.

    Args:
        path: the file.
        classes: the classes to read; None for all class columns in their order, or all names, sorted.
    """
    try:
        sheet = _read_sheet(path)
    except ValueError as error:
        return LabelTable(tuple(classes or ()), faults=[str(error)], readable=False)
    if NAMES_COLUMN in sheet.header:
        return _read_names(sheet, classes)
    return _read_columns(sheet, classes)


@dataclass(frozen=True)
class _Sheet:
    """Cells of a CSV, trimmed; rows whose number of cells differs from the header's are kept as they are."""

    path: Path
    header: list[str]
    header_line: int
    rows: list[tuple[int, list[str]]]

    def at(self, line: int) -> str:
        return f"{self.path}, line {line}"

    @property
    def where(self) -> str:
        return self.at(self.header_line)

    def whole(self) -> list[tuple[int, list[str]]]:
        """Rows with as many cells as the header."""
        return [(line, cells) for line, cells in self.rows if len(cells) == len(self.header)]

    def cell(self, cells: list[str], column: str) -> str:
        return cells[self.header.index(column)]


def _read_sheet(path: Path) -> _Sheet:
    """Raises ValueError with the one line of the fault if no row can be understood."""
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, [c.strip() for c in cells]) for cells in reader if cells]
    except FileNotFoundError:
        raise ValueError(f"{path}: expected a CSV of labels, but there is no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: not a readable CSV ({system_reason(error)}); replace it") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: not a readable CSV ({error}); save it as UTF-8 with commas") from None
    if not rows:
        raise ValueError(f"{path}: expected a CSV of labels, but the file is empty")
    (line, header), *rows = rows
    if ID_COLUMN in header:
        return _Sheet(path, header, line, rows)
    for separator, name in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (":", "':'"), (" ", "space")):
        if ID_COLUMN in [c.strip() for c in separator.join(header).split(separator)]:
            raise ValueError(
                f"{path}, line {line}: expected commas between the columns, got the separator {name}; write commas"
            )
    wanted = f"{path}, line {line}: expected a column {ID_COLUMN!r}"
    if near := [c for c in header if c.strip(" \ufeff").casefold() == ID_COLUMN]:
        raise ValueError(f"{wanted}, but it is called {near[0]!a}; rename it")
    if any(ID_COLUMN in cells for _, cells in rows[:1]):
        raise ValueError(f"{wanted}, but the header comes after it; remove this line")
    raise ValueError(f"{wanted}, but the columns are {', '.join(header)[:200]}")


def _read_columns(sheet: _Sheet, given: Sequence[str] | None) -> LabelTable:
    columns = [c for c in sheet.header if c not in (ID_COLUMN, SPLIT_COLUMN)]
    missing: list[str] = []
    if given is None:
        classes, faults = _class_columns(sheet, list(dict.fromkeys(columns)))
        faults += _repeated_columns(sheet, sheet.header)
        faults += alike_faults(sheet.where, classes)
    else:
        classes = [c for c in given if c in columns]
        absent = [c for c in given if c not in columns]
        missing = [f"{sheet.where}: {unknown_name('class (column)', c, columns)}" for c in absent]
        read = (*given, ID_COLUMN, SPLIT_COLUMN)
        faults = missing + _repeated_columns(sheet, [c for c in sheet.header if c in read])
    table = LabelTable(tuple(classes if given is None else given), path=sheet.path, faults=faults)

    places = [sheet.header.index(c) for c in classes]

    def labels(line: int, cells: list[str]) -> tuple[Bool[np.ndarray, "classes"] | None, list[str]]:
        values = [cells[place] for place in places]
        found = [TRUTH.get(value) for value in values]
        if None not in found and not missing:
            return np.array(found, dtype=bool), []
        told = [
            f"{sheet.at(line)}: expected 0 or 1 for {c!r}, got {repr(v) if v else 'an empty cell'}"
            for c, v in zip(classes, values, strict=True)
            if v not in TRUTH
        ]
        return None, told or missing

    _fill(table, sheet, labels)
    return table


def _class_columns(sheet: _Sheet, columns: list[str]) -> tuple[list[str], list[str]]:
    """The columns that are classes, and one fault for each that is not."""
    classes, faults = [], []
    rows = sheet.whole()
    for column in columns:
        place = sheet.header.index(column)
        number = place + 1
        advice = "name the classes in `classes`, or remove the column"
        if not column:
            trailing = number == len(sheet.header)
            advice = "remove the trailing comma" if trailing else "pandas: to_csv(…, index=False)"
            faults.append(f"{sheet.where}: column {number} has no name; {advice}")
        elif column.startswith("Unnamed: "):
            faults.append(
                f"{sheet.where}: column {column!r} is the index of a pandas table; write it with index=False"
            )
        elif fault := class_fault(column):
            faults.append(f"{sheet.where}: {fault}")
        elif column.lower() in BACKGROUND:
            faults.append(f"{sheet.where}: column {column!r} is not a class of a label file; {advice}")
        elif fault := reserved_fault(column):
            faults.append(f"{sheet.where}: {fault}")
        elif rows and not any(cells[place] in TRUTH for _, cells in rows):
            line, first = rows[0]
            got = repr(first[place]) if first[place] else "an empty cell"
            faults.append(
                f"{sheet.where}: column {column!r} is not a class: expected 0 or 1, got {got} in line {line}; {advice}"
            )
        else:
            classes.append(column)
    return classes, faults


def _repeated_columns(sheet: _Sheet, columns: Sequence[str]) -> list[str]:
    return [
        f"{sheet.where}: column {c!r} occurs {columns.count(c)} times; keep one"
        for c in dict.fromkeys(columns)
        if c and columns.count(c) > 1
    ]


def _unread_columns(sheet: _Sheet) -> list[str]:
    """0/1 columns beside the column of names: which of the two holds the labels is not clear."""
    rows = sheet.whole()
    columns = [
        column
        for place, column in enumerate(sheet.header)
        if column not in (ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN)
        and rows
        and all(cells[place] in TRUTH for _, cells in rows)
    ]
    if not columns:
        return []
    return [
        f"{sheet.where}: column {NAMES_COLUMN!r} names the classes, so {', '.join(map(repr, columns))} of 0 and 1 "
        f"would not be read; remove these, or rename {NAMES_COLUMN!r}"
    ]


def _read_names(sheet: _Sheet, given: Sequence[str] | None) -> LabelTable:
    cells = {line: sheet.cell(row, NAMES_COLUMN) for line, row in sheet.whole()}
    names = NameCells(cells, given)
    read = (ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN)
    faults = _repeated_columns(sheet, [c for c in sheet.header if c in read])
    faults += [f"{sheet.at(line)}: {fault}" for line, fault in names.ambiguous()]
    own = names.classes if given is None else ()
    background = [c for c in own if c.lower() in BACKGROUND | NOTHING]
    odd = {c: fault for c in own if c not in background and (fault := class_fault(c) or reserved_fault(c))}
    faults += _unread_columns(sheet)
    classes = tuple(c for c in names.classes if c not in (*background, *odd))
    faults += [f"{sheet.at(names.first_line(c))}: {fault}" for c, fault in odd.items()]
    if given is None:
        faults += [
            f"{sheet.at(names.first_line(c))}: {c!r} is not a class of a label file; leave the cell empty"
            for c in background
        ]
        for one, other, fault in alike(classes):
            faults.append(f"{sheet.at(max(names.first_line(one), names.first_line(other)))}: {fault}")
    table = LabelTable(classes, path=sheet.path, faults=faults)

    def labels(line: int, _: list[str]) -> tuple[Bool[np.ndarray, "classes"] | None, list[str]]:
        told = [f"{sheet.at(line)}: {fault}" for fault in names.faults(line)]
        found = names.of(line)
        return (None, told) if told else (np.array([c in found for c in classes], dtype=bool), [])

    _fill(table, sheet, labels)
    return table


def _fill(table: LabelTable, sheet: _Sheet, labels: RowReader) -> None:
    """Put every row in the table, or say why it is refused."""
    place = sheet.header.index(ID_COLUMN)
    for line, cells in sheet.rows:
        where = sheet.at(line)
        image_id = cells[place] if place < len(cells) else ""
        if len(cells) != len(sheet.header):
            told = f"{where}: expected {len(sheet.header)} cells as in the header, got {len(cells)}"
            table.refuse(image_id, [f"{told}; put a cell that contains commas in quotes"], line)
            continue
        fault = id_fault(image_id)
        if fault:
            table.faults.append(f"{where}: {fault}")
            continue
        if image_id in table.lines:
            table.faults.append(
                f"{where}: {image_id!r} is listed twice (first in line {table.lines[image_id]})"
            )
            continue
        if SPLIT_COLUMN in sheet.header:
            table.splits[image_id] = sheet.cell(cells, SPLIT_COLUMN)
        row, faults = labels(line, cells)
        if row is None:
            table.refuse(image_id, faults, line)
        else:
            table.lines[image_id] = line
            table.rows[image_id] = row
