"""`class_map` of a declaration: classes joined or dropped before anything is trained or scored.

mmsegmentation's `metainfo` is the model: what a data set is asked for need not be what its files hold. There are two
steps, since pseudo masks come from CAMs and every class of a CAM must have its place in the masks:

- `labels`: from the data set's own classes to those of the image-level labels, by which classifiers and CAMs go;
- `masks`: from these to the classes of label maps, segmentation networks and true masks.

A step that is not declared changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from seedbed.datasets.class_names import alike_faults, class_fault, reserved_fault
from seedbed.errors import SeedbedError, unknown_name
from seedbed.labels import IGNORE

BACKGROUND, VOID = "background", "void"
"""Where classes go that are dropped: their pixels are background (0), or have no label (255)."""
OTHERS = "*"
"""Stands for every class that no other entry names."""


def _listed(members: Any) -> Any:
    return [members] if isinstance(members, str) else members


def _checked(joined: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Raises ValueError for what is wrong whatever the data set holds."""
    owners: dict[str, str] = {}
    for name, members in joined.items():
        if name not in (BACKGROUND, VOID) and (fault := class_fault(name) or reserved_fault(name)):
            raise ValueError(fault)
        for member in members:
            if member in owners:
                twice = (
                    "is joined twice" if owners[member] == name else f"is joined into {owners[member]!r}, too"
                )
                raise ValueError(f"{name!r}: {member!r} {twice}; name it once")
            owners[member] = name
    for fault in alike_faults("new classes", [*joined]):
        raise ValueError(fault)
    if not joined.keys() - {BACKGROUND, VOID}:
        raise ValueError(
            f"expected a class besides {BACKGROUND} and {VOID}, got {', '.join(joined) or 'none'}; name one"
        )
    return {name: tuple(sorted(members)) for name, members in sorted(joined.items())}


Members = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]
Joined = Annotated[dict[str, Members], AfterValidator(_checked)]
"""New class → the classes that it joins. Its order means nothing."""


class ClassMap(BaseModel):
    """Classes to join or drop: `{new: [old, old]}`, where `background` and `void` take what is dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    labels: Joined | None = None
    """From the data set's own classes to those of the image-level labels, hence of classifiers and CAMs."""
    masks: Joined | None = None
    """From the classes of the labels to those of masks, pseudo masks and segmentation networks."""


class Vocabulary(NamedTuple):
    """Classes after a step.

    Attributes:
        classes: the new ones, in the order of their first members.
        lookup: index of an old class in a mask (0 background, c + 1 class c, 255 no label) → index of the new one.
    """

    classes: tuple[str, ...]
    lookup: UInt8[np.ndarray, "256"]


def unchanged(classes: Sequence[str]) -> Vocabulary:
    """Classes to which nothing happens."""
    lookup = np.full(256, IGNORE, np.uint8)
    lookup[: len(classes) + 1] = np.arange(len(classes) + 1)
    return Vocabulary(tuple(classes), lookup)


def vocabulary(classes: Sequence[str], joined: Mapping[str, Sequence[str]] | None, where: str) -> Vocabulary:
    """The classes that a step makes of others.

    Args:
        classes: the old ones, in their order.
        joined: a step of a `ClassMap`; nothing changes if None.
        where: the step, for messages.

    Raises:
        SeedbedError: it names an unknown class, or leaves one out.
    """
    if joined is None:
        return unchanged(classes)
    owners = _owners(classes, joined, where)
    new = tuple(dict.fromkeys(name for c in classes if (name := owners[c]) not in (BACKGROUND, VOID)))
    if not new:
        raise SeedbedError(
            f"{where}: expected a class besides {BACKGROUND} and {VOID}, but nothing is left for one"
        )
    index = {BACKGROUND: 0, VOID: IGNORE, **{name: c + 1 for c, name in enumerate(new)}}
    lookup = np.full(256, IGNORE, np.uint8)
    lookup[0] = 0
    lookup[1 : len(classes) + 1] = [index[owners[c]] for c in classes]
    return Vocabulary(new, lookup)


def _owners(classes: Sequence[str], joined: Mapping[str, Sequence[str]], where: str) -> dict[str, str]:
    """The new class of each old one."""
    owners = {member: name for name, members in joined.items() for member in members}
    others = owners.pop(OTHERS, None)
    for member, name in owners.items():
        if member not in classes:
            raise SeedbedError(f"{where}.{name}: {unknown_name('class', member, classes)}")
    left = [c for c in classes if c not in owners]
    if left and others is None:
        raise SeedbedError(
            f"{where} leaves out {', '.join(_first(map(repr, left)))}; name each class once: under a new class, "
            f"under {BACKGROUND} or {VOID}, or by {OTHERS!r} for all others"
        )
    if others is not None and not left:
        raise SeedbedError(
            f"{where}.{others}: {OTHERS!r} stands for no class, since every class is named; leave it out"
        )
    return {c: owners.get(c, str(others)) for c in classes}


def _first(names: Iterable[str], most: int = 5) -> Iterator[str]:
    for number, name in enumerate(names):
        if number == most:
            yield "…"
            return
        yield name
