"""What a stage command says: lines in a log, and one line at the terminal if something fails."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError, one_line

CALLS = "SEEDBED_CALLS"
"""Environment variable: a file to which every stage command appends one line, to show what an engine ran."""


class Log:
    """Lines for a file (or stderr) and a one-line error for the person at the terminal.

    Args:
        path: file for the lines and the tracebacks; stderr if None.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._stream: IO[str] = sys.stderr
        if path is not None:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._stream = path.open("w", buffering=1)

    def line(self, text: str) -> None:
        """Write a line; where the disk refuses it, this line and those that follow go to stderr."""
        try:
            print(text, file=self._stream, flush=True)
        except OSError as error:
            if self._stream is sys.stderr:
                return
            self._leave_file()
            print(f"cannot write {self.path}: {error.strerror}; the log goes on here", file=sys.stderr)
            print(text, file=sys.stderr)

    def detail(self, text: str) -> bool:
        """Write what is for the file alone.

        Returns:
            whether there is a file and it took the text.
        """
        if self._stream is sys.stderr:
            return False
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            self._leave_file()
            return False
        return True

    def _leave_file(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # for what is left in its buffer
        self._stream = sys.stderr

    def progress(self, items: Any, total: int, label: str) -> Iterator[Any]:
        """Iterate with a progress bar in a terminal, or about ten lines in a log."""
        if self._stream is sys.stderr and sys.stderr.isatty():
            from tqdm import tqdm

            yield from tqdm(items, total=total, desc=label, leave=False)
            return
        step = max(1, total // 10)
        for done, item in enumerate(items, start=1):
            yield item
            if done % step == 0 or done == total:
                self.line(f"{label}: {done}/{total}")


def count_call(name: str, output: Path, shard: str | None = None) -> None:
    """Append one line to the file that the environment variable SEEDBED_CALLS names: which stage commands ran."""
    if path := os.environ.get(CALLS):
        with open(path, "a") as stream:
            stream.write(f"{name} {output}{f' {shard}' if shard else ''}\n")


def guarded(name: str, log_path: Path | None, work: Callable[[Log], object]) -> int:
    """Call `work(log)`; turn any failure into one line for people and a traceback for the log."""
    log: Log | None = None
    try:
        log = Log(log_path)
        work(log)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        expected = isinstance(error, SeedbedError | ValueError | OSError | MemoryError)
        kept = log is not None and log.detail(traceback.format_exc())
        where = f" (traceback in {log_path})" if kept and not expected else ""
        if not kept and not expected:
            traceback.print_exc()
        print(f"{name}: error: {one_line(error)}{where}", file=sys.stderr)
        return 1
    return 0
