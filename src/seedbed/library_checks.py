"""What the functions of `seedbed.library` refuse, each in one line: what was expected, what came, what to do."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seedbed.errors import unknown_name
from seedbed.refine.crf.parameters import CRF_PRESETS, CrfParameters

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
    if not np.issubdtype(value.dtype, kind) or (axes is not None and value.ndim != len(axes.split(", "))):
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
    found = maps(name, value)
    if found.size and not (found.min() >= 0 and found.max() <= 1):
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
        raise ValueError(f"expected {wanted}, got {value.dtype} of shape {value.shape}; open it as RGB")
    if value.shape[:2] != size:
        raise ValueError(f"expected {name} of height and width {size}, got {value.shape[:2]}; resize one")


def crf_preset(preset: str | CrfParameters) -> CrfParameters:
    """The setting that a name stands for.

    Raises:
        ValueError: an unknown name; near ones are offered.
    """
    if isinstance(preset, CrfParameters):
        return preset
    if preset not in CRF_PRESETS:
        raise ValueError(unknown_name("CRF preset", preset, CRF_PRESETS))
    return CRF_PRESETS[preset]


def offsets(given: Any) -> list[tuple[int, int]]:
    """Offsets as pairs of int.

    Raises:
        ValueError: not pairs of numbers.
    """
    try:
        return [(int(dy), int(dx)) for dy, dx in given]
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
        what = "an empty one" if isinstance(given, list | tuple) else type(given).__name__
        raise ValueError(
            f"expected {name} as a numpy array or a list of them, got {what}; give one per image"
        )
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
                "resize the prediction to the image"
            )
    return list(zip(firsts, seconds, strict=True))
