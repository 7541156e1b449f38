"""Names of classes in the cells of a column: `cat;dog`, or `cat dog` where no cell of the column has a `;`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property

from seedbed.errors import unknown_name

_OTHER = re.compile("[,|]")
"""What people write between names instead of `;`."""
_LIST = re.compile(r"""\[.*\]|\{.*\}|\(\s*['"].*\)|(['"]).*\1""", re.DOTALL)
"""Names as Python and JSON write lists of them, or in quotes."""
_AROUND = " []{}()'\""


class NameCells:
    """All cells of a column of names.

    Args:
        cells: text of each cell, by line of the file.
        given: the classes, if they are declared; else the names are the classes.
    """

    def __init__(self, cells: Mapping[int, str], given: Sequence[str] | None) -> None:
        self._given = given
        self._semicolons = any(";" in cell for cell in cells.values())
        self._cells = cells
        self._names = {line: self._split(cell) for line, cell in cells.items()}
        self._first: dict[str, int] = {}
        for line, names in self._names.items():
            for name in names:
                self._first.setdefault(name, line)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The declared classes, or every name without another separator, sorted."""
        return tuple(
            self._given if self._given is not None else sorted(n for n in self._first if not _is_otherwise(n))
        )

    def of(self, line: int) -> list[str]:
        """Names in a cell."""
        return self._names[line]

    def first_line(self, name: str) -> int:
        """The line in which a name occurs first."""
        return self._first[name]

    def faults(self, line: int) -> list[str]:
        """What is wrong with the names of one cell."""
        unknown = [n for n in self._names[line] if n not in self.classes]
        told = [
            _written_otherwise(self._cells[line])
            if _is_otherwise(n)
            else self._never_named(n) or unknown_name("class", n, self.classes)
            for n in unknown
        ]
        return list(dict.fromkeys(told))

    def _never_named(self, name: str) -> str:
        """The fault of the declared class that is meant by a name in several cells, and that no cell names."""
        absent = [c for c in self.classes if c not in self._first]
        meant = get_close_matches(name, absent, n=1, cutoff=0.5)
        if not meant or sum(name in names for names in self._names.values()) < 2:
            return ""
        return f"no cell names the class {meant[0]!r} of `classes`, but several name {name!r}; correct one of them"

    def ambiguous(self) -> Iterator[tuple[int, str]]:
        """Line and fault of each name that may be several, or several that may be one; none if classes are declared."""
        if self._given is not None:
            return
        advice = "separate names by ';', or name the classes in `classes`"
        if self._semicolons:
            for name, line in self._first.items():
                parts = name.split()
                if len(parts) > 1 and all(part in self._first for part in parts):
                    yield line, f"{name!r} may be one class or {len(parts)}; {advice}"
            return
        told: set[str] = set()
        for name in self._first:
            pair, other = self._inseparable(name)
            if pair and pair not in told:
                told.add(pair)
                line = next(k for k, names in self._names.items() if pair in " ".join(names))
                yield (
                    line,
                    f"{pair!r} may be one class or two, because {name!r} never occurs without {other!r};"
                    f" {advice}",
                )

    def _split(self, cell: str) -> list[str]:
        if self._given is not None and cell in self._given:
            return [cell]
        if _LIST.fullmatch(cell):
            return [cell]
        if ";" in cell:
            return [n.strip() for n in cell.split(";") if n.strip()]
        parts = cell.split()
        known = self._given is not None and all(part in self._given for part in parts)
        return [cell] if (self._semicolons and cell and not known) or _OTHER.search(cell) else parts

    def _inseparable(self, name: str) -> tuple[str, str]:
        """The pair of names in which `name` always occurs, and the other of the two; empty if there is none."""
        before, after = set(), set()
        for names in self._names.values():
            for k, found in enumerate(names):
                if found == name:
                    before.add(names[k - 1] if k else "")
                    after.add(names[k + 1] if k + 1 < len(names) else "")
        for neighbours, pair in ((after, "{0} {1}"), (before, "{1} {0}")):
            if len(neighbours) == 1 and "" not in neighbours:
                (other,) = neighbours
                return pair.format(name, other), other
        return "", ""


def _is_otherwise(name: str) -> bool:
    return bool(_OTHER.search(name) or _LIST.fullmatch(name))


def _written_otherwise(cell: str) -> str:
    names = [part.strip(_AROUND) for part in re.split("[;,|]", cell)]
    written = ";".join(name for name in names if name)
    advice = f"write {written!r}" if written else "leave the cell empty"
    return f"expected names separated by ';', got {cell!r}; {advice}"
