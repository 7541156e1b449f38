"""Image-level labels from a CSV that a person, a spreadsheet or pandas wrote.

A cell that is not understood refuses its row, never the whole file, so that `seedbed doctor` can list every fault and
no consequence of one.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from seedbed.datasets.class_names import BACKGROUND, NOTHING, alike, alike_faults, class_fault, reserved_fault
from seedbed.datasets.files import MOST_CLASSES, id_fault
from seedbed.datasets.label_names import NameCells
from seedbed.datasets.labels import LabelTable
from seedbed.datasets.sheet import ID_COLUMN, NAMES_COLUMN, SPLIT_COLUMN, Sheet, read_sheet
from seedbed.errors import unknown_name

RowReader = Callable[[int, list[str]], tuple[Bool[np.ndarray, "classes"] | None, list[str]]]
"""From line and cells to labels, or to None and what is wrong."""
TRUTH = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
"""What a cell of a class may say, in lower case."""
NAMES_LIKE = frozenset({"label", "labels", "class", "classes", "category", "categories", "tag", "tags"})
"""What people call the column of names, in lower case."""
_NAMES_TOO = frozenset(
    {"species", "breed", "object", "objects", "animal", "target", "annotation", "annotations"}
)
"""What they also call it, where it does not hold 0 and 1."""
_YES_OR_NO = re.compile(r"|[ynxtf+-]|yes|no|on|off|ja|nein|[✓✗✔✘]|[01][.,]0+", re.IGNORECASE)
"""What people write instead of 0 and 1."""
_SPLIT_FLAG = re.compile(r"(is|in)[_ -]?(train|val|valid|test)\w*|folds?|kfold", re.IGNORECASE)
"""Columns of numbers that say which split or fold an image is in."""
FEWEST_AGAIN = 3
"""Rows that name an image again, and one in so many of the images, from which on a table has a row per object."""
_HELD_OUT = frozenset({"val", "valid", "validation", "test", "testing"})


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
        sheet = read_sheet(path)
    except ValueError as error:
        return LabelTable(tuple(classes or ()), faults=[str(error)], readable=False)
    table = _read_names(sheet, classes) if NAMES_COLUMN in sheet.header else _read_columns(sheet, classes)
    table.misnamed_split = _misnamed_split(sheet, sheet.split_like) if sheet.split_like else ""
    return table


def _read_columns(sheet: Sheet, given: Sequence[str] | None) -> LabelTable:
    columns = [c for c in sheet.header if c not in (ID_COLUMN, SPLIT_COLUMN)]
    missing: list[str] = []
    if given is None:
        classes, faults = _class_columns(sheet, list(dict.fromkeys(columns)))
        faults += _repeated_columns(sheet, sheet.header)
        faults += alike_faults(sheet.where, classes)
    else:
        classes = [c for c in given if c in columns]
        absent = [c for c in given if c not in columns]
        named = [c for c in columns if c.casefold() in NAMES_LIKE and not _is_truth(sheet, c)]
        missing = [f"{sheet.where}: {unknown_name('class (column)', c, columns)}" for c in absent]
        if absent and named:
            missing = [_misnamed_names(sheet, named[0])]
        read = (*given, ID_COLUMN, SPLIT_COLUMN)
        faults = missing + _repeated_columns(sheet, [c for c in sheet.header if c in read])
    table = LabelTable(tuple(classes if given is None else given), path=sheet.path, faults=faults)

    places = [sheet.header.index(c) for c in classes]

    def labels(line: int, cells: list[str]) -> tuple[Bool[np.ndarray, "classes"] | None, list[str]]:
        values = [cells[place] for place in places]
        found = [TRUTH.get(value.lower()) for value in values]
        if None not in found and not missing:
            return np.array(found, dtype=bool), []
        told = [
            f"{sheet.at(line)}: expected 0 or 1 for {c!r}, got {repr(v) if v else 'an empty cell'}"
            for c, v in zip(classes, values, strict=True)
            if v.lower() not in TRUTH
        ]
        return None, told or missing

    _fill(table, sheet, labels)
    return table


def _class_columns(sheet: Sheet, columns: list[str]) -> tuple[list[str], list[str]]:
    """The columns that are classes, and one fault for each that is not."""
    classes, faults = [], []
    rows = sheet.whole()
    flags = {c.casefold() for c in columns}
    one_column_each = flags & {*_HELD_OUT, "train", "training"} if flags & _HELD_OUT else set()
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
        elif column == sheet.split_like:
            faults.append(_misnamed_split(sheet, column))
        elif column.casefold() in NAMES_LIKE and rows:
            faults.append(_misnamed_names(sheet, column))
        elif _SPLIT_FLAG.fullmatch(column) or column.casefold() in one_column_each:
            faults.append(
                f"{sheet.where}: column {column!r} seems to say which split an image is in; write a column"
                f" {SPLIT_COLUMN!r} of train, val, … instead, or name the classes in `classes`"
            )
        elif rows and not any(cells[place].lower() in TRUTH for _, cells in rows):
            words = {cells[place] for _, cells in rows}
            if all(map(_YES_OR_NO.fullmatch, words)):
                advice = "if it is a class, write 1 where it is shown and 0 where not; if it is none, name the classes"
                advice += " in `classes`"
            elif _names_classes(column, columns, words):
                faults.append(_misnamed_names(sheet, column))
                continue
            line, first = rows[0]
            got = repr(first[place]) if first[place] else "an empty cell"
            faults.append(
                f"{sheet.where}: column {column!r} is not a class: expected 0 or 1, got {got} in line {line}; {advice}"
            )
        else:
            classes.append(column)
    return classes, faults


def _names_classes(column: str, columns: Sequence[str], words: set[str]) -> bool:
    """Whether a column of other words than 0 and 1 may be that of names: it is called so, or is the only one."""
    called = column.casefold().replace("_", " ").split()
    if called[-1:] in (["name"], ["names"]):
        called = called[:-1]
    alike = len(called) == 1 and called[0] in NAMES_LIKE | _NAMES_TOO
    numbers = all(re.fullmatch(r"[\d.,+-]*", word) for word in words)
    return not numbers and (alike or [c for c in columns if c] == [column])


def _is_truth(sheet: Sheet, column: str) -> bool:
    """Whether all cells of a column are 0 or 1."""
    return all(cell.lower() in TRUTH for cell in sheet.cells(column))


def _misnamed_names(sheet: Sheet, column: str) -> str:
    if _is_truth(sheet, column):
        told = f"{sheet.where}: column {column!r} holds 0 and 1, but its name is not that of a class"
        return f"{told}; call it what 1 means"
    return (
        f"{sheet.where}: column {column!r} seems to name the classes; call it {NAMES_COLUMN!r}, or remove it"
    )


def _misnamed_split(sheet: Sheet, column: str) -> str:
    return (
        f"{sheet.where}: column {column!r} seems to name the splits; call it {SPLIT_COLUMN!r}, or remove it"
    )


def _repeated_columns(sheet: Sheet, columns: Sequence[str]) -> list[str]:
    return [
        f"{sheet.where}: column {c!r} occurs {columns.count(c)} times; keep one"
        for c in dict.fromkeys(columns)
        if c and columns.count(c) > 1
    ]


def _unread_columns(sheet: Sheet) -> list[str]:
    """0/1 columns beside the column of names: which of the two holds the labels is not clear."""
    rows = sheet.whole()
    columns = [
        column
        for place, column in enumerate(sheet.header)
        if column not in (ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN)
        and rows
        and all(cells[place].lower() in TRUTH for _, cells in rows)
    ]
    if not columns:
        return []
    return [
        f"{sheet.where}: column {NAMES_COLUMN!r} names the classes, so {', '.join(map(repr, columns))} of 0 and 1 "
        f"would not be read; remove these, or rename {NAMES_COLUMN!r}"
    ]


def _read_names(sheet: Sheet, given: Sequence[str] | None) -> LabelTable:
    unread = _unread_columns(sheet)
    if given is None and not unread and sheet.whole() and _is_truth(sheet, NAMES_COLUMN):
        return LabelTable((), faults=[_misnamed_names(sheet, NAMES_COLUMN)], path=sheet.path, readable=False)
    cells = {line: sheet.cell(row, NAMES_COLUMN) for line, row in sheet.whole()}
    names = NameCells(cells, given)
    if len(names.classes) > MOST_CLASSES:  # whoever reads the table refuses so many; rows would not help
        return LabelTable(names.classes, path=sheet.path)
    read = (ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN)
    faults = _repeated_columns(sheet, [c for c in sheet.header if c in read])
    faults += [f"{sheet.at(line)}: {fault}" for line, fault in names.ambiguous()]
    own = names.classes if given is None else ()
    background = [c for c in own if c.lower() in BACKGROUND | NOTHING]
    odd = {c: fault for c in own if c not in background and (fault := class_fault(c) or reserved_fault(c))}
    faults += unread
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


def _row_per_object(sheet: Sheet, place: int) -> str:
    """The fault of a table that has a row for each object; empty if it is none."""
    first: dict[str, tuple[int, list[str]]] = {}
    again: list[tuple[int, int]] = []
    for line, cells in sheet.whole():
        before = first.setdefault(cells[place], (line, cells))
        if before[0] != line and before[1] != cells:
            again.append((before[0], line))
    if len(again) < FEWEST_AGAIN or len(again) * FEWEST_AGAIN < len(first):
        return ""
    names = NAMES_COLUMN in sheet.header
    advice = (
        f"put its names into one cell of {NAMES_COLUMN!r}, separated by ;"
        if names
        else "write 1 for each of its classes"
    )
    told = (
        f"expected one row per image, but {len(again)} rows name an image again (first in line {again[0][0]})"
    )
    return f"{sheet.at(again[0][1])}: {told}; join the rows of an image: {advice}"


def _fill(table: LabelTable, sheet: Sheet, labels: RowReader) -> None:
    """Put every row in the table, or say why it is refused."""
    place = sheet.header.index(ID_COLUMN)
    if told := _row_per_object(sheet, place):
        table.faults[:], table.readable = [told], False
        return
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
