"""Locks: one writer per output, and a check whether an output is being written.

A lock is `flock` on `.work/UNIT.lock` beside the output, and the file holds the writer's process id for people to read.
The kernel frees it however the process ends. A check takes a shared lock for an instant and writes nothing; a writer
that meets such a check tries again.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError
from seedbed.runtime.paths import WORK

TRIES, PAUSE_S = 5, 0.05
"""How often, and how far apart, a writer tries: a check holds a lock for less than that."""


@contextmanager
def output_lock(folder: Path, unit: str) -> Iterator[None]:
    """Become the only writer of a unit of an output.

    Raises:
        SeedbedError: another run holds it, or the file system does not support locks.
    """
    path = lock_path(folder, unit)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+")
    with stream:
        try:
            held = _try_hold(stream)
        except OSError as error:
            raise SeedbedError(
                f"{path} cannot be locked ({error.strerror}); put results/ on a file system with flock"
            ) from None
        if not held:
            raise SeedbedError(_held(path))
        stream.truncate(0)
        stream.write(f"pid {os.getpid()}")
        stream.flush()
        yield


def refuse_locked(folder: Path, unit: str | None = None) -> None:
    """Refuse to continue while an output is being written; nothing on disk is touched.

    Args:
        folder: of the output.
        unit: one unit of it; any if None.

    Raises:
        SeedbedError: names the output and the writer.
    """
    found = [lock_path(folder, unit)] if unit else sorted((folder / WORK).glob("*.lock"))
    for path in found:
        if is_locked(path):
            raise SeedbedError(_held(path))


def is_locked(path: Path) -> bool:
    """Whether a lock file is held; nothing on disk is touched."""
    try:
        with path.open("rb") as stream:
            return not try_lock(stream, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def try_lock(stream: IO[str] | IO[bytes], kind: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file without waiting, until it is closed.

    Returns:
        Whether the lock was free.

    Raises:
        OSError: the file system does not support locks.
    """
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_path(folder: Path, unit: str) -> Path:
    """The lock file of a unit of an output."""
    return folder / WORK / f"{unit}.lock"


def _try_hold(stream: IO[str]) -> bool:
    for left in range(TRIES, 0, -1):
        if try_lock(stream):
            return True
        if left > 1:
            time.sleep(PAUSE_S)
    return False


def _held(path: Path) -> str:
    who = path.read_text().strip() or "unknown"
    return (
        f"{path.parent.parent} ({path.stem}) is being written by another run ({who}); wait for it, or stop it"
    )
