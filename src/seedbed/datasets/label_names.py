"""Names of classes in the cells of a column: `cat;dog`, or `cat dog` where no cell of the column has a `;`."""

import re
from collections.abc import Iterator, Mapping, Sequence

from seedbed.errors import unknown_name

_OTHER = re.compile("[,|]")
"""What people write between names instead of `;`."""


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

    @property
    def classes(self) -> tuple[str, ...]:
        """The declared classes, or every name without another separator, sorted."""
        return tuple(
            self._given if self._given is not None else sorted(n for n in self._first if not _OTHER.search(n))
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
        return [
            f"expected names separated by ';', got {n!r}; write {';'.join(p.strip() for p in _OTHER.split(n))!r}"
            if _OTHER.search(n)
            else unknown_name("class", n, self.classes)
            for n in unknown
        ]

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
