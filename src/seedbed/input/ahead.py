"""Reading ahead: a thread decodes the next image while the network works on the one before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Key = TypeVar("Key")
Found = TypeVar("Found")


def read_ahead(keys: Iterable[Key], read: Callable[[Key], Found]) -> Iterator[tuple[Key, Found]]:
    """Each key with what `read` gives for it, in order; the next one is read by a thread in the meantime.

    Args:
        keys: of what is read.
        read: called for one key at a time; what it raises is raised in the key's turn.
    """
    remaining = iter(keys)
    with ThreadPoolExecutor(1, "read-ahead") as thread:
        for key in remaining:
            found = thread.submit(read, key)
            break
        else:
            return
        for following in remaining:
            result = found.result()
            found = thread.submit(read, following)
            yield key, result
            key = following
        yield key, found.result()
