"""What training logged: one row per optimiser step, without times, so that equal runs log equal bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field

LEADING = ("epoch", "step", "lr")


@dataclass
class History:
    """Rows by column name: epoch from 1, step from 0, lr of the backbone's weights, then values by name."""

    rows: list[dict[str, float | int]] = field(default_factory=list)

    def add(self, epoch: int, step: int, lr: float, values: Mapping[str, list[float]]) -> None:
        """Add a row; several values with the same name (micro-batches) are averaged."""
        row: dict[str, float | int] = {"epoch": epoch, "step": step, "lr": lr}
        row.update({name: sum(found) / len(found) for name, found in sorted(values.items())})
        self.rows.append(row)

    def to_csv(self) -> str:
        """CSV text; a value that a step does not have is empty. Nine digits restore a float32 exactly."""
        names = sorted({name for row in self.rows for name in row} - set(LEADING))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*LEADING, *names])
        for row in self.rows:
            numbers = [format(row[name], ".9g") if name in row else "" for name in ("lr", *names)]
            writer.writerow([int(row["epoch"]), int(row["step"]), *numbers])
        return text.getvalue()

    def mean(self, epoch: int) -> dict[str, float]:
        """Mean of each value over the steps of an epoch (from 1)."""
        rows = [row for row in self.rows if row["epoch"] == epoch]
        names = sorted({name for row in rows for name in row} - set(LEADING))
        return {
            name: sum(r[name] for r in rows if name in r) / sum(name in r for r in rows) for name in names
        }
