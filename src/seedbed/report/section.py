"""A section of the page: one file in `sections/`, found by its name, with one table and what the page shows of it.

A file `sections/NAME.py` holds `SECTION = Section(...)` and writes `NAME.csv`; nothing else names it. Files that begin
with an underscore are not sections.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from seedbed.report import sections
from seedbed.report.blocks import Block
from seedbed.report.results import Results

if TYPE_CHECKING:
    import pandas as pd

    from seedbed.datasets.index import IndexedDataset


@dataclass(frozen=True)
class Page:
    """What sections read.

    Attributes:
        parameters: of the report (`seedbed.stages.report.ReportParameters`).
        progress: shows the progress of a loop: items, their number, a label.
        kept: what a section keeps from its table for its blocks, by its name.
    """

    results: Results
    dataset: IndexedDataset
    parameters: Any
    progress: Callable[[Iterable[Any], int, str], Iterator[Any]]
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        title: its heading; neighbours with the same title share it.
        place: position on the page; sections with the same place are ordered by name.
        frame: the tidy table that is written; it has no rows if there is nothing to show.
        blocks: what the page shows, from that table; a section without blocks is left out.
        note: HTML below the heading; neighbours that share it show it once.
    """

    title: str
    place: int
    frame: Callable[[Page], pd.DataFrame]
    blocks: Callable[[Page, pd.DataFrame], Sequence[Block]]
    note: str = ""


def all_sections() -> dict[str, Section]:
    """Every section by the name of its file, in the order of the page."""
    names = [module.name for module in pkgutil.iter_modules(sections.__path__)]
    found: dict[str, Section] = {
        name: import_module(f"{sections.__name__}.{name}").SECTION
        for name in names
        if not name.startswith("_")
    }
    return dict(sorted(found.items(), key=lambda item: (item[1].place, item[0])))
