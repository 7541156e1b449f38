"""From frames to the tables that the page shows: figures as text, groups of rows, long texts as notes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from seedbed.report.blocks import Table
from seedbed.report.results import LEDGER_SEPARATOR

if TYPE_CHECKING:
    import pandas as pd

MISSING = "–"


def filled(*tables: Table) -> list[Table]:
    """The tables that have rows."""
    return [table for table in tables if table.rows]


def with_notes(table: Table, separator: str = LEDGER_SEPARATOR) -> Table:
    """Move long texts of the last column, each `use: note`, below the table; `use` and the note's number stay."""
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
    """A number with fixed digits; a dash for None and NaN."""
    return MISSING if value is None or math.isnan(value) else f"{value:.{digits}f}"


def spread(values: Iterable[float | None], digits: int = 3) -> str:
    """Mean ± sample standard deviation (ddof 1) of several values; a single value alone; a dash if there is none."""
    known = [float(v) for v in values if v is not None and not math.isnan(v)]
    if len(known) < 2:
        return figure(known[0] if known else None, digits)
    return f"{fmean(known):.{digits}f} ± {stdev(known):.{digits}f}"


def one_of(values: Iterable[str]) -> str:
    """Texts without duplicates, in order."""
    return ", ".join(dict.fromkeys(value for value in values if value))


def groups(frame: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """Rows that agree in some text columns, in order of first appearance."""
    for key, group in frame.groupby(list(columns), sort=False):
        assert isinstance(key, tuple)
        yield tuple(map(str, key)), group
