"""Tables that installed packages add to by entry points: methods, kinds of data sets, CRF presets, segmenters."""

from collections.abc import Callable, Container, Mapping
from importlib.metadata import entry_points
from typing import TypeVar

from seedbed.errors import SeedbedError

T = TypeVar("T")


def refuse_taken(own: Container[str], group: str, what: str) -> None:
    """Refuse installed packages that take one of our names; nothing of theirs is imported.

    Raises:
        SeedbedError: naming the first.
    """
    for point in entry_points(group=group):
        if point.name in own:
            raise SeedbedError(f"{what} {point.name!r} of {point.value} exists already; give it another name")


def with_installed(
    own: Mapping[str, T], group: str, what: str, expected: str, is_one: Callable[[object], bool]
) -> dict[str, T]:
    """A table of ours and what installed packages announce in a group of entry points, by name.

    Args:
        own: our table.
        group: of the entry points, for instance `seedbed.methods`.
        what: the kind of thing, for messages: "method".
        expected: what an entry point must name: "a MethodEntry".
        is_one: whether an object is that.

    Raises:
        SeedbedError: an entry point cannot be imported, names something else, or takes one of the names.
    """
    found = dict(own)
    for point in entry_points(group=group):
        try:
            entry = point.load()
        except (Exception, SystemExit) as error:
            raise SeedbedError(
                f"{what} {point.name!r} of {point.value} cannot be imported: {str(error) or type(error).__name__}"
            ) from error
        if not is_one(entry):
            raise SeedbedError(
                f"{what} {point.name!r}: {point.value} must be {expected}, not {type(entry).__name__}"
            )
        if point.name in found:
            raise SeedbedError(f"{what} {point.name!r} of {point.value} exists already; give it another name")
        found[point.name] = entry
    return found
