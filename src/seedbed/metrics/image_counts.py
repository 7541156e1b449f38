"""Confusion counts of each image, packed as text: a few bytes per cell that is not 0, and most are 0.

They stand in the file of scores, in the order of the data set's index, so that the scores of any sample of images can
be computed from the file alone (`seedbed.metrics.bootstrap`).
"""

import base64
import binascii
import zlib
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NUMBERS, CELLS, PIXELS = np.dtype("<u2"), np.dtype("<u2"), np.dtype("<u4")
"""Types of the three streams: filled cells per image, their places in the flat counts, their pixels."""


class ImageCounts:
    """Counts of images, collected one by one; only what is not 0 is kept."""

    def __init__(self) -> None:
        self._cells: list[np.ndarray] = []
        self._pixels: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._cells)

    def add(self, counts: Int64[np.ndarray, "K K+1"]) -> None:
        """Append the counts of the next image."""
        flat = counts.ravel()
        cells = np.flatnonzero(flat)
        self._cells.append(cells)
        self._pixels.append(flat[cells])

    def packed(self) -> str:
        """Everything as text (Base64 of zlib).

        Raises:
            ValueError: a count or a place that does not fit.
        """
        numbers = np.array([len(cells) for cells in self._cells])
        streams = (
            (numbers, NUMBERS),
            (np.concatenate([np.empty(0, np.int64), *self._cells]), CELLS),
            (np.concatenate([np.empty(0, np.int64), *self._pixels]), PIXELS),
        )
        return base64.b64encode(
            zlib.compress(b"".join(_planes(values, kind) for values, kind in streams), 9)
        ).decode()


def unpack(packed: str, images: int, classes: int) -> "csr_array":
    """The counts of each image: Int64[images, classes · (classes + 1)], sparse; a row is an image's flat counts.

    Args:
        packed: what `ImageCounts.packed` wrote.
        images: how many there are.
        classes: K, the number of classes with background.

    Raises:
        ValueError: the text does not hold the counts of so many images and classes.
    """
    from scipy.sparse import csr_array

    width = classes * (classes + 1)
    try:
        content = zlib.decompress(base64.b64decode(packed, validate=True))
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"counts per image are not readable ({error})") from None
    head = images * NUMBERS.itemsize
    numbers = _values(content[:head], NUMBERS)
    total = int(numbers.sum())
    middle = head + total * CELLS.itemsize
    if len(numbers) != images or len(content) != middle + total * PIXELS.itemsize:
        raise ValueError(f"counts per image are not those of {images} images")
    cells = _values(content[head:middle], CELLS)
    if cells.size and cells.max() >= width:
        raise ValueError(f"counts per image are not those of {classes} classes")
    rows = np.concatenate([[0], numbers.cumsum()])
    return csr_array((_values(content[middle:], PIXELS), cells, rows), shape=(images, width))


def _planes(values: np.ndarray, kind: "np.dtype[np.unsignedinteger]") -> bytes:
    """All lowest bytes, then all second ones, …: high bytes are mostly 0, which compresses well."""
    if values.size and values.max() > np.iinfo(kind).max:
        raise ValueError(f"expected counts per image up to {np.iinfo(kind).max}, got {values.max()}")
    return values.astype(kind).view(np.uint8).reshape(-1, kind.itemsize).T.tobytes()


def _values(planes: bytes, kind: "np.dtype[np.unsignedinteger]") -> Int64[np.ndarray, "n"]:
    if len(planes) % kind.itemsize:
        raise ValueError("counts per image end in the middle of a number")
    split = np.frombuffer(planes, np.uint8).reshape(kind.itemsize, -1).T
    return np.ascontiguousarray(split).view(kind).ravel().astype(np.int64)
