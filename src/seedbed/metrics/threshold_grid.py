"""Thresholds of a sweep, as float32, and pairs of them by index.

CAMs are float32. Compared in float64, a threshold of 0.3 and a score of float32(0.3) would differ, so thresholds
are rounded to float32 once, here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt16

MOST = 32_767
CELLS = 4096


def threshold_grid(values: Sequence[float]) -> Float32[np.ndarray, "T"]:
    """The distinct thresholds in ascending order.

    A sweep of pairs needs the background and foreground thresholds of all of them.

    Raises:
        ValueError: no threshold, more than 32,767 of them, or one that is not finite.
    """
    grid = np.unique(np.asarray(values, np.float32))
    if not 1 <= grid.size <= MOST or not np.isfinite(grid).all():
        raise ValueError(f"expected 1 to {MOST} finite thresholds, got {list(values)[:8]}")
    return grid


def decisive_positions(
    grid: Float32[np.ndarray, "T"], pairs: Sequence[tuple[float, float]]
) -> tuple[Int64[np.ndarray, "P"], Int64[np.ndarray, "P"]]:
    """The last position that is background and the first that is foreground, for each (bg_threshold, fg_threshold).

    Position 2·i lies below threshold i and above threshold i - 1; position 2·i + 1 is threshold i itself.
    What lies in between is neutral. With equal thresholds, a score on them is foreground.

    Raises:
        ValueError: a background threshold above its foreground threshold, or one that the grid lacks.
    """
    wanted = np.asarray(pairs, np.float32).reshape(-1, 2)
    crossed = wanted[:, 0] > wanted[:, 1]
    if crossed.any():
        bg, fg = pairs[int(np.argmax(crossed))]
        raise ValueError(f"expected bg_threshold ≤ fg_threshold, got {bg} and {fg}; swap them")
    index = np.searchsorted(grid, wanted).clip(max=grid.size - 1)
    lacking = grid[index] != wanted
    if lacking.any():
        raise ValueError(
            f"threshold {wanted[lacking][0]} is not among the table's {grid.size} ({grid[0]} to {grid[-1]}); "
            "make the table with it"
        )
    bg_index, fg_index = index.astype(np.int64).T
    return 2 * bg_index + (bg_index < fg_index), 2 * fg_index + 1


class BinSearch(NamedTuple):
    """A table that finds a score's position quickly.

    Attributes:
        thresholds: the grid and a NaN at its end, which no score equals or exceeds.
        below_cell: for each of G cells of [0, 1], the number of thresholds in lower cells.
        steps: the largest number of thresholds in one cell.
    """

    thresholds: Float32[np.ndarray, "T+1"]
    below_cell: UInt16[np.ndarray, "G"]
    steps: int


def bin_search(grid: Float32[np.ndarray, "T"]) -> BinSearch:
    """Sort the thresholds into cells. A cell is trunc(clip(value, 0, 1) · (G − 1)) in float32, here and in
    the kernel."""
    cell = (np.clip(grid, 0, 1) * np.float32(CELLS - 1)).astype(np.int64)
    number = np.bincount(cell, minlength=CELLS)
    below = (np.cumsum(number) - number).astype(np.uint16)
    return BinSearch(np.append(grid, np.float32(np.nan)), below, int(number.max()))


def as_maps(name: str, cam: Float[np.ndarray, "C H W"]) -> Float32[np.ndarray, "maps pixels"]:
    """Contiguous maps × pixels. An image without classes becomes one map of -inf: background under every pair.

    Raises:
        ValueError: maps that are not float32 and would be compared in another precision.
    """
    if cam.dtype != np.float32:
        raise ValueError(
            f"expected {name} as float32, in which thresholds are compared, got {cam.dtype}; convert it"
        )
    height, width = cam.shape[1:]
    if not len(cam):
        return np.full((1, height * width), -np.inf, np.float32)
    return np.ascontiguousarray(cam).reshape(len(cam), height * width)
