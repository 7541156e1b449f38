"""A table of the page: headings, rows of text, and which columns hold figures (they are right-aligned)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MISSING = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        figures: of each column, whether it holds figures.
        notes: below the table, numbered from 1.
    """

    headings: tuple[str, ...]
    figures: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def with_notes(table: Table, separator: str) -> Table:
    """Move long texts of the last column, `use: note` each, below the table; `use` and the note's number stay."""
    notes: dict[str, int] = {}

    def short(cell: str) -> str:
        uses: dict[str, list[int]] = {}
        for entry in cell.split(separator):
            use, colon, _ = entry.partition(": ")
            uses.setdefault(use, []).extend([notes.setdefault(entry, len(notes) + 1)] if colon else [])
        return "; ".join(
            f"{use} [{', '.join(map(str, sorted(numbers)))}]" if numbers else use
            for use, numbers in uses.items()
        )

    rows = tuple((*row[:-1], short(row[-1])) for row in table.rows)
    return replace(table, rows=rows, notes=tuple(notes))


def figure(value: float | None, digits: int = 3) -> str:
    """A number of fixed digits; a dash for None and NaN."""
    return MISSING if value is None or math.isnan(value) else f"{value:.{digits}f}"


def spread(values: Iterable[float | None], digits: int = 3) -> str:
    """Mean ± sample standard deviation (ddof 1) of several values; a single value alone; a dash for none."""
    known = [float(v) for v in values if v is not None and not math.isnan(v)]
    if len(known) < 2:
        return figure(known[0] if known else None, digits)
    return f"{fmean(known):.{digits}f} ± {stdev(known):.{digits}f}"


def one_of(values: Iterable[str]) -> str:
    """Equal texts once, different ones in order."""
    return ", ".join(dict.fromkeys(value for value in values if value))


def groups(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Rows that agree in some columns of text, in the order of first appearance."""
    for key, group in frame.groupby(list(columns), sort=False):
        assert isinstance(key, tuple)
        yield tuple(map(str, key)), group
