"""What is known of files without opening them: their size and times, and the SHA-256 that was found at these.

The time of the last change of status counts, too (`ctime`): it tells of a change that kept size and date, as a copy
with its date does. A file that changed within the last two seconds is not remembered: a file system may date a
second change alike.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

Stamp = tuple[int, int, int]
"""Size in bytes, time of the last change of content and of status in nanoseconds."""
ABSENT: Stamp = (-1, 0, 0)
SETTLED_NS = 2_000_000_000
"""How old a change must be before size and times stand for the content."""


class Part(NamedTuple):
    """What a file holds of one image beside others; it changes only with the file.

    Attributes:
        path: of the file.
        name: of the part.
    """

    path: Path
    name: str


Remember = Callable[[Path | str | Part, Callable[[], str]], str]
"""The digest of a file or part: what is known of it, or what the function finds (`KnownFiles.digest`)."""


def read_anew(path: Path | str | Part, compute: Callable[[], str]) -> str:
    """Nothing is known of any file."""
    return compute()


def stamp(path: str | os.PathLike[str]) -> Stamp:
    """Size and times of a file, of its target if it is a link; `ABSENT` if there is none."""
    try:
        return _stamp(os.stat(path))
    except (OSError, ValueError):
        return ABSENT


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_settled(of: Stamp, now: int) -> bool:
    """Whether a file has not changed for a while at `now`, in nanoseconds."""
    return of != ABSENT and of[2] <= now - SETTLED_NS


def scan(places: Iterable[Path]) -> dict[str, Stamp]:
    """Size and times of files by path, and of all files below folders; one listing per folder, nothing is opened.

    Links to folders are followed, each folder once.
    """
    found: dict[str, Stamp] = {}
    visited: set[str] = set()
    for place in places:
        try:
            status = os.stat(place)
        except OSError:
            found[str(place)] = ABSENT
            continue
        if stat.S_ISDIR(status.st_mode):
            found.update(_below(str(place), visited))
        else:
            found[str(place)] = _stamp(status)
    return found


def _below(folder: str, visited: set[str]) -> Iterator[tuple[str, Stamp]]:
    pending = [folder]
    while pending:
        folder = pending.pop()
        real = os.path.realpath(folder)
        if real in visited:
            continue
        visited.add(real)
        try:
            entries = list(os.scandir(folder))
        except OSError:
            yield folder, ABSENT
            continue
        for entry in entries:
            try:
                if entry.is_dir():
                    pending.append(entry.path)
                else:
                    yield entry.path, _stamp(entry.stat())
            except OSError:
                yield entry.path, ABSENT


class KnownFiles:
    """Digests by path, each valid as long as the file's size and times are the same.

    Args:
        entries: size, times and digest by path.
        stamps: sizes and times now, as far as they are known; others are asked for.
        now: nanoseconds; what changed shortly before is not remembered.
    """

    def __init__(
        self, entries: Mapping[str, tuple[Stamp, str]], stamps: Mapping[str, Stamp], now: int
    ) -> None:
        self._entries = entries
        self._stamps = stamps
        self._now = now
        self.used: dict[str, tuple[Stamp, str]] = {}
        """What was asked for and may be remembered."""

    def digest(self, path: Path | str | Part, compute: Callable[[], str]) -> str:
        """The digest of a file or part: what is known of it, or what `compute` finds."""
        file = str(path.path if isinstance(path, Part) else path)
        name = f"{file}\n{path.name}" if isinstance(path, Part) else file
        now = self._stamps.get(file) or stamp(file)
        known, digest = self._entries.get(name, (ABSENT, ""))
        if known != now or now == ABSENT:
            digest = compute()
        if is_settled(now, self._now):
            self.used[name] = now, digest
        return digest
