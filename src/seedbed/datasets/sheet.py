"""The cells of a CSV of labels, as a person, a spreadsheet or pandas wrote it."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from seedbed.regular_files import NotTextError, read_text, system_reason

ID_COLUMN, SPLIT_COLUMN, NAMES_COLUMN = "image_id", "split", "labels"
SPLIT_WORDS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
"""What people call splits, in lower case."""

SPLITS_LIKE = frozenset({"split", "splits", "subset", "partition", "data_split", "dataset_split"})
"""What people call the column of splits, in lower case."""


@dataclass(frozen=True)
class Sheet:
    """Cells of a CSV, trimmed; rows whose number of cells differs from the header's are kept as they are."""

    path: Path
    header: list[str]
    header_line: int
    rows: list[tuple[int, list[str]]]

    def at(self, line: int) -> str:
        """The file and a line of it."""
        return f"{self.path}, line {line}"

    @property
    def where(self) -> str:
        """The file and the line of the header."""
        return self.at(self.header_line)

    def whole(self) -> list[tuple[int, list[str]]]:
        """Rows with as many cells as the header, by line."""
        return [(line, cells) for line, cells in self.rows if len(cells) == len(self.header)]

    def cell(self, cells: list[str], column: str) -> str:
        """The cell of a column in a row."""
        return cells[self.header.index(column)]

    def cells(self, column: str) -> Iterator[str]:
        """All cells of a column."""
        return (self.cell(cells, column) for _, cells in self.whole())

    @cached_property
    def split_like(self) -> str | None:
        """A column that names splits under another name than `split`, if no column has that."""
        if SPLIT_COLUMN in self.header:
            return None
        for column in self.header:
            words = {cell.lower() for cell in self.cells(column) if cell}
            if (column.casefold() in SPLITS_LIKE and words) or (words and words <= SPLIT_WORDS):
                return column
        return None


def read_sheet(path: Path) -> Sheet:
    """Read a CSV with a header that has a column `image_id`. Rows without any text are left out.

    Raises:
        ValueError: with the one line of the fault, if no row can be understood.
    """
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{path}: expected a CSV of labels, but the file is empty")
    (line, header), *rows = rows
    if ID_COLUMN in header:
        if not rows:
            raise ValueError(f"{path}: expected a row for each image below the header, got none; add them")
        return Sheet(path, header, line, rows)
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
    raise ValueError(
        f"{wanted}, but the columns are {', '.join(header)[:200]}; call the one of the photographs {ID_COLUMN!r}"
    )


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Rows that hold any text, by the line that they end in."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise ValueError(f"{path}: expected a CSV of labels, but there is no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: not a readable CSV ({system_reason(error)}); replace it") from None
    except NotTextError as error:
        raise ValueError(f"{path}: not a readable CSV ({error}); save it as UTF-8 with commas") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    begins = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((reader.line_num, [cell.strip() for cell in cells]))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}, line {begins}: {_reason(error, reader.line_num > begins)}") from None
    return found


def _reason(error: csv.Error, goes_on: bool) -> str:
    """What is wrong with a row; `goes_on` if it takes more than one line."""
    if "unexpected end of data" in str(error) or goes_on:
        return "a quotation mark opens a cell and is not closed in this line; close it, or remove it"
    if "expected after" in str(error):
        return "text follows a closing quotation mark; write two marks for one inside a cell"
    return f"not a readable row of a CSV ({error}); correct it"
