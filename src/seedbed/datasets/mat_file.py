"""Numeric fields of a structure in a MATLAB 5 file, read without scipy, whose reader ends the process on damaged files.

"MAT-File Format" (MathWorks), chapter 1: after a header of 128 bytes come elements, each a tag (type, bytes) and its
data, padded to 8 bytes; a tag whose upper half is not 0 holds up to 4 bytes of data itself. A matrix is an element of
elements: flags, dimensions, name, then what its class says. Files of version 7.3 are HDF5 and are refused.
"""

import zlib
from collections.abc import Iterator
from math import prod
from typing import Literal

import numpy as np
from jaxtyping import Shaped

HEADER = 128
REST = 2**26
"""Bytes of the other fields of a structure, at most."""
MATRIX, COMPRESSED = 14, 15
STRUCTURE = 2
"""Class of a matrix of structures."""
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Numpy's type of an element's numbers, by its type."""
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
"""Numpy's type of a numeric matrix, by its class; its numbers may be stored in a shorter one."""

Order = Literal["little", "big"]


def numeric_field(data: bytes, variable: str, field: str, most: int) -> Shaped[np.ndarray, "..."]:
    """A numeric matrix in a structure of one element.

    Args:
        data: the file.
        variable: name of the structure.
        field: of it.
        most: numbers of the matrix; a compressed variable may have `REST` bytes besides.

    Raises:
        ValueError: the file is damaged, of another kind, or holds no such matrix.
    """
    orders: dict[bytes, Order] = {b"IM": "little", b"MI": "big"}
    order = orders.get(data[126:128])
    if order is None:
        raise ValueError("not a MATLAB file of version 5")
    for kind, body in _elements(data[HEADER:], order):
        if kind == COMPRESSED:
            unpacked = zlib.decompressobj()
            try:
                content = unpacked.decompress(body, most + REST)
            except zlib.error as error:
                raise ValueError(f"compressed data are damaged ({error})") from None
            if unpacked.unconsumed_tail:
                raise ValueError("a variable is larger than any mask")
            kind, body = next(_elements(content, order), (0, b""))
        if kind == MATRIX:
            name, parts, category, shape = _matrix(body, order)
            if name == variable:
                if category != STRUCTURE or prod(shape) != 1:
                    raise ValueError(f"{variable} is not a structure of one element")
                return _numbers(_field(parts, field, order), order, most)
    raise ValueError(f"there is no {variable}")


def _elements(data: bytes, order: Order) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element."""
    place = 0
    while place < len(data):
        if len(data) - place < 8:
            raise ValueError("the file ends in the middle of a tag")
        kind, size = (int.from_bytes(data[at : at + 4], order) for at in (place, place + 4))
        start = place + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise ValueError("a short element is too long")
            following = place + 8
        else:
            following = start + size + (-size % 8 if kind != COMPRESSED else 0)
        if start + size > len(data):
            raise ValueError("an element is longer than the file")
        yield kind, data[start : start + size]
        place = following


def _matrix(body: bytes, order: Order) -> tuple[str, Iterator[tuple[int, bytes]], int, tuple[int, ...]]:
    """Name, the elements that follow it, class and shape of a matrix."""
    parts = _elements(body, order)
    found = [part for _, part in zip(range(3), (content for _, content in parts), strict=False)]
    if len(found) < 3 or len(found[0]) < 4 or len(found[1]) % 4:
        raise ValueError("a matrix is damaged")
    flags, dimensions, name = found
    category = int.from_bytes(flags[:4], order) & 0xFF
    shape = np.frombuffer(dimensions, np.dtype("i4").newbyteorder("<" if order == "little" else ">"))
    return name.decode("latin-1"), parts, category, tuple(int(side) for side in shape)


def _field(parts: Iterator[tuple[int, bytes]], field: str, order: Order) -> bytes:
    """The matrix of a structure's field."""
    width = int.from_bytes(next(parts, (0, b""))[1][:4], order)
    names = next(parts, (0, b""))[1]
    if not width or len(names) % width:
        raise ValueError("the names of the fields are damaged")
    for start in range(0, len(names), width):
        kind, body = next(parts, (0, b""))
        if kind != MATRIX:
            raise ValueError("a field is missing")
        if names[start : start + width].split(b"\0", 1)[0].decode("latin-1") == field:
            return body
    raise ValueError(f"there is no field {field}")


def _numbers(body: bytes, order: Order, most: int) -> Shaped[np.ndarray, "..."]:
    _, parts, category, shape = _matrix(body, order)
    kind, content = next(parts, (0, b""))
    if category not in CLASSES or kind not in NUMBERS:
        raise ValueError("the field is not a numeric matrix")
    stored = np.dtype(NUMBERS[kind]).newbyteorder("<" if order == "little" else ">")
    if prod(shape) > most:
        raise ValueError(f"a matrix of shape {shape} is larger than any mask")
    if min(shape, default=0) < 1 or prod(shape) * stored.itemsize != len(content):
        raise ValueError(f"a matrix of shape {shape} has {len(content)} bytes")
    return np.frombuffer(content, stored).astype(CLASSES[category]).reshape(shape, order="F")
