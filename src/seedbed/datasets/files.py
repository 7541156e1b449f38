"""Read photographs and index masks from files, and say in one line what is wrong with one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE

UNKNOWN = 254
"""The value to which a lookup table maps indices that stand for no class."""

_TRUNCATED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)


def read_image(path: Path) -> Image.Image:
    """A photograph as RGB, turned as its EXIF orientation says.

    Raises:
        SeedbedError: the file is missing, not an image, or truncated.
    """
    try:
        with Image.open(path) as file:
            turned = ImageOps.exif_transpose(file)
            return turned.convert("RGB")
    except FileNotFoundError as error:
        raise SeedbedError(f"{path}: expected a photograph, but there is no such file") from error
    except _TRUNCATED as error:
        raise SeedbedError(
            f"{path}: not a readable image ({error}); replace it, or take it off the list"
        ) from error


def read_indices(path: Path) -> UInt8[np.ndarray, "height width"]:
    """The indices of a palette or grey PNG, as stored.

    Raises:
        SeedbedError: the file is missing, unreadable, or a colour image.
    """
    try:
        with Image.open(path) as file:
            if file.mode not in ("P", "L"):
                raise SeedbedError(
                    f"{path}: expected a palette or 8-bit grey PNG of indices, but its mode is {file.mode}"
                )
            return np.array(file, dtype=np.uint8)
    except FileNotFoundError as error:
        raise SeedbedError(
            f"{path}: expected a mask, but there is no such file; add it, or declare `masks: false`"
        ) from error
    except _TRUNCATED as error:
        raise SeedbedError(f"{path}: not a readable mask ({error}); replace it") from error


def mask_lookup(indices: list[int]) -> UInt8[np.ndarray, "256"]:
    """Table from the indices in a file to 0 … C: class c of the data set has `indices[c]` in its files."""
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    table[0], table[IGNORE] = 0, IGNORE
    for c, index in enumerate(indices):
        table[index] = c + 1
    return table


def read_mask(
    path: Path, lookup: UInt8[np.ndarray, "256"], size: tuple[int, int] | None = None
) -> UInt8[np.ndarray, "height width"]:
    """A mask with the data set's own indices: 0 background, c + 1 for class c, 255 without a label.

    Args:
        path: palette or grey PNG.
        lookup: see `mask_lookup`.
        size: width and height of the photograph, if they are to be compared.

    Raises:
        SeedbedError: a mask that is unreadable, differs in size, or holds an index that stands for no class.
    """
    stored = read_indices(path)
    if size is not None and stored.shape != (size[1], size[0]):
        raise SeedbedError(
            f"{path}: expected a mask of the photograph's size {size[0]}x{size[1]},"
            f" but it is {stored.shape[1]}x{stored.shape[0]}"
        )
    mask: UInt8[np.ndarray, "height width"] = lookup[stored]
    if (mask == UNKNOWN).any():
        known = [int(i) for i in np.flatnonzero(lookup != UNKNOWN)]
        found = sorted(int(i) for i in np.unique(stored[mask == UNKNOWN]))
        raise SeedbedError(f"{path}: mask holds unknown index {', '.join(map(str, found))}; known: {known}")
    return mask


def pair_faults(image: Path, mask: Path | None, lookup: UInt8[np.ndarray, "256"]) -> list[str]:
    """What is wrong with a photograph and its mask, one line each; both are decoded completely.

    Args:
        image: file of the photograph.
        mask: file of its mask, None if none is expected.
        lookup: see `mask_lookup`.
    """
    faults, size = [], None
    try:
        size = read_image(image).size
    except SeedbedError as error:
        faults.append(str(error))
    if mask is not None:
        try:
            read_mask(mask, lookup, size)
        except SeedbedError as error:
            faults.append(str(error))
    return faults


def duplicates(ids: Sequence[str]) -> list[str]:
    """Ids that occur more than once, in order of their second occurrence."""
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for image_id in ids:
        if image_id in seen:
            twice[image_id] = None
        seen.add(image_id)
    return list(twice)
