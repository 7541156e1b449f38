"""Snakemake's logger plugin `seedbed`: a line per job (`seedbed.engines.run_lines`), and at a terminal what runs now.

Snakemake finds it by the name of this package; `profiles/` select it. `snakemake --logger seedbed` does, too.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import suppress
from logging import LogRecord
from pathlib import Path

from snakemake.logging import DefaultFilter
from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.base import LogHandlerBase

from seedbed.engines.run_lines import RunLines
from seedbed.runtime.paths import RESULTS

TICK_S, QUIET_S = 1.0, 60.0
"""Seconds between two looks at the running jobs: at a terminal, and where lines go to a file."""


class LogHandler(LogHandlerBase):
    """Prints lines; at a terminal also one that is overwritten."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def __post_init__(self) -> None:
        settings = self.common_settings
        quiet = set(settings.quiet or ())
        self._filter = DefaultFilter(
            quiet, settings.debug_dag, settings.verbose, settings.dryrun, settings.printshellcmds
        )
        self.stream = sys.stdout if settings.stdout or settings.dryrun else sys.stderr
        self.lines = RunLines(RESULTS, settings.dryrun, settings.show_failed_logs, Path.cwd())
        self._is_terminal = self.stream.isatty()
        self._shown = ""
        self._over = threading.Event()
        if not (settings.dryrun or quiet & {Quietness.PROGRESS, Quietness.ALL}):
            threading.Thread(target=self._watch, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        """Print what an event has to say, if anything; what `--quiet` keeps silent is counted all the same."""
        try:
            with self.lock or threading.Lock():
                lines = self.lines.of(record, time.monotonic())
                if lines and self._filter.filter(record):
                    self._show("")
                    print("\n".join(lines), file=self.stream, flush=True)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Remove the line that is overwritten."""
        self._over.set()
        with self.lock or threading.Lock():
            self._show("")
        super().close()

    def _watch(self) -> None:
        while not self._over.wait(TICK_S if self._is_terminal else QUIET_S):
            with suppress(Exception):  # the next look may succeed, and no run fails because of it
                self._look()

    def _look(self) -> None:
        with self.lock or threading.Lock():
            if self._over.is_set():
                return
            status = self.lines.status()
            if self._is_terminal:
                self._show(status)
            elif status and status != self._shown:
                self._shown = status
                print(status, file=self.stream, flush=True)

    def _show(self, status: str) -> None:
        if self._is_terminal and status != self._shown:
            self._shown = status
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{status[:width]}", end="", file=self.stream, flush=True)
