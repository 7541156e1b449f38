"""Names of classes: what they may not be, and which of them a person would take for one."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from seedbed.datasets.files import FORMULA
from seedbed.errors import SeedbedError

LONGEST_CLASS = 100
"""Characters of the name of a class."""
BACKGROUND = frozenset({"background", "_background_", "__background__"})
"""Names, in lower case, of what has index 0 in every mask."""
RESERVED = BACKGROUND | {"void", "*"}
"""Those, and what `class_map` means by a name, in lower case."""
NOTHING = frozenset({"nan", "none", "null"})
"""What programs write into the cell of an image without any class, in lower case."""
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode's categories of characters that are not printed, or not as themselves."""


def class_fault(name: str) -> str | None:
    """What is wrong with the name of a class, which becomes a column of the tables; None if nothing is."""
    unseen = [c for c in name if unicodedata.category(c) in _UNSEEN]
    if not name or unseen or len(name) > LONGEST_CLASS:
        return (
            f"{ascii(name[:50]) if unseen else repr(name[:50])} is not the name of a class: expected 1 to "
            f"{LONGEST_CLASS} characters that are printed, no control ones"
        )
    if name != name.strip():
        return f"class {name!r} begins or ends with a space; remove it"
    if name.startswith(FORMULA):
        return f"class {name!r} begins with {name[0]}, which a spreadsheet runs as a formula; rename it"
    return None


def reserved_fault(name: str) -> str | None:
    """Whether a class has a name that means something else; None if it has not."""
    if name.lower() not in RESERVED:
        return None
    return f"{name!r} is not a class: masks and `class_map` mean something else by it; leave it out, or rename it"


def alike(classes: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Pairs of classes that differ in nothing but case, spaces, or how Unicode writes them, with what is wrong."""
    first: dict[str, str] = {}
    for name in dict.fromkeys(classes):
        other = first.setdefault(" ".join(unicodedata.normalize("NFKC", name).casefold().split()), name)
        if other == name:
            continue
        only_case = other.casefold() == name.casefold()
        differ = "in case" if only_case else "in spaces, or in how Unicode writes their letters"
        show = repr if only_case else ascii
        yield (
            other,
            name,
            f"the classes {show(other)} and {show(name)} differ only {differ}; write one of them",
        )


def alike_faults(where: str, classes: Sequence[str]) -> list[str]:
    """One line for each such pair."""
    return [f"{where}: {fault}" for _, _, fault in alike(classes)]


def refuse_classes(classes: Iterable[str], where: str) -> None:
    """Refuse classes with names that are not allowed, reserved, alike, or there twice.

    Raises:
        SeedbedError: naming the first.
    """
    names = tuple(classes)
    faults = [f"{where}: {fault}" for c in names if (fault := class_fault(c) or reserved_fault(c))]
    twice = [f"{where}: class {c!r} is there {n} times; keep one" for c, n in Counter(names).items() if n > 1]
    for fault in faults + twice + alike_faults(where, names):
        raise SeedbedError(fault)
