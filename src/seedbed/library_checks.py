"""What the functions of `seedbed.library` refuse, each in one line: what was expected, what came, what to do."""

from collections.abc import Sequence
from math import isfinite
from operator import index
from typing import Any

import numpy as np

from seedbed.errors import unknown_name
from seedbed.labels import IGNORE
from seedbed.refine.crf.parameters import CrfParameters, all_presets

LabelMaps = np.ndarray | Sequence[np.ndarray]
"""One H × W label map, N × H × W of them, or a list of label maps of different sizes."""

TO_FLOAT32 = "convert it with .astype(np.float32)"


def array(name: str, value: object, kind: Any, axes: str | None, remedy: str) -> np.ndarray:
    """The value, which must be a numpy array of a kind of numbers and have as many axes as are named.

    Args:
        name: of the argument.
        value: what was given for it.
        kind: a type of numbers, `np.uint8`, or a group of types, `np.integer`.
        axes: names of the axes, separated by ", "; None for any number of axes.
        remedy: what to do.

    Raises:
        ValueError: anything else.
    """
    wanted = f"{name} as a numpy array of {kind.__name__}" + (f", ({axes})" if axes else "")
    if not isinstance(value, np.ndarray):
        raise ValueError(f"expected {wanted}, got {type(value).__name__}; convert it with np.asarray")
    fits = np.issubdtype(value.dtype, kind)
    if not fits or (axes is not None and value.ndim != len(axes.split(", "))):
        remedy = "give it these axes" if fits else remedy
        raise ValueError(f"expected {wanted}, got {value.dtype} of shape {value.shape}; {remedy}")
    return value


def maps(name: str, value: object) -> np.ndarray:
    """The value, which must be finite float32 maps, one per class, with pixels.

    Raises:
        ValueError: anything else.
    """
    found = array(name, value, np.float32, "classes, height, width", TO_FLOAT32)
    if 0 in found.shape[1:]:
        raise ValueError(f"expected {name} with pixels, got shape {found.shape}; check the image")
    if not np.isfinite(found).all():
        raise ValueError(f"expected finite {name}, got NaN or infinity; check what computed them")
    return found


def scores(name: str, value: object) -> np.ndarray:
    """The value, which must be float32 maps in [0, 1], one per class, with pixels.

    Raises:
        ValueError: anything else.
    """
    return fractions(name, maps(name, value))


def fractions(name: str, value: object) -> np.ndarray:
    """The value, which must be float32 in [0, 1], of any shape.

    Raises:
        ValueError: anything else.
    """
    found = array(name, value, np.float32, None, TO_FLOAT32)
    if found.size and not (found.min() >= 0 and found.max() <= 1):
        if not np.isfinite(found).all():
            raise ValueError(f"expected finite {name}, got NaN or infinity; check what computed them")
        raise ValueError(
            f"expected {name} in [0, 1], got {found.min():g} to {found.max():g}; normalise them first"
        )
    return found


def image(name: str, value: object, size: tuple[int, ...]) -> None:
    """Refuse anything but a uint8 RGB image of the given height and width.

    The dense CRF measures colours from 0 to 255: to it, an image in [0, 1] would be one even area.

    Raises:
        ValueError: anything else.
    """
    wanted = f"{name} as a numpy array of uint8, (height, width, 3), with values from 0 to 255"
    if not isinstance(value, np.ndarray):
        raise ValueError(f"expected {wanted}, got {type(value).__name__}; convert it with np.asarray")
    if value.dtype != np.uint8 and value.ndim == 3:
        raise ValueError(
            f"expected {wanted}, got {value.dtype} of shape {value.shape}; multiply values in [0, 1] by 255, "
            "round, and convert them with .astype(np.uint8)"
        )
    if value.dtype != np.uint8 or value.ndim != 3 or value.shape[2] != 3 or not value.size:
        last = value.ndim == 3 and value.shape[0] == 3
        remedy = (
            "put the channels last" if last and value.size else "open it as RGB" if value.size else "check it"
        )
        raise ValueError(f"expected {wanted}, got {value.dtype} of shape {value.shape}; {remedy}")
    if value.max() == 1:
        raise ValueError(
            f"expected {wanted}, got values up to 1; multiply by 255 before you convert to uint8"
        )
    if value.shape[:2] != size:
        raise ValueError(f"expected {name} of height and width {size}, got {value.shape[:2]}; resize one")


