"""Find files below a folder by what people write for them: a path or a name, with or without extension."""

import os
import posixpath
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from seedbed.datasets.files import UNREADABLE, image_size
from seedbed.errors import SeedbedError


class Finder:
    """Files below a folder, which is walked once; links to folders are followed once.

    Args:
        folder: where to look.
        suffixes: endings of files, in lower case.
        without: a folder below it that is left out.
    """

    def __init__(self, folder: Path, suffixes: frozenset[str], without: Path | None = None) -> None:
        self.folder = folder
        self.suffixes = suffixes
        self.faults: list[str] = []
        self._followed: set[str] = set()
        self._others: list[str] = []
        self._by_key: dict[str, list[str]] = {}
        left_out = None if without is None else str(without)
        self._below = list(self._walk(str(folder), "", left_out, (os.path.realpath(folder),)))
        for below in self._below:
            for key in _keys(below):
                self._by_key.setdefault(key, []).append(below)

    @cached_property
    def paths(self) -> list[Path]:
        """All files."""
        return [self.folder / below for below in self._below]

    @cached_property
    def unread(self) -> list[str]:
        """Photographs that are not read because of their format, or because they have no ending; paths below."""
        return [p for p in self._others if _suffix(p) in UNREADABLE or _is_photograph(self.folder / p)]

    def find(self, key: str, what: str) -> Path:
        """The file that a key stands for.

        Args:
            key: path below the folder, or name; the extension may be left out.
            what: the kind of file, for the message.

        Raises:
            SeedbedError: there is none, or there are several that fit.
        """
        return self.folder / self.find_below(key, what)

    def find_below(self, key: str, what: str) -> str:
        """As `find`; its path below the folder, with `/`."""
        written, key = key, posixpath.normpath(key)
        found = self._of(key)
        if key in found or self._is_file(key):
            return key
        found = self.mirrored(key) or found
        if len(found) == 1 or len({os.path.realpath(self.folder / below) for below in found}) == 1:
            return found[0]
        if found:
            choices = " or ".join(found)
            raise SeedbedError(
                f"{self.folder}: {written!r} could be {choices}; write the path below the folder"
            )
        if not self.folder.is_dir():
            raise SeedbedError(f"{self.folder}: expected the folder of {what}s, but there is none")
        raise SeedbedError(
            f"{self.folder}: expected a {what} for {written!r}, but there is no such file{self._nearly(key)}"
        )

    def mirrored(self, path: str) -> list[str]:
        """Files at exactly this path below the folder, whatever extension is added to it; paths below the folder."""
        return [below for below in self._of(path) if _composed(without_suffix(below)) == _composed(path)]

    def _of(self, key: str) -> list[str]:
        """Files of a key as it is written, or else of the same letters as Unicode may also write them."""
        return self._by_key.get(key) or self._by_composed_key.get(_composed(key), [])

    @cached_property
    def _by_composed_key(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, below in self._by_key.items():
            found.setdefault(_composed(key), []).extend(below)
        return found

    def _nearly(self, key: str) -> str:
        """A hint at files that a key would stand for if it were written with `/`, or in another case or ending."""
        near = next((self._plain[k] for k in _plain_keys(key) if k in self._plain), [])
        if near:
            return f", only {' and '.join(near[:3])}; write that"
        keys = set(_plain_keys(key))
        unread = next((p for p in self.unread if keys & set(_keys(_composed(p).casefold()))), "")
        if not unread:
            return ""
        advice = "convert it to JPEG" if _suffix(unread) else "add its ending, such as .jpg"
        return f" that is read, only {unread}; {advice}"

    @cached_property
    def _plain(self) -> dict[str, list[str]]:
        """Files by key without case."""
        found: dict[str, list[str]] = {}
        for key, below in self._by_key.items():
            found.setdefault(_composed(key).casefold(), []).extend(below)
        return found

    def _is_file(self, key: str) -> bool:
        """Whether a path leads to a file of such an ending; a link that was not followed may be in it."""
        return _suffix(posixpath.basename(key)) in self.suffixes and (self.folder / key).is_file()

    def _walk(self, folder: str, below: str, without: str | None, above: tuple[str, ...]) -> Iterator[str]:
        entries = sorted(os.scandir(folder), key=lambda e: e.name) if os.path.isdir(folder) else []
        for entry in entries:
            if entry.is_dir():
                path = Path(entry.path)
                if str(path) == without or (entry.is_symlink() and not self._may_follow(path, above)):
                    continue
                inner = (*above, os.path.realpath(path))
                yield from self._walk(entry.path, f"{below}{entry.name}/", without, inner)
            elif (suffix := _suffix(entry.name)) in self.suffixes and entry.is_file():
                yield below + entry.name
            elif (not suffix or suffix in UNREADABLE) and not entry.name.startswith("."):
                self._others.append(below + entry.name)

    def _may_follow(self, link: Path, above: tuple[str, ...]) -> bool:
        target = os.path.realpath(link)
        parent = Path(os.path.realpath(link.parent))
        if target in above or parent.is_relative_to(target):
            self.faults.append(f"{link}: a link to a folder that contains it; remove the link")
            return False
        first = target not in self._followed
        self._followed.add(target)
        return first


def _composed(text: str) -> str:
    """Letters and their accents as one character (NFC); some file systems take them apart."""
    return unicodedata.normalize("NFC", text)


def _is_photograph(path: Path) -> bool:
    """Whether a file, whatever it is called, begins as a photograph does."""
    try:
        image_size(path)
    except SeedbedError:
        return False
    return True


def _keys(below: str) -> set[str]:
    """What people write for a file: its path or its name, with and without its ending."""
    stem = without_suffix(below)
    return {below, stem, posixpath.basename(below), posixpath.basename(stem)}


def _plain_keys(key: str) -> Iterator[str]:
    """What a key may mean, the nearest first: without case, backslash and ending; then without its first folders."""
    plain = _composed(key).casefold().replace("\\", "/")
    for path in (plain, without_suffix(plain)):
        parts = path.split("/")
        yield from ("/".join(parts[k:]) for k in range(len(parts)))


def _suffix(name: str) -> str:
    """The ending of a file's name in lower case, with its dot; empty if there is none."""
    at = name.rfind(".")
    return name[at:].lower() if 0 < at < len(name) - 1 else ""


def without_suffix(path: str) -> str:
    """A path without the ending of the file's name."""
    suffix = _suffix(posixpath.basename(path))
    return path[: len(path) - len(suffix)]
