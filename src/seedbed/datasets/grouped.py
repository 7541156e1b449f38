"""Faults of one cause in one line, with a count and examples, so that none is lost among a thousand of another."""

import re
from collections.abc import Sequence

from seedbed.datasets.mask_checks import MANY

FEW = 3
"""Faults of one wording, and wordings of one family, that are each told in a line."""
EXAMPLES = 2
"""Places that are named where there are many."""
VALUES = 10
"""Names and numbers that are shown of a family."""
_PLACE = re.compile(r"^.*?: ")
"""File and line, or whatever else a fault begins with."""
_VARYING = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|(?:\b\w+ )?\d[^\s;,:(){}\[\]]*(?:, \d[^\s;,:(){}\[\]]*)*""")
"""What differs between faults of one family: names in quotes, and numbers, or several, with the word before them."""


def grouped(faults: Sequence[str]) -> list[str]:
    """Faults, each once, in their order; those of one cause in one line.

    Faults of one wording differ in what they begin with: more than `FEW` are one line. Those of one family differ in
    quoted names and numbers, too: those of more than `FEW` wordings are one line, which shows these.

    Args:
        faults: one line each.
    """
    families: dict[str, list[str]] = {}
    for fault in dict.fromkeys(faults):
        families.setdefault(_VARYING.sub("", _wording(fault)), []).append(fault)
    found: list[str] = []
    for family in families.values():
        wordings: dict[str, list[str]] = {}
        for fault in family:
            wordings.setdefault(_wording(fault), []).append(fault)
        if len(wordings) > FEW:
            found.append(_told(family))
            continue
        for group in wordings.values():
            found += [_told(group)] if len(group) > FEW else group
    return found


def _wording(fault: str) -> str:
    return _PLACE.sub("", fault, count=1)


def _told(faults: Sequence[str]) -> str:
    """The first of several, how many more there are, where they are, and the names and numbers in which they differ."""
    first, *others = map(_parts, faults)
    differ = [
        list(dict.fromkeys(column)) for column in zip(first[1:], *(o[1:] for o in others), strict=False)
    ]
    values = [column for column in differ if len(column) > 1]
    places = list(dict.fromkeys(_place(first[0], place) for place, *_ in others if place != first[0]))
    if places:
        shown = [_listed(places, len(places) if len(faults) <= MANY else EXAMPLES)]
        shown += [_listed(column, VALUES) for column in values]
    else:
        shown = [_listed(column[1:], VALUES) for column in values[:1]]
    return f"{faults[0]} (and {len(others)} more likewise: {'; '.join(shown)})"


def _listed(names: Sequence[str], most: int) -> str:
    return ", ".join(names[:most]) + ", …" * (len(names) > most)


def _place(first: str, other: str) -> str:
    """Where another fault is; without the file, if it is that of the first."""
    (file, _, _), (other_file, _, within) = first.rpartition(", "), other.rpartition(", ")
    return within if file and file == other_file else other


def _parts(fault: str) -> list[str]:
    place = _PLACE.match(fault)
    return [place[0].removesuffix(": ") if place else "", *_VARYING.findall(_wording(fault))]
