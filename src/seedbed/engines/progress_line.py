"""One line at a terminal that counts files while they are read, for a look at a data set that takes a while."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from seedbed.datasets.known_files import Part, Remember

FIRST_S, PAUSE_S = 1.0, 0.2
"""Seconds until the line appears, and between two of its counts."""


class ProgressLine:
    """Counts the files that are read, on stderr; says nothing if that is not a terminal.

    Args:
        what: what is being done.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_terminal = sys.stderr.isatty()
        self._next = time.monotonic() + FIRST_S
        self._count = 0
        self._is_shown = False

    def counting(self, remember: Remember) -> Remember:
        """As `remember`, and count what it reads."""

        def digest(path: Path | str | Part, compute: Callable[[], str]) -> str:
            def counted() -> str:
                self._tell()
                return compute()

            return remember(path, counted)

        return digest

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _tell(self) -> None:
        self._count += 1
        if self._is_terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + PAUSE_S
            self._is_shown = True
            print(f"\r{self._what}: {self._count} files read", end="", file=sys.stderr, flush=True)
