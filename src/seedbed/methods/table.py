"""The table of methods. Each row is in the method's own file, with its parameters and its class.

Another package adds a method with an entry point in the group `seedbed.methods` that names a `MethodEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from seedbed.errors import SeedbedError, unknown_name
from seedbed.methods import (
    affinity,
    cam,
    edge_affinity,
    ppc,
    prototype_contrast,
    puzzle_erasing,
    seam,
    segmentation,
    subcategory,
)
from seedbed.methods.base import GivenNetwork, Method, MethodEntry

if TYPE_CHECKING:
    from seedbed.networks.weights import InitialWeights

GROUP = "seedbed.methods"

METHODS: dict[str, MethodEntry] = {
    "cam": cam.ENTRY,
    "puzzle_erasing": puzzle_erasing.ENTRY,
    "subcategory": subcategory.ENTRY,
    "seam": seam.ENTRY,
    "ppc": ppc.ENTRY,
    "prototype_contrast": prototype_contrast.ENTRY,
    "affinity": affinity.ENTRY,
    "edge_affinity": edge_affinity.ENTRY,
    "segmentation": segmentation.ENTRY,
}


@cache
def all_methods() -> Mapping[str, MethodEntry]:
    """`METHODS` and the entries of installed packages.

    Raises:
        SeedbedError: an entry point cannot be imported, is not a `MethodEntry`, or takes one of our names.
    """
    found = dict(METHODS)
    for point in entry_points(group=GROUP):
        try:
            entry = point.load()
        except Exception as error:
            raise SeedbedError(
                f"method {point.name!r} of {point.value} cannot be imported: {error}"
            ) from error
        if not isinstance(entry, MethodEntry):
            raise SeedbedError(
                f"method {point.name!r}: {point.value} must be a MethodEntry, not {type(entry).__name__}"
            )
        if point.name in found:
            raise SeedbedError(f"method {point.name!r} of {point.value} exists already; give it another name")
        found[point.name] = entry
    return found


def method_entry(name: str, stage: str | None = None) -> MethodEntry:
    """The row of a method.

    Args:
        name: key of the table.
        stage: only methods of this stage count.

    Raises:
        SeedbedError: no method has this name; similar names are suggested.
    """
    known = {key: entry for key, entry in all_methods().items() if stage in (None, entry.stage)}
    if name not in known:
        raise SeedbedError(unknown_name(f"method of {stage}" if stage else "method", name, known))
    return known[name]


def build_method(
    name: str,
    parameters: BaseModel,
    *,
    classes: int,
    rng: int,
    weights: InitialWeights | None = None,
    given: Mapping[str, GivenNetwork] | None = None,
) -> Method:
    """Build a method; this imports torch.

    Args:
        name: key of the table.
        parameters: an instance of the entry's model.
        classes: number of foreground classes, C.
        rng: keys the initialisation of what is trained from scratch.
        weights: initial weights instead of those named in `parameters`, for a network whose trained state is loaded
            afterwards.
        given: trained networks by name, from those in `MethodEntry.networks`; needed for training only.

    Raises:
        SeedbedError: no such method.
        ValueError: the networks refuse their parameters.
    """
    options: dict[str, Any] = dict(given or {})
    return method_entry(name).method(parameters, classes=classes, rng=rng, weights=weights, **options)
