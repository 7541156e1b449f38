"""A comparison of cached results: one row per recipe and regions setting, one column per judged kind of node and split.

A cell holds the files of all its random seeds that are there. Cells that two rows share are one result, which is said
and not compared. Differences are those of means over the random seeds that both rows have; their intervals are
`seedbed.metrics.bootstrap`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from seedbed.artifacts.meanings import MEANINGS
from seedbed.metrics.bootstrap import Interval, drawn_scores, paired_intervals
from seedbed.report.scored import without_classes

if TYPE_CHECKING:
    import pandas as pd

    from seedbed.runtime.judging import JudgementFile

MEASURES = {
    "mean_average_precision": "mAP",
    "mean_iou": "mIoU",
    "neutral_ratio": "neutral",
    "foreground_area": "area of classes",
    "labelled_without_pixel": "images that lack a labelled class",
}
CLASS_MEASURES = {
    "mean_average_precision": "average_precision",
    "mean_iou": "iou",
    "foreground_area": "area",
    "labelled_without_pixel": "without_pixel",
}
"""What `per_class` of a file holds of a measure."""
HEADINGS = {meaning.score: meaning.heading for meaning in MEANINGS.values() if meaning.score}
COLUMNS = (
    *("dataset", "recipe", "regions", "kind", "node", "split", "measure", "class"),
    *("rngs", "mean", "sd", "shared_with", "baseline", "difference", "low", "high", "without"),
)


@dataclass(frozen=True)
class Row:
    """A recipe at a regions setting, on a data set, at some random seeds."""

    number: int
    dataset: str
    recipe: str
    regions: str
    rngs: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.recipe} {self.regions}".strip()


@dataclass(frozen=True)
class Column:
    """What a measure says of one kind of nodes on a split; `node` is empty where each recipe has one of the kind."""

    kind: str
    node: str
    split: str
    measure: str

    def __str__(self) -> str:
        name = f"{HEADINGS[self.kind]} {self.node}".strip()
        return f"{name}, {self.split}: {MEASURES[self.measure]}"


@dataclass(frozen=True)
class Found:
    """One file of scores."""

    key: str
    rng: int | None
    content: JudgementFile

    @cached_property
    def drawn(self) -> Any:
        """Float64[draws, K+1], or None where the file has no counts per image."""
        counts = self.content.image_counts
        if counts is None:
            return None
        return drawn_scores(counts, len(self.classes), self.content.scores["neutral"])

    @property
    def classes(self) -> list[str]:
        """With background."""
        return list(self.content.content.get("classes", []))

    @property
    def images(self) -> tuple[Any, ...]:
        """What two files have in common that were scored on the same images, masks and classes, by the same rule."""
        inputs = self.content.inputs
        return inputs.get("index"), inputs.get("masks"), self.classes, self.content.scores.get("neutral")

    def value(self, measure: str, class_name: str = "") -> float | None:
        """A score; that of one class if it is named."""
        if not class_name:
            return self.content.scores.get(measure)
        values = self.content.scores.get("per_class", {}).get(class_name, {})
        found: float | None = values.get(CLASS_MEASURES.get(measure, ""))
        return found


@dataclass
class Cell:
    """What is there of a row and a column.

    Attributes:
        owner: recipe that owns the node.
        keys: of all files that the row asks for, by random seed; one without a seed where nothing depends on it.
        found: those that are there and sound.
        missing: why each of the others is not, by random seed.
    """

    owner: str
    node: str
    keys: dict[int | None, str] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    missing: dict[int | None, str] = field(default_factory=dict)

    def values(self, measure: str, class_name: str = "") -> list[float]:
        """Defined scores of all random seeds."""
        values = (one.value(measure, class_name) for one in self.found)
        return [value for value in values if value is not None]


@dataclass(frozen=True)
class Difference:
    """A row less the baseline's, in one column; of a class, or of the mean over them.

    Attributes:
        interval: over images; None, and `without` says why, if there is none.
        rngs: how many random seeds of the row entered.
    """

    value: float
    interval: Interval | None
    rngs: int
    without: str = ""


@dataclass
class Comparison:
    """Everything that is compared.

    Attributes:
        baseline: number of the row that the others of its data set are compared with; of other data sets it is the
            first row.
        notes: what to know beside the tables.
    """

    rows: list[Row]
    columns: list[Column]
    cells: dict[tuple[int, Column], Cell]
    baseline: int = 1
    notes: list[str] = field(default_factory=list)

    def baseline_of(self, row: Row) -> Row:
        """The row that a row is compared with."""
        chosen = self.rows[self.baseline - 1]
        if chosen.dataset == row.dataset:
            return chosen
        return next(other for other in self.rows if other.dataset == row.dataset)

    def shared_with(self, row: Row, column: Column) -> str:
        """The earlier row, by number, or the other recipe whose result a cell is; empty if it is the row's own."""
        cell = self.cells[row.number, column]
        for other in self.rows[: row.number - 1]:
            earlier = self.cells.get((other.number, column))
            if earlier and earlier.keys == cell.keys:
                return str(other.number)
        return cell.owner if cell.owner != row.recipe else ""

    def difference(self, row: Row, column: Column, class_name: str = "") -> Difference | None:
        """A row's cell less the baseline's; None if they are one result, or either is not there."""
        base = self.baseline_of(row)
        first, second = (self.cells.get((one.number, column)) for one in (base, row))
        if base == row or not first or not second or first.keys == second.keys:
            return None
        before, after = common_rngs(first.found, second.found)
        if {one.key for one in before} == {one.key for one in after}:
            return None
        measure = column.measure
        means = []
        for side in (before, after):
            values = [v for one in side if (v := one.value(measure, class_name)) is not None]
            if not values:
                return None
            means.append(fmean(values))
        interval, without = self._interval(before, after, measure, class_name)
        return Difference(means[1] - means[0], interval, len(after), without)

    @staticmethod
    def _interval(
        before: Sequence[Found], after: Sequence[Found], measure: str, class_name: str
    ) -> tuple[Interval | None, str]:
        files = [*before, *after]
        if measure != "mean_iou":
            return None, f"{MEASURES[measure]} is not a function of counts per image"
        if any(one.images != files[0].images for one in files):
            return None, "scored on different images, masks or classes"
        if any(one.drawn is None for one in files):
            return None, "scored before counts per image were kept"
        place = files[0].classes.index(class_name) + 1 if class_name else 0
        found = paired_intervals([one.drawn for one in before], [one.drawn for one in after])[place]
        return found, ""

    def classes(self, row: Row, column: Column) -> list[str]:
        """The classes of which a cell has scores."""
        cell = self.cells.get((row.number, column))
        per_class = [one.content.scores.get("per_class", {}) for one in (cell.found if cell else ())]
        return [
            name
            for name in dict.fromkeys(name for names in per_class for name in names)
            if any(one.value(column.measure, name) is not None for one in (cell.found if cell else ()))
        ]

    def without_classes(self) -> Iterator[tuple[Row, Column, str, list[int | None]]]:
        """Cells with results that have no pixel of any class, what these hold instead, and for which random seeds."""
        for (number, column), cell in self.cells.items():
            if column.measure not in ("mean_iou", "foreground_area"):
                continue
            found: dict[str, list[int | None]] = {}
            for one in cell.found:
                if only := without_classes(one.content.scores):
                    found.setdefault(only, []).append(one.rng)
            for only, rngs in found.items():
                yield self.rows[number - 1], column, only, rngs

    def frame(self) -> pd.DataFrame:
        """One row per cell, with an empty class, and one per class of it."""
        import pandas as pd

        rows = [
            self._record(row, column, cell, name)
            for row in self.rows
            for column in self.columns
            if (cell := self.cells.get((row.number, column))) is not None
            for name in ("", *self.classes(row, column))
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _record(self, row: Row, column: Column, cell: Cell, class_name: str) -> Mapping[str, Any]:
        values = cell.values(column.measure, class_name)
        base, difference = self.baseline_of(row), self.difference(row, column, class_name)
        shared = self.shared_with(row, column)
        interval = difference.interval if difference else None
        return {
            **{name: getattr(row, name) for name in ("dataset", "recipe", "regions")},
            **{name: getattr(column, name) for name in ("kind", "split", "measure")},
            "node": cell.node,
            "class": class_name,
            "rngs": rngs_text(one.rng for one in cell.found),
            "mean": fmean(values) if values else None,
            "sd": stdev(values) if len(values) > 1 else None,
            "shared_with": str(self.rows[int(shared) - 1]) if shared.isdigit() else shared,
            "baseline": "" if base == row else str(base),
            "difference": difference.value if difference else None,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
            "without": "; ".join(
                why if rng is None else f"rng {rng}: {why}" for rng, why in cell.missing.items()
            ),
        }


def common_rngs(first: Sequence[Found], second: Sequence[Found]) -> tuple[list[Found], list[Found]]:
    """The files of the random seeds that both sides have; all, where one side does not depend on the seed."""
    seeds = [{one.rng for one in side} for side in (first, second)]
    if any(None in found for found in seeds):
        return list(first), list(second)
    both = seeds[0] & seeds[1]
    before, after = ([one for one in side if one.rng in both] for side in (first, second))
    return before, after


def rngs_text(rngs: Any) -> str:
    """`0 1 2`; empty where nothing depends on the random seed."""
    return " ".join(str(rng) for rng in rngs if rng is not None)
