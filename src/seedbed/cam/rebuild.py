"""Full-resolution and strided CAMs from the stored maps of each scale (DESIGN §5).

Both are sums of bilinear upsamplings and linear in the stored maps, so nothing is lost by storing only these.
Sampling is that of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`, in float32
and in one fixed order of operations: the same maps give the same bits.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float32

_BAND = 32  # lines of the result that stay in the cache while all maps are added


def full_resolution(
    maps: Sequence[Float32[np.ndarray, "C _ _"]], size: tuple[int, int]
) -> Float32[np.ndarray, "C H W"]:
    """Sum of the maps of all scales at the size of the image.

    Args:
        maps: one array per scale, at its native resolution; the same classes in each. An empty sequence stands
            for an image without classes.
        size: (H, W) of the image, pixels. Each map is laid over the exact extent of the image.

    Raises:
        ValueError: scales with different numbers of classes, an empty map or an empty size.
    """
    _check(maps, size)
    return _summed(maps, size)


def strided(
    maps: Sequence[Float32[np.ndarray, "C _ _"]], size: tuple[int, int], *, stride: int = 4
) -> Float32[np.ndarray, "C h w"]:
    """Sum of the maps of all scales on the grid of a stride, h = (H − 1) // stride + 1.

    Args:
        maps: one array per scale, at its native resolution; the same classes in each. An empty sequence stands
            for an image without classes.
        size: (H, W) of the image, pixels.
        stride: 4 for IRN's walk, 8 for PSA's.

    Raises:
        ValueError: scales with different numbers of classes, an empty map or an empty size, a stride below 1.
    """
    _check(maps, size, stride)
    H, W = size
    return _summed(maps, ((H - 1) // stride + 1, (W - 1) // stride + 1))


def _check(maps: Sequence[np.ndarray], size: tuple[int, int], stride: int = 1) -> None:
    classes = [len(scale) for scale in maps]
    if len(set(classes)) > 1:
        raise ValueError(f"expected the same classes at each scale, got {classes} maps; dump the CAMs again")
    if min(*size, stride, *(length for scale in maps for length in scale.shape[1:])) < 1:
        raise ValueError(
            f"expected maps, size and stride of at least 1, got maps {[scale.shape[1:] for scale in maps]}, "
            f"size {size}, stride {stride}; check the image's size"
        )


def _summed(maps: Sequence[np.ndarray], target: tuple[int, int]) -> Float32[np.ndarray, "C H W"]:
    """Sum of the maps, each sampled at `target` rows and columns."""
    result = np.empty((len(maps[0]) if maps else 0, *target), dtype=np.float32)
    if len(result):
        rows, columns = (
            _taps(tuple(scale.shape[axis] for scale in maps), target[axis - 1]) for axis in (1, 2)
        )
        shapes = np.array([scale.shape[1:] for scale in maps])
        values = np.concatenate([scale.reshape(-1) for scale in maps])
        _sum_bilinear(values, shapes, *rows, *columns, result)
    return result


@lru_cache(maxsize=16)
def _taps(lengths: tuple[int, ...], target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower and upper source index of each output index, and the weight of the upper one, a row for each length."""
    length = np.array(lengths)[:, None]
    ratio = length.astype(np.float32) / np.float32(target)
    half = np.float32(0.5)
    position = np.maximum((np.arange(target, dtype=np.float32) + half) * ratio - half, np.float32(0))
    lower = np.minimum(position.astype(np.int64), length - 1)
    return lower, np.minimum(lower + 1, length - 1), position - lower.astype(np.float32)


@numba.njit(cache=True, nogil=True)
@no_type_check
def _sum_bilinear(values, shapes, top, bottom, down, left, right, across, result):
    """result[c, y, x] = sum of bilinear samples of channel c of all maps, rows first, one map after the other.

    Args:
        values: of all maps, Float32[C, h, w] each, one after the other.
        shapes: h and w of each.
        top, bottom, down, left, right, across: `_taps` of each map's rows and columns.
    """
    classes, height, _ = result.shape
    for c in range(classes):
        for first in range(0, height, _BAND):
            last = min(first + _BAND, height)
            result[c, first:last] = 0
            start = 0
            for s in range(len(shapes)):
                h, w = shapes[s]
                channel = values[start + c * h * w : start + (c + 1) * h * w].reshape(h, w)
                start += classes * h * w
                _add_band(
                    channel, top[s], bottom[s], down[s], left[s], right[s], across[s], first, last, result[c]
                )


@numba.njit(cache=True, nogil=True)
@no_type_check
def _add_band(channel, top, bottom, down, left, right, across, first, last, result):
    """Lines first…last−1 of one channel.

    A row of the map is spread over the columns of the result once, not for each line that it serves, so that the
    loop over x reads in order.
    """
    width = result.shape[1]
    above, below = np.empty((2, width), np.float32), np.empty((2, width), np.float32)
    above_row, below_row = -1, -1
    for y in range(first, last):
        if above_row != top[y]:
            if below_row == top[y]:
                above, below = below, above
                below_row = -1
            else:
                _spread(channel[top[y]], left, right, above)
            above_row = top[y]
        if below_row != bottom[y]:
            _spread(channel[bottom[y]], left, right, below)
            below_row = bottom[y]
        _add_line(above[0], above[1], below[0], below[1], down[y], across, result[y])


@numba.njit(cache=True, nogil=True)
@no_type_check
def _add_line(above_left, above_right, below_left, below_right, down, across, line):
    """Add to a line of the result what lies between two rows, of which each comes as `_spread` leaves it."""
    one = np.float32(1)
    for x in range(len(line)):
        left = (one - down) * above_left[x] + down * below_left[x]
        right = (one - down) * above_right[x] + down * below_right[x]
        line[x] += (one - across[x]) * left + across[x] * right


@numba.njit(cache=True, nogil=True)
@no_type_check
def _spread(row, left, right, spread):
    """The values of a row that stand left and right of each output column."""
    for x in range(len(left)):
        spread[0, x] = row[left[x]]
        spread[1, x] = row[right[x]]
