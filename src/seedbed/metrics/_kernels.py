"""Compiled loops over pixels, imported only by the functions that run them, so that scores stay quick to import.

`no_type_check` keeps the tests' type checker out of what numba compiles; the callers check.
"""

from typing import no_type_check

import numpy as np
from numba import njit

EIGHT = np.uint64(0x0101010101010101)


@njit(cache=True)
@no_type_check
def count_pairs(rows, columns, row_offset, column_offset, size):
    """Histogram of `row_offset[rows] + column_offset[columns]`.

    Masks are constant over long stretches, so eight pixels are read as one word: where both words repeat one
    byte, the cell gains eight at once.

    Args:
        rows, columns: uint64, n words of eight pixels each.
        row_offset, column_offset: int64, 256 entries.
        size: number of cells.

    Returns:
        int64 of `size` cells.
    """
    table = np.zeros(size, np.int64)
    byte = np.uint64(255)
    for i in range(rows.size):
        row, column = rows[i], columns[i]
        if row == (row & byte) * EIGHT and column == (column & byte) * EIGHT:
            table[row_offset[row & byte] + column_offset[column & byte]] += 8
        else:
            for _ in range(8):
                table[row_offset[row & byte] + column_offset[column & byte]] += 1
                row >>= np.uint64(8)
                column >>= np.uint64(8)
    return table


CHUNK = 4096
"""Pixels processed at a time: scores, winners and bins of a chunk stay in the nearest cache."""


@njit(cache=True)
@no_type_check
def count_scores(cam, rows, row_offset, thresholds, below_cell, steps, size):
    """One pass over an image: histogram of true class × winning map × bin of its score.

    Args:
        cam: float32 of C ≥ 1 maps × n pixels.
        rows: uint8 of n, the truth.
        row_offset: int64 of 256, first cell of each true class.
        thresholds, below_cell, steps: a `threshold_grid.BinSearch`.
        size: number of cells; a true class has C × (2·T + 1) of them.

    Returns:
        int64 of `size` cells, and whether `cam` is free of NaN.
    """
    n = cam.shape[1]
    width = 2 * thresholds.size - 1
    tables = np.zeros((2, size), np.int64)
    score, winner, bins = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.uint8), np.empty(CHUNK, np.uint16)
    numbers = True
    for start in range(0, n, CHUNK):
        number = min(CHUNK, n - start)
        if not _strongest(cam, start, number, score, winner):
            numbers = False
            break
        _bins(score, number, thresholds, below_cell, steps, bins)
        for i in range(number):
            tables[i & 1, row_offset[rows[start + i]] + winner[i] * width + bins[i]] += 1
    return tables[0] + tables[1], numbers


@njit(cache=True)
@no_type_check
def count_transitions(initial, refined, thresholds, below_cell, steps):
    """One pass over an image: joint histogram of the bins of each pixel's greatest initial and refined score.

    Args:
        initial, refined: float32 of C ≥ 1 maps × n pixels.
        thresholds, below_cell, steps: a `threshold_grid.BinSearch`.

    Returns:
        int64 of (2·T + 1) × (2·T + 1) cells, and whether the scores are free of NaN.
    """
    n = initial.shape[1]
    width = 2 * thresholds.size - 1
    tables = np.zeros((2, width, width), np.int64)
    score, winner = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.uint8)
    before, after = np.empty(CHUNK, np.uint16), np.empty(CHUNK, np.uint16)
    numbers = True
    for start in range(0, n, CHUNK):
        number = min(CHUNK, n - start)
        if not _strongest(initial, start, number, score, winner):
            numbers = False
            break
        _bins(score, number, thresholds, below_cell, steps, before)
        if not _strongest(refined, start, number, score, winner):
            numbers = False
            break
        _bins(score, number, thresholds, below_cell, steps, after)
        for i in range(number):
            tables[i & 1, before[i], after[i]] += 1
    return tables[0] + tables[1], numbers


@njit(cache=True)
@no_type_check
def _strongest(cam, start, number, score, winner):
    """Greatest score of `number` pixels from `start` on, and the first map that has it.

    Returns:
        Whether the scores are free of NaN; if not, score and winner mean nothing.
    """
    odd = False
    for c in range(len(cam)):
        # A contiguous view and no branch, so that the loop is vectorised.
        row = cam[c, start : start + number]
        for i in range(number):
            value = row[i]
            better = c == 0 or value > score[i]
            score[i] = value if better else score[i]
            winner[i] = np.uint8(c) if better else winner[i]
            odd |= value != value
    return not odd


@njit(cache=True)
@no_type_check
def _bins(score, number, thresholds, below_cell, steps, bins):
    """Bin of each score: 2·i below threshold i and above threshold i − 1, 2·i + 1 on threshold i.

    A score's cell is monotone in the score, so thresholds of lower cells are below it and those of higher
    cells above it; the few of its own cell are compared one by one, float32 with float32. Exact for any
    thresholds.

    Args:
        score: float32 without NaN; the first `number` are used.
        thresholds, below_cell, steps: a `threshold_grid.BinSearch`.
        bins: uint16, written.
    """
    scale = np.float32(below_cell.size - 1)
    for i in range(number):
        value = score[i]
        below = np.int64(below_cell[np.int64(min(max(value, np.float32(0)), np.float32(1)) * scale)])
        for _ in range(steps):
            below += thresholds[below] < value
        bins[i] = 2 * below + (thresholds[below] == value)
