"""Errors for people: what was expected, what came, what to do, in one line."""

from collections.abc import Iterable
from difflib import get_close_matches


class SeedbedError(Exception):
    """A mistake that a user can correct. Commands print its one line; the traceback goes to the log only."""


def unknown_name(what: str, name: object, known: Iterable[str]) -> str:
    """One line for a name that is not in a table.

    Near names come first; where there are none, all known names are listed.

    Args:
        what: the kind of thing, for instance "stage".
        name: what the user wrote.
        known: the names that would have been right.
    """
    names = sorted(known)
    near = get_close_matches(str(name), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}."
    return f"unknown {what} {str(name)!r}; {hint}"
