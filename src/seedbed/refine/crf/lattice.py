"""Permutohedral lattice: Gaussian filtering of N points in d dimensions in O(N d).

Adams, Baek & Davis 2010, "Fast High-Dimensional Filtering Using the Permutohedral Lattice", sections 3.1 to
3.3. A point is spread over the d + 1 vertices of its simplex (splat), they are blurred along the d + 1
lattice directions, and the point reads its vertices back (slice). Constants are those of the dense CRF's
reference implementation, so that results agree with it.

Here a vertex is found by one 64-bit key: its first d coordinates, packed. A step along a lattice direction then
adds one constant to the key.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float32, Int32, Int64
from numba import njit

from seedbed.refine.crf.lanes import blur_row, prefetch

_KEY_BITS = 62
_AHEAD = 32  # rows from the one worked on to the one that is fetched into the cache
_LONG = 4  # channels from which on rows are fetched ahead; arrays of shorter ones are in the cache anyway
_LINE = 16  # channels in a line of the cache


class Lattice(NamedTuple):
    """Where N points lie in the lattice, and which of its V vertices are neighbours.

    Vertices are numbered from 1 in order of first use. Vertex 0 stands for every vertex that no point uses:
    its value is always zero.

    Attributes:
        vertices: the vertices of each point's simplex.
        weights: the barycentric weight of each; they sum to 1 over a point.
        chains: along each direction after the other, the vertices that have a neighbour, in the order in which they
            follow each other; a 0 ends each chain.
        ends: where each direction's chains end in `chains`.
        rows: V + 1.
    """

    vertices: Int32[np.ndarray, "N corners"]
    weights: Float32[np.ndarray, "N corners"]
    chains: Int32[np.ndarray, " links"]
    ends: Int64[np.ndarray, " corners"]
    rows: int


def build_lattice(features: Float32[np.ndarray, "N d"]) -> Lattice:
    """The lattice of points, in units of the kernel's standard deviation.

    Raises:
        ValueError: coordinates too large for the packed key or for float32 (about 400 standard deviations in 5
            dimensions).
    """
    d = features.shape[1]
    # Scaling by page 5 of the paper, for a filter of standard deviation sqrt(2/3) (d + 1) in lattice units.
    deviation = np.sqrt(2 / 3) * (d + 1)
    scale = tuple(np.float32(deviation / np.sqrt((i + 1) * (i + 2))) for i in range(d))
    # What the key can hold and float32 can resolve, less the two steps that a neighbour may be away.
    limit = np.float32(min(2 ** (_KEY_BITS // d - 1), 2**15) - 2 * (d + 1))
    vertices, weights, keys, table, inside = _embed(features, scale, limit)
    if not inside:
        raise ValueError(
            f"the kernel is too narrow for this image: lattice coordinates below {limit:.0f} expected, got points of "
            f"up to {np.abs(features).max():.3g} standard deviations; use wider ones or a smaller image"
        )
    chains, ends = _chains(keys, table, d)
    return Lattice(vertices, weights, chains, ends, len(keys))


def lattice_filter(lattice: Lattice, values: Float32[np.ndarray, " N"]) -> Float32[np.ndarray, " N"]:
    """Gaussian filter of one value per point: splat, blur, slice."""
    sliced = _filter(lattice, values)
    return np.asarray(sliced * gain(lattice.vertices.shape[1] - 1))


def gain(d: int) -> np.float32:
    """The factor by which the reference implementation multiplies the slice, 1 / (1 + 2⁻ᵈ)."""
    return np.float32(1 / (1 + 2.0**-d))


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def blur(values, chains, ends, block):
    """Blur along each direction with (½, 1, ½), in place: what a vertex was is carried to the next of its chain.

    Args:
        values: Float32[V+2, channels], row 0 zero. The last row is overwritten with what belongs to no vertex, so that
            the end of a chain needs no branch.
        chains, ends: of the lattice.
        block: a tuple whose length divides the channels: the inner loop has this length, known when compiled.
    """
    carried = np.zeros((1, values.shape[1]), np.float32)
    outside = np.int64(values.shape[0] - 1)
    first = 0
    for direction in range(ends.size):
        last = ends[direction]
        for i in range(first, last):
            vertex = np.int64(chains[i])
            after = np.int64(chains[i + 1])
            if len(block) >= _LONG:
                coming = np.int64(chains[min(i + _AHEAD, last)])
                for start in range(0, values.shape[1], _LINE):
                    prefetch(values, coming, start)
            goal = vertex if vertex else outside
            for start in range(0, values.shape[1], len(block)):
                blur_row(values, vertex, goal, after, carried, start, block)
        first = last


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _filter(lattice, values):
    vertices, weights = lattice.vertices, lattice.weights
    blurred = np.zeros((lattice.rows + 1, 1), np.float32)
    for n in range(values.size):
        for corner in range(vertices.shape[1]):
            blurred[vertices[n, corner], 0] += weights[n, corner] * values[n]
    blur(blurred, lattice.chains, lattice.ends, (0,))
    sliced = np.zeros_like(values)
    for n in range(values.size):
        for corner in range(vertices.shape[1]):
            sliced[n] += weights[n, corner] * blurred[vertices[n, corner], 0]
    return sliced


@njit(cache=True, nogil=True)
@no_type_check
def _slot(key, table):
    """Row of the hash table that holds the key, or the free row where it belongs."""
    mask = table.shape[0] - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    row = np.int64(mixed >> np.uint64(32)) & mask
    while table[row, 1] != 0 and table[row, 0] != key:
        row = (row + 1) & mask
    return row


@njit(cache=True, nogil=True)
@no_type_check
def _grown(keys, count):
    """Keys and table with twice the capacity."""
    wider = np.empty(2 * keys.shape[0], np.int64)
    table = np.zeros((4 * keys.shape[0], 2), np.int64)
    for vertex in range(1, count + 1):
        wider[vertex] = keys[vertex]
        row = _slot(keys[vertex], table)
        table[row, 0] = keys[vertex]
        table[row, 1] = vertex
    return wider, table


@njit(cache=True, nogil=True)
@no_type_check
def _embed(features, scale, limit):
    """Simplex and barycentric weights of each point, keys, hash table of keys, and whether all lie within the limit.

    Beyond the limit, rounding errors could lead to a coordinate that does not exist.
    """
    points = features.shape[0]
    d = len(scale)
    bits = _KEY_BITS // d
    down = np.float32(1 / (d + 1))
    ones = 0
    for i in range(d):
        ones += 1 << (bits * i)
    bias = ones << (bits - 1)

    vertices = np.empty((points, d + 1), np.int32)
    weights = np.empty((points, d + 1), np.float32)
    keys = np.zeros(1 << 14, np.int64)
    table = np.zeros((1 << 15, 2), np.int64)
    count = 0

    elevated = np.empty(d + 1, np.float32)
    rest = np.empty(d + 1, np.float32)
    base = np.empty(d + 1, np.int64)
    rank = np.empty(d + 1, np.int64)
    coordinate = np.empty(d + 1, np.int64)  # by rank
    share = np.empty(d + 1, np.float32)  # by rank
    last_key = np.zeros(d + 1, np.int64)
    last_vertex = np.zeros(d + 1, np.int64)

    for n in range(points):
        # Into the plane whose coordinates sum to 0 (page 5).
        total = np.float32(0)
        for j in range(d, 0, -1):
            scaled = features[n, j - 1] * scale[j - 1]
            elevated[j] = total - np.float32(j) * scaled
            total += scaled
        elevated[0] = total
        for i in range(d + 1):
            if not abs(elevated[i]) < limit:
                return vertices, weights, keys[: count + 1], table, False

        # The nearest vertex of remainder 0, by rounding, and the order of the differences to it.
        surplus = np.int64(0)
        for i in range(d + 1):
            rounded = np.rint(elevated[i] * down)
            base[i] = np.int64(rounded) * (d + 1)
            surplus += np.int64(rounded)
            rest[i] = elevated[i] - np.float32(base[i])
            rank[i] = 0
        for i in range(d):
            for j in range(i + 1, d + 1):
                if rest[i] < rest[j]:
                    rank[i] += 1
                else:
                    rank[j] += 1
        for i in range(d + 1):
            place = rank[i] + surplus
            if place < 0:
                place += d + 1
                base[i] += d + 1
            elif place > d:
                place -= d + 1
                base[i] -= d + 1
            coordinate[place] = i
            share[place] = (elevated[i] - np.float32(base[i])) * down
        weights[n, 0] = share[d] + (np.float32(1) - share[0])
        for r in range(1, d + 1):
            weights[n, r] = share[d - r] - share[d - r + 1]

        if count + d + 2 > keys.shape[0]:
            keys, table = _grown(keys, count)
        key = bias
        for i in range(d):
            key += base[i] << (bits * i)
        for r in range(d + 1):
            if key != last_key[r]:
                row = _slot(key, table)
                if table[row, 1] == 0:
                    count += 1
                    keys[count] = key
                    table[row, 0] = key
                    table[row, 1] = count
                last_key[r] = key
                last_vertex[r] = table[row, 1]
            vertices[n, r] = last_vertex[r]
            # The next vertex: one up in each coordinate, d + 1 down in the one whose turn it is.
            key += ones
            if coordinate[d - r] < d:
                key -= (d + 1) << (bits * coordinate[d - r])
    return vertices, weights, keys[: count + 1], table, True


@njit(cache=True, nogil=True)
@no_type_check
def _chains(keys, table, d):
    """`chains` and `ends` of a lattice: a vertex is followed by the one that is a step along the direction from it."""
    bits = _KEY_BITS // d
    ones = 0
    for i in range(d):
        ones += 1 << (bits * i)
    count = keys.shape[0]
    chains = np.empty((d + 1) * (count + count // 2) + 1, np.int32)
    ends = np.empty(d + 1, np.int64)
    following = np.empty(count, np.int32)
    is_after = np.empty(count, np.bool_)
    filled = 0
    for direction in range(d + 1):
        step = -ones
        if direction < d:
            step += (d + 1) << (bits * direction)
        is_after.fill(False)
        for vertex in range(1, count):
            found = table[_slot(keys[vertex] + step, table), 1]
            following[vertex] = found
            is_after[found] = True
        for vertex in range(1, count):
            if following[vertex] and not is_after[vertex]:
                link = np.int64(vertex)
                while link:
                    chains[filled] = link
                    filled += 1
                    link = np.int64(following[link])
                chains[filled] = 0
                filled += 1
        ends[direction] = filled
    chains[filled] = 0
    return chains[: filled + 1].copy(), ends
