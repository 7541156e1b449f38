"""Masks of COCO's annotations: polygons and run lengths (`pycocotools.mask`), one mask of classes from many objects.

A polygon of fewer than three points encloses nothing and is left out: pycocotools would take four numbers for a box.
Run lengths that do not add up to the size are refused: pycocotools would fill the rest with whatever is in memory.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from seedbed.labels import IGNORE

Crowd = Literal["class", "void", "background"]
Overlap = Literal["smaller", "later", "void"]
_LEAST = 6
"""Numbers of a polygon of three points."""


class Region(NamedTuple):
    """An object of an image.

    Attributes:
        value: of its class in the mask.
        segmentation: as in the JSON: polygons, each a list of x, y, x, y, …; or run lengths with their size.
        crowd: whether it is a group of objects that were not told apart.
    """

    value: int
    segmentation: Any
    crowd: bool


def class_mask(
    regions: Iterable[Region], height: int, width: int, crowd: Crowd, overlap: Overlap
) -> UInt8[np.ndarray, "height width"]:
    """The mask of an image.

    Args:
        regions: its objects, in the order of the file.
        height: of the image.
        width: of the image.
        crowd: what the pixels of a crowd are where no single object is.
        overlap: which of several objects of different classes has a pixel: the smaller one, the later one, or none
            (255).

    Raises:
        ValueError: a segmentation that is not understood.
    """
    mask = np.zeros((height, width), np.uint8)
    drawn = [(region, region_mask(region.segmentation, height, width)) for region in regions]
    for region, pixels in drawn:
        if region.crowd and crowd != "background":
            mask[pixels] = region.value if crowd == "class" else IGNORE
    single = [(region, pixels) for region, pixels in drawn if not region.crowd]
    if overlap == "smaller":
        single.sort(key=lambda one: -int(one[1].sum()))
    taken = np.zeros_like(mask)
    for region, pixels in single:
        if overlap == "void":
            mask[pixels] = np.where(
                (taken[pixels] == 0) | (taken[pixels] == region.value), region.value, IGNORE
            )
            taken[pixels] = np.where(mask[pixels] == IGNORE, IGNORE, region.value)
        else:
            mask[pixels] = region.value
    return mask


def region_mask(segmentation: Any, height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """Pixels of one object.

    Raises:
        ValueError: not polygons of numbers near the image, and not run lengths of its size.
    """
    if isinstance(segmentation, dict):
        return _of_runs(segmentation, height, width)
    if not isinstance(segmentation, list):
        raise ValueError(f"expected polygons or run lengths, got {type(segmentation).__name__}")
    from pycocotools import mask as rle

    polygons = [polygon for one in segmentation if len(polygon := _polygon(one, height, width)) >= _LEAST]
    if not polygons:
        return np.zeros((height, width), bool)
    pixels: Bool[np.ndarray, "height width"] = rle.decode(
        rle.merge(rle.frPyObjects(polygons, height, width))
    ).astype(bool)
    return pixels


def encloses_nothing(segmentation: Any) -> bool:
    """Whether polygons have too few points each, or there are none."""
    return isinstance(segmentation, list) and all(
        isinstance(one, list) and len(one) < _LEAST for one in segmentation
    )


def _polygon(numbers: Any, height: int, width: int) -> list[float]:
    if not isinstance(numbers, list) or any(type(number) not in (int, float) for number in numbers):
        raise ValueError("expected polygons as lists of numbers x, y, x, y, …")
    try:
        array = np.array(numbers, dtype=np.float64)
    except OverflowError:
        raise ValueError("a polygon holds a number that is too large") from None
    if array.ndim != 1 or array.size % 2 or not np.isfinite(array).all():
        raise ValueError(f"expected pairs of finite numbers x, y for a polygon, got {array.size} numbers")
    farthest = 2 * max(height, width)
    if array.size and (array.min() < -farthest or array.max() > farthest):
        raise ValueError(
            f"expected a polygon on an image of {width}x{height}, got numbers from {array.min():g} to {array.max():g}"
        )
    return [float(number) for number in array]


def _of_runs(segmentation: dict[str, Any], height: int, width: int) -> Bool[np.ndarray, "height width"]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise ValueError(f"expected run lengths of size [{height}, {width}], got {size}")
    runs = _unpacked(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and run >= 0 for run in runs):
        raise ValueError("expected run lengths as a list of whole numbers or as COCO's text")
    if sum(runs) != height * width:
        raise ValueError(f"expected run lengths of {height * width} pixels, got {sum(runs)}")
    values = np.arange(len(runs)) % 2 == 1
    by_column: Bool[np.ndarray, "width height"] = np.repeat(values, runs).reshape(width, height)
    return by_column.T


def _unpacked(text: str) -> list[int]:
    """Run lengths from COCO's text: groups of 5 bits from 48 on, bit 6 if more follow; differences from the
    fourth run on.

    Raises:
        ValueError: the text ends within a number, or holds other characters.
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"expected run lengths in COCO's text, got the character {character!r}")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        number -= (bits & 16) << (shift - 4)
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        number = shift = 0
    if shift:
        raise ValueError("expected run lengths in COCO's text, but it ends within a number")
    return runs


def degenerate(segmentations: Sequence[Any]) -> int:
    """How many objects enclose nothing."""
    return sum(map(encloses_nothing, segmentations))
