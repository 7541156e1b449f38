"""Errors for people: what was expected, what came, what to do, in one line."""

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class SeedbedError(Exception):
    """A mistake that a user can correct. Commands print its one line; the traceback goes to the log only."""


class ImageMemoryError(MemoryError):
    """Memory ran out for one image, which a caller that works on many could not tell."""

    def __init__(self, image_id: str) -> None:
        super().__init__(image_id)
        self.image_id = image_id


@contextmanager
def memory_for_image(image_id: str) -> Iterator[None]:
    """Say for which image memory ran out.

    Raises:
        ImageMemoryError: instead of what an allocator raises.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, ImageMemoryError) or not is_out_of_memory(error):
            raise
        raise ImageMemoryError(image_id) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be allocated: Python's, NumPy's, or torch's on CPU or GPU."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    told = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        sign in told for sign in ("allocate memory", "not enough memory", "out of memory")
    )


def one_line(error: BaseException) -> str:
    """What any error says, in one line: of the operating system's with the path, of others with their kind."""
    text = " ".join(str(error).split())
    if isinstance(error, SeedbedError | ValueError) and text:
        return text
    if isinstance(error, OSError) and error.filename is not None:
        return f"{_shortened(str(error.filename))}: {error.strerror}"
    if isinstance(error, MemoryError):
        return (
            f"out of memory{f' ({text})' if text else ''}; use smaller images, or a machine with more memory"
        )
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _shortened(path: str) -> str:
    return path if len(path) <= 300 else f"{path[:150]}…{path[-100:]}"


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """One line for a name that is not in a table.

    Near names come first; where there are none, all known names are listed.

    Args:
        what: the kind of thing, for instance "stage".
        name: what the user wrote.
        known: the names that would have been right.
    """
    names = sorted(known)
    near = [n for n in names if n.casefold() == str(name).casefold()]
    near = near or get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}."
    return f"unknown {what} {str(name)!r}; {hint}"
