"""Numba kernels of `random_walk`: a symmetric stencil on rows that lie one after another in memory.

A margin of zeros lies between the rows and around the grid, so that each neighbour is a constant shift away and
no loop has to look for the border. No fast-math: each output is summed in one fixed order.
"""

from typing import no_type_check

import numba
import numpy as np

BLOCK = 1024
"""Pixels whose sums are held in the first-level cache at a time."""


@numba.njit(cache=True, nogil=True)
@no_type_check
def laid_out(affinity, dy, dx, first, stride, size):
    """The off-diagonal part of A in the flat layout, and 1 / d of its column sums; NaN for bad affinities."""
    n, height, width = affinity.shape
    weights = np.zeros((n, size), dtype=np.float32)
    sums = np.zeros(size, dtype=np.float64)
    for y in range(height):
        sums[first + y * stride : first + y * stride + width] = 1
    for k in range(n):
        shift = dy[k] * stride + dx[k]
        for y in range(height - dy[k]):
            for x in range(max(0, -dx[k]), min(width, width - dx[k])):
                value = affinity[k, y, x] if affinity[k, y, x] >= 0 else np.float32(np.nan)
                here = first + y * stride + x
                weights[k, here] = value
                sums[here] += value
                sums[here + shift] += value
    inverse = np.zeros(size, dtype=np.float32)
    for i in range(size):
        if sums[i] != 0:
            inverse[i] = 1 / sums[i] if np.isfinite(sums[i]) else np.nan
    return weights, inverse


@numba.njit(cache=True, nogil=True)
@no_type_check
def _changes(current, weights, inverse, shifts, start, stop, changes):
    """changes[c, i] = (current[c] T − current[c])[start + i], up to stop; the order of additions is fixed.

    As a sum of differences, T keeps even areas exactly even. Σ_j A_ij x_j / d_i would round the same way in all
    of their pixels, which adds up to 5e-5 of the maximum over 256 steps.
    """
    size = stop - start
    for c in range(current.shape[0]):
        changes[c, :size] = 0
    for k in range(len(shifts)):
        shift = shifts[k]
        forward = weights[k, start:stop]
        backward = weights[k, start - shift : stop - shift]
        for c in range(current.shape[0]):
            here = current[c, start:stop]
            ahead = current[c, start + shift : stop + shift]
            behind = current[c, start - shift : stop - shift]
            total = changes[c]
            for i in range(size):
                total[i] += forward[i] * (ahead[i] - here[i]) + backward[i] * (behind[i] - here[i])
    for c in range(current.shape[0]):
        for i in range(size):
            changes[c, i] *= inverse[start + i]


@numba.njit(cache=True, nogil=True)
@no_type_check
def power(current, weights, inverse, shifts, first, last, steps):
    """current T^steps."""
    following = np.zeros_like(current)
    changes = np.empty((current.shape[0], BLOCK), dtype=np.float32)
    for _ in range(steps):
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            _changes(current, weights, inverse, shifts, start, stop, changes)
            following[:, start:stop] = current[:, start:stop] + changes[:, : stop - start]
        current, following = following, current
    return current


@numba.njit(cache=True, nogil=True)
@no_type_check
def chebyshev(current, weights, inverse, shifts, first, last, coefficients):
    """Σ_k coefficients[k] current T_k(T), by T_{k+1} = 2 T T_k − T_{k−1}."""
    result = coefficients[0] * current.astype(np.float64)
    before = current.copy()
    changes = np.empty((current.shape[0], BLOCK), dtype=np.float32)
    for k in range(1, len(coefficients)):
        factor = np.float32(1.0 if k == 1 else 2.0)
        weight = coefficients[k]
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            _changes(current, weights, inverse, shifts, start, stop, changes)
            for c in range(current.shape[0]):
                for i in range(stop - start):
                    # 2 (x + change) − before, as x + (x − before) + 2 change; at k = 1, before is x itself.
                    now = current[c, start + i]
                    value = now + ((now - before[c, start + i]) + factor * changes[c, i])
                    before[c, start + i] = value
                    result[c, start + i] += weight * value
        current, before = before, current
    return result
