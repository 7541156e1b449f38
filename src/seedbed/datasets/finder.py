"""Find files below a folder by what people write for them: a path or a name, with or without extension."""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path

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
        self._by_key: dict[str, list[Path]] = {}
        self.paths = list(self._walk(folder, without, (os.path.realpath(folder),)))
        for path in self.paths:
            below = path.relative_to(folder)
            for key in {below.as_posix(), below.with_suffix("").as_posix(), below.name, below.stem}:
                self._by_key.setdefault(key, []).append(path)

    def find(self, key: str, what: str) -> Path:
        """The file that a key stands for.

        Args:
            key: path below the folder, or name; the extension may be left out.
            what: the kind of file, for the message.

        Raises:
            SeedbedError: there is none, or there are several that fit.
        """
        if not self.folder.is_dir():
            raise SeedbedError(f"{self.folder}: expected the folder of {what}s, but there is none")
        written, key = key, posixpath.normpath(key)
        exact = self.folder / key
        found = self._by_key.get(key, [])
        if exact in found or (exact.suffix.lower() in self.suffixes and exact.is_file()):
            return exact
        found = self.mirrored(key) or found
        if len(found) == 1 or len({os.path.realpath(p) for p in found}) == 1:
            return found[0]
        if found:
            raise SeedbedError(
                f"{self.folder}: {written!r} could be {self._choices(found)}; write the path below the folder"
            )
        raise SeedbedError(f"{self.folder}: expected a {what} for {written!r}, but there is no such file")

    def mirrored(self, path: str) -> list[Path]:
        """Files at exactly this path below the folder, whatever extension is added to it."""
        return [
            p
            for p in self._by_key.get(path, [])
            if p.relative_to(self.folder).with_suffix("").as_posix() == path
        ]

    def _choices(self, found: list[Path]) -> str:
        return " or ".join(p.relative_to(self.folder).as_posix() for p in found)

    def _walk(self, folder: Path, without: Path | None, above: tuple[str, ...]) -> Iterator[Path]:
        entries = sorted(os.scandir(folder), key=lambda e: e.name) if folder.is_dir() else []
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir():
                if path == without or (entry.is_symlink() and not self._may_follow(path, above)):
                    continue
                yield from self._walk(path, without, (*above, os.path.realpath(path)))
            elif path.suffix.lower() in self.suffixes and entry.is_file():
                yield path

    def _may_follow(self, link: Path, above: tuple[str, ...]) -> bool:
        target = os.path.realpath(link)
        parent = Path(os.path.realpath(link.parent))
        if target in above or parent.is_relative_to(target):
            self.faults.append(f"{link}: a link to a folder that contains it; remove the link")
            return False
        first = target not in self._followed
        self._followed.add(target)
        return first
