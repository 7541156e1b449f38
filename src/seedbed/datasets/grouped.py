"""Faults of one cause in one line, with a count and examples, so that none is lost among a thousand of another."""

import re
from collections.abc import Sequence

from seedbed.datasets.mask_checks import MANY

FEW = 3
"""Faults of one wording, and wordings of one family, that are each told in a line."""
EXAMPLES = 2
_PLACE = re.compile(r"^.*?: ")
"""File and line, or whatever else a fault begins with."""
_VARYING = re.compile(r"""(?<!\w)'[^']*'|"[^"]*"|(?:\b\w+ )?\d[^\s;,:(){}\[\]]*""")
"""What differs between faults of one family: names in quotes, and numbers with the word before them."""


def grouped(faults: Sequence[str]) -> list[str]:
    """Faults, each once, in their order; those of one cause in one line.

    Faults of one wording differ in what they begin with: more than `FEW` are one line. Those of one family differ in
    quoted names and numbers, too: more than `MANY` of more than `FEW` wordings are one line.

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
        if len(family) > MANY and len(wordings) > FEW:
            found.append(_told(family))
            continue
        for group in wordings.values():
            found += [_told(group)] if len(group) > FEW else group
    return found


def _wording(fault: str) -> str:
    return _PLACE.sub("", fault, count=1)


def _told(faults: Sequence[str]) -> str:
    """The first of several, how many more there are, and what these differ in: of all, or of some if they are many."""
    first, *others = faults
    shown = others if len(faults) <= MANY else others[:EXAMPLES]
    differ = [_difference(first, other) for other in shown]
    more = ", …" if len(others) > len(shown) else ""
    return f"{first} (and {len(others)} more likewise: {', '.join(differ)}{more})"


def _difference(first: str, other: str) -> str:
    """The first part of a fault that is not in another one of its family: where it is, a name, or a number."""
    (place, *one), (other_place, *two) = _parts(first), _parts(other)
    if place == other_place:
        return next((b for a, b in zip(one, two, strict=False) if a != b), place)
    (file, _, _), (other_file, _, within) = place.rpartition(", "), other_place.rpartition(", ")
    return within if file and file == other_file else other_place


def _parts(fault: str) -> list[str]:
    place = _PLACE.match(fault)
    return [place[0].removesuffix(": ") if place else "", *_VARYING.findall(_wording(fault))]
