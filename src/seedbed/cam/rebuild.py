"""Full-resolution and strided CAMs from the stored maps of each scale (DESIGN §5).

Both are sums of bilinear upsamplings and linear in the stored maps, so nothing is lost by storing only these.
Sampling is that of `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)`, in float32
and in one fixed order of operations: the same maps give the same bits.
"""

from collections.abc import Sequence
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float32


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
    result = np.zeros((len(maps[0]) if maps else 0, *target), dtype=np.float32)
    for scale in maps:
        rows = _taps(scale.shape[1], target[0])
        columns = _taps(scale.shape[2], target[1])
        _add_bilinear(np.ascontiguousarray(scale), *rows, *columns, result)
    return result


def _taps(length: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lower and upper source index of each output index, and the weight of the upper one."""
    ratio = np.float32(length) / np.float32(target)
    half = np.float32(0.5)
    position = np.maximum((np.arange(target, dtype=np.float32) + half) * ratio - half, np.float32(0))
    lower = np.minimum(position.astype(np.int64), length - 1)
    return lower, np.minimum(lower + 1, length - 1), position - lower.astype(np.float32)


@numba.njit(cache=True, nogil=True)
@no_type_check
def _add_bilinear(maps, top, bottom, down, left, right, across, result):
    """result[c, y, x] += bilinear sample of maps[c], rows first."""
    one = np.float32(1)
    classes, height, width = result.shape
    row = np.empty(maps.shape[2], dtype=np.float32)
    for c in range(classes):
        for y in range(height):
            above, below, weight = maps[c, top[y]], maps[c, bottom[y]], down[y]
            for x in range(len(row)):
                row[x] = (one - weight) * above[x] + weight * below[x]
            line = result[c, y]
            for x in range(width):
                line[x] += (one - across[x]) * row[left[x]] + across[x] * row[right[x]]