def crf_preset(preset: Any) -> CrfParameters:
    """The setting that a name stands for.

    Raises:
        ValueError: an unknown name; near ones are offered.
    """
    if isinstance(preset, CrfParameters):
        return preset
    if not isinstance(preset, str):
        raise ValueError(f"expected a CRF preset's name or CrfParameters, got {preset!r}; see CRF_PRESETS")
    if preset not in all_presets():
        raise ValueError(unknown_name("CRF preset", preset, all_presets()))
    return all_presets()[preset]


def offsets(given: Any) -> list[tuple[int, int]]:
    """Offsets as pairs of int.

    Raises:
        ValueError: not pairs of whole numbers.
    """
    try:
        return [(index(dy), index(dx)) for dy, dx in given]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected offsets as pairs (dy, dx), got {given!r}; for instance [(0, 1), (1, 0)]"
        ) from error


def several(name: str, given: object) -> list[np.ndarray]:
    """One array, or all of a list.

    Raises:
        ValueError: neither, or an empty list.
    """
    if isinstance(given, np.ndarray):
        return [given]
    if not isinstance(given, list | tuple) or not given:
        what, remedy = type(given).__name__, "convert it with np.asarray"
        if isinstance(given, list | tuple):
            what, remedy = "an empty one", "give one per image"
        raise ValueError(f"expected {name} as a numpy array or a list of them, got {what}; {remedy}")
    return list(given)


def label_maps(name: str, given: object) -> list[np.ndarray]:
    """The label maps of an argument, each H × W.

    Raises:
        ValueError: not uint8 label maps.
    """
    found = list(given) if isinstance(given, np.ndarray) and given.ndim == 3 else several(name, given)
    remedy = "convert label maps with .astype(np.uint8)"
    return [array(name, one, np.uint8, "height, width", remedy) for one in found]


def paired_label_maps(
    first_name: str, first: object, second_name: str, second: object
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The label maps of two arguments, side by side.

    Raises:
        ValueError: not uint8 label maps, or different numbers or sizes of them.
    """
    firsts, seconds = label_maps(first_name, first), label_maps(second_name, second)
    sizes = [[one.shape for one in part] for part in (firsts, seconds)]
    if len(firsts) != len(seconds):
        raise ValueError(
            f"expected as many label maps in {first_name} as in {second_name}, "
            f"got {len(firsts)} and {len(seconds)}; give one of each per image"
        )
    for number, (one, other) in enumerate(zip(*sizes, strict=True)):
        if one != other:
            raise ValueError(
                f"expected {first_name} and {second_name} of one size, got {one} and {other} at map {number}; "
                "resize one to the other"
            )
    return list(zip(firsts, seconds, strict=True))


def count(name: str, value: object, lowest: int = 1) -> int:
    """The value, which must be a whole number.

    Raises:
        ValueError: anything else, or a number below the lowest.
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= lowest:
        return int(value)
    raise ValueError(f"expected {name} as a whole number of at least {lowest}, got {value!r}; change it")


def positive(name: str, value: Any) -> float:
    """The value, which must be a finite number above 0.

    Raises:
        ValueError: anything else.
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if number and isfinite(value) and value > 0:
        return float(value)
    raise ValueError(f"expected {name} as a finite number above 0, got {value!r}; change it")


def class_ids(given: Any, classes: int) -> list[int]:
    """Index of each class in the data set.

    Args:
        given: what was given for them.
        classes: how many there must be.

    Raises:
        ValueError: not that many different whole numbers of at least 0.
    """
    try:
        found = [index(one) for one in given]
    except TypeError:
        found = []
    if len(found) != classes or len(set(found)) != classes or min(found, default=0) < 0:
        raise ValueError(
            f"expected class_ids as {classes} different whole numbers from 0, one per map, got {given!r}; "
            "give the index of each map's class"
        )
    return found


def labels(name: str, label_map: np.ndarray, classes: int) -> None:
    """Refuse values of a label map that are neither a class nor 255.

    Raises:
        ValueError: there are some.
    """
    foreign = label_map[(label_map >= classes) & (label_map != IGNORE)]
    if foreign.size:
        raise ValueError(
            f"expected {name} from 0 to {classes - 1}, or {IGNORE}, got {foreign[0]}; check the number of classes"
        )


def torch_device(device: object) -> None:
    """Refuse a device that torch does not have here.

    Raises:
        ValueError: unknown, or not on this machine.
    """
    import torch

    try:
        torch.zeros(0, device=device)  # type: ignore[call-overload]
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).split("\n", 1)[0]
        raise ValueError(
            f"expected a device that torch can use here, got {device!r} ({reason}); use 'cpu'"
        ) from None
