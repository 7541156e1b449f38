"""What a damage is: how it is done, which commands then run, and what they must say."""

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hostile.running import Ended
from hostile.tree import Tree

Apply = Callable[[Tree], object]
Check = Callable[[Tree, Ended], bool]


@dataclass(frozen=True)
class Run:
    """A command and what must come of it.

    Attributes:
        words: of `seedbed`; or `@node`, the stage command of a node, a judgement (`scores/…`) or `index`.
        refused: parts of the one line with which it must be refused; None if it must succeed.
        check: what must hold where it succeeds.
    """

    words: tuple[str, ...]
    refused: tuple[str, ...] | None = None
    check: Check | None = None


@dataclass(frozen=True)
class Damage:
    """One damaged input.

    Attributes:
        name: kind, then what is damaged and how.
        runs: in this order, each in the same copy.
    """

    name: str
    apply: Apply
    runs: tuple[Run, ...] = field(default=())

    @property
    def kind(self) -> str:
        return self.name.partition(":")[0]


def refused(words: str, *parts: str) -> Run:
    """It must be refused in one line that contains these parts."""
    return Run(tuple(shlex.split(words)), parts)


def works(words: str, *parts: str, check: Check | None = None) -> Run:
    """It must succeed, and print these parts."""

    def printed(tree: Tree, ended: Ended) -> bool:
        told = all(part in ended.out for part in parts)
        return told and (check is None or check(tree, ended))

    return Run(tuple(shlex.split(words)), None, printed)


def equal_to_base(*names: str) -> Check:
    """These files must be what the undamaged checkout has."""

    def check(tree: Tree, _: Ended) -> bool:
        base = tree.folder.parent.parent / "tree"
        return all(tree.read(name) == (base / name).read_bytes() for name in names)

    return check


def each(prefix: str, table: Iterable[tuple[str, Apply]], *runs: Run) -> Iterator[Damage]:
    """The same commands and expectations for several damages."""
    for name, apply in table:
        yield Damage(f"{prefix}: {name}", apply, runs)


def link_loop(name: str) -> Apply:
    """The file is a link to itself."""
    return lambda tree: tree.remove(name).symlink_to(Path(name).name)


def folder_at(name: str) -> Apply:
    """The file is a folder."""
    return lambda tree: tree.remove(name).mkdir()


def pipe_at(name: str) -> Apply:
    """The file is a named pipe, which hangs whoever opens it."""
    import os

    return lambda tree: os.mkfifo(tree.remove(name))


def content(name: str, data: bytes | str) -> Apply:
    """The file has this content."""
    return lambda tree: tree.write(name, data)


def missing(name: str) -> Apply:
    """There is no such file."""
    return lambda tree: tree.remove(name)
