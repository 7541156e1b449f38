"""Numba kernels of `random_walk`: a symmetric stencil on rows that lie behind one another in memory.

Between rows and around the grid lies a margin of zeros, so that a neighbour is a constant shift away and no
loop asks where the border is. No fast-math: each output is summed in one fixed order.
"""

from typing import no_type_check

import numba
import numpy as np

BLOCK = 1024
"""Pixels whose sums are held in the first-level cache at a time."""


@numba.njit(cache=True, nogil=True)
@no_type_check
def normalised(affinity, dy, dx, first, stride, size):
    """Off-diagonal of S and its diagonal, whole and part, in the flat layout; D^½ on the grid, NaN if bad."""
    n, height, width = affinity.shape
    degree = np.ones((height, width), dtype=np.float64)
    for k in range(n):
        for y in range(height - dy[k]):
            for x in range(max(0, -dx[k]), min(width, width - dx[k])):
                value = affinity[k, y, x]
                if not value >= 0:
                    value = np.nan
                degree[y, x] += value
                degree[y + dy[k], x + dx[k]] += value
    root = np.sqrt(degree)
    inverse = 1.0 / root
    weights = np.zeros((n, size), dtype=np.float32)
    # D^½ is an eigenvector of S for the eigenvalue 1. Rounded weights would miss it, by an error that all
    # pixels of an even area share and that the walk raises to its power; the diagonal makes up for it.
    missing = root.copy()
    for k in range(n):
        for y in range(height - dy[k]):
            below = y + dy[k]
            for x in range(max(0, -dx[k]), min(width, width - dx[k])):
                beside = x + dx[k]
                weight = np.float32(affinity[k, y, x] * inverse[y, x] * inverse[below, beside])
                weights[k, first + y * stride + x] = weight
                missing[y, x] -= weight * root[below, beside]
                missing[below, beside] -= weight * root[y, x]
    # A diagonal of almost 1 keeps its digits by its distance from 1.
    whole = np.zeros(size, dtype=np.float32)
    part = np.zeros(size, dtype=np.float32)
    for y in range(height):
        for x in range(width):
            loop = missing[y, x] * inverse[y, x]
            nearest = np.round(loop)
            whole[first + y * stride + x] = nearest
            part[first + y * stride + x] = loop - nearest
    return weights, whole, part, root.astype(np.float32)


@numba.njit(cache=True, nogil=True)
@no_type_check
def _product(current, weights, whole, part, shifts, start, stop, sums):
    """sums[c, i] = (current[c] S)[start + i], up to stop; the order of additions is fixed."""
    size = stop - start
    for c in range(current.shape[0]):
        for i in range(size):
            sums[c, i] = part[start + i] * current[c, start + i]
    for k in range(len(shifts)):
        shift = shifts[k]
        forward = weights[k, start:stop]
        backward = weights[k, start - shift : stop - shift]
        for c in range(current.shape[0]):
            ahead = current[c, start + shift : stop + shift]
            behind = current[c, start - shift : stop - shift]
            total = sums[c]
            for i in range(size):
                total[i] += forward[i] * ahead[i] + backward[i] * behind[i]
    for c in range(current.shape[0]):
        for i in range(size):
            sums[c, i] += whole[start + i] * current[c, start + i]


@numba.njit(cache=True, nogil=True)
@no_type_check
def power(current, weights, whole, part, shifts, first, last, steps):
    """current S^steps."""
    following = np.zeros_like(current)
    sums = np.empty((current.shape[0], BLOCK), dtype=np.float32)
    for _ in range(steps):
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            _product(current, weights, whole, part, shifts, start, stop, sums)
            following[:, start:stop] = sums[:, : stop - start]
        current, following = following, current
    return current


@numba.njit(cache=True, nogil=True)
@no_type_check
def chebyshev(current, weights, whole, part, shifts, first, last, coefficients):
    """Σ_k coefficients[k] current T_k(S), by T_{k+1} = 2 S T_k − T_{k−1}."""
    result = coefficients[0] * current.astype(np.float64)
    before = np.zeros_like(current)
    sums = np.empty((current.shape[0], BLOCK), dtype=np.float32)
    for k in range(1, len(coefficients)):
        factor = np.float32(1.0 if k == 1 else 2.0)
        weight = coefficients[k]
        for start in range(first, last, BLOCK):
            stop = min(start + BLOCK, last)
            _product(current, weights, whole, part, shifts, start, stop, sums)
            for c in range(current.shape[0]):
                for i in range(stop - start):
                    value = factor * sums[c, i] - before[c, start + i]
                    before[c, start + i] = value
                    result[c, start + i] += weight * value
        current, before = before, current
    return result
