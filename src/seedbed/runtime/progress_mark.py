"""How far along a running job is: `.work/UNIT.progress` beside its output.

`seedbed watch` and Snakemake's lines show it. It is written at most once per second and removed when the job ends. A
disk that refuses it does not stop the job.
"""

import contextlib
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seedbed.runtime.paths import WORK

MARK = ".progress"
"""Ending of a mark."""
PAUSE_S = 1.0
EPOCH = re.compile(r"epoch \d+/\d+")


class ProgressMark:
    """The mark of one job.

    Args:
        folder: of the output.
        unit: shard, or name of what is made.
    """

    def __init__(self, folder: Path, unit: str) -> None:
        self.path = mark_path(folder, unit)
        self._next = 0.0

    def counting(self, items: Iterable[Any], total: int) -> Iterator[Any]:
        """The same items, counted as images."""
        for done, item in enumerate(items, 1):
            yield item
            if time.monotonic() >= self._next:
                self._write(f"{done}/{total} images")

    def line(self, text: str) -> None:
        """A line of the log; those of epochs are marked."""
        if found := EPOCH.match(text):
            self._write(found[0])

    def remove(self) -> None:
        """The job has ended."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        self._next = time.monotonic() + PAUSE_S
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(text)


def mark_path(folder: Path, unit: str) -> Path:
    """The file of a mark."""
    return folder / WORK / f"{unit}{MARK}"


def read_mark(folder: Path, unit: str) -> str:
    """What the mark of a job says; empty if there is none."""
    try:
        return mark_path(folder, unit).read_text()
    except (OSError, ValueError):
        return ""
