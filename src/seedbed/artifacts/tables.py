"""A table on disk: `table.csv`, one row per image and class if it is about images (sub-categories: SC-CAM)."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from seedbed.artifacts.manifest import run_again
from seedbed.errors import SeedbedError

TABLE = "table.csv"
IMAGE, CLASS = "image_id", "class"


def encode_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """CSV text with a heading; equal rows give equal bytes.

    Args:
        columns: names; in a table that training reads, `image_id` and `class` (from 0) come first.
        rows: one value per column.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().encode()


class TableStore:
    """The rows of a table.

    Args:
        files: `table.csv`.
        facts: of the artifact's manifest; `classes` sizes what training reads.
    """

    def __init__(self, files: Sequence[Path], facts: Mapping[str, Any]) -> None:
        self._classes = len(facts.get("classes", ()))
        with files[0].open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            self.rows: list[dict[str, str]] = list(reader)
            self.columns: tuple[str, ...] = tuple(reader.fieldnames or ())
        self._path = files[0]

    def fields(self, image_id: str) -> dict[str, Float32[np.ndarray, " classes"]]:
        """What a training method reads for an image: for each column of values, one value per class, -1 if no row.

        Raises:
            SeedbedError: the table has no columns `image_id` and `class`, or a row that is not one of an image and a
                class with numbers.
        """
        if not {IMAGE, CLASS} <= set(self.columns):
            raise SeedbedError(
                f"{self._path}: training reads tables with columns {IMAGE} and {CLASS}, but this one has "
                f"{', '.join(self.columns)}"
            )
        found = {
            name: np.full(self._classes, -1, np.float32)
            for name in self.columns
            if name not in (IMAGE, CLASS)
        }
        for row in self._by_image.get(image_id, ()):
            class_id = self._class(row)
            for name, values in found.items():
                values[class_id] = self._number(row, name)
        return found

    def _class(self, row: Mapping[str, str]) -> int:
        try:
            class_id = int(row[CLASS])
        except (TypeError, ValueError):
            class_id = -1
        if not 0 <= class_id < self._classes:
            raise self._wrong(row, CLASS, f"a class from 0 to {self._classes - 1}")
        return class_id

    def _number(self, row: Mapping[str, str], name: str) -> float:
        try:
            value = float(row[name])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise self._wrong(row, name, "a number")
        return value

    def _wrong(self, row: Mapping[str, str], name: str, expected: str) -> SeedbedError:
        return SeedbedError(
            f"{self._path}, image {row[IMAGE]!r}, column {name}: expected {expected}, got {row[name]!r}; "
            f"{run_again(self._path)}"
        )

    @cached_property
    def _by_image(self) -> Mapping[str, list[dict[str, str]]]:
        grouped: dict[str, list[dict[str, str]]] = {}
        seen: set[tuple[str, str]] = set()
        for row in self.rows:
            if (row[IMAGE], row[CLASS]) in seen:
                raise self._wrong(row, CLASS, "one row per image and class")
            seen.add((row[IMAGE], row[CLASS]))
            grouped.setdefault(row[IMAGE], []).append(row)
        return grouped
