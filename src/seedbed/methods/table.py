"""The table of methods. Each row is in the method's own file, with its parameters and its class.

Another package adds a method with an entry point in the group `seedbed.methods` that names a `MethodEntry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from seedbed.errors import SeedbedError, unknown_name
from seedbed.installed import with_installed
from seedbed.methods import (
    affinity,
    c2am,
    c2am_hints,
    cam,
    edge_affinity,
    isim,
    poolnet,
    ppc,
    prototype_contrast,
    puzzle_erasing,
    seam,
    segmentation,
    subcategory,
)
from seedbed.methods.base import GivenNetwork, Method, MethodEntry, TrainingStageName

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
    "isim": isim.ENTRY,
    "affinity": affinity.ENTRY,
    "edge_affinity": edge_affinity.ENTRY,
    "segmentation": segmentation.ENTRY,
    "c2am": c2am.ENTRY,
    "c2am_hints": c2am_hints.ENTRY,
    "poolnet": poolnet.ENTRY,
}


@cache
def all_methods() -> Mapping[str, MethodEntry]:
    """`METHODS` and the entries of installed packages.

    Raises:
        SeedbedError: an entry point cannot be imported, is not a `MethodEntry` of a training stage, or takes one of
            our names.
    """
    found = with_installed(
        METHODS, GROUP, "method", "a MethodEntry", lambda entry: isinstance(entry, MethodEntry)
    )
    stages = get_args(TrainingStageName)
    for name, entry in found.items():
        if entry.stage not in stages:
            raise SeedbedError(
                f"method {name!r} is for no training stage: {unknown_name('stage', entry.stage, stages)}"
            )
    return found


def method_entry(name: str, stage: str | None = None) -> MethodEntry:
    """The row of a method.

    Args:
        name: key of the table.
        stage: only methods of this stage count.

    Raises:
        SeedbedError: no method of the stage has this name; similar names are suggested.
    """
    every = all_methods()
    known = {key: entry for key, entry in every.items() if stage in (None, entry.stage)}
    if name in every and name not in known:
        raise SeedbedError(
            f"method {name!r} is for stage {every[name].stage}, not for {stage}, whose methods are: "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    if name not in known:
        raise SeedbedError(unknown_name(f"method of {stage}" if stage else "method", name, known))
    return known[name]


def other_meanings(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Meanings of a trained network besides the one that its stage makes.

    Args:
        facts: of the artifact's manifest.

    Returns:
        none of what no method has trained, or one that is not installed, which is refused where it is built.
    """
    try:
        return method_entry(facts["method"]).also
    except (KeyError, TypeError, SeedbedError):
        return ()


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
