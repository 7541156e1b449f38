"""The compiled loop of our own dense CRF: all iterations of mean field, for channels of several unaries.

Krähenbühl & Koltun 2011, Algorithm 1, on the kernels that `permutohedral` prepares. `no_type_check` keeps the
tests' type checker out of what numba compiles; the caller checks.

`block` is a tuple whose length, known when compiled, is the number of channels worked on side by side.
"""

import math
from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float32
from numba import njit

from seedbed.refine.crf.lanes import add_row, set_row, transpose_tile
from seedbed.refine.crf.lattice import blur

_CHUNK = 128  # pixels worked on while their values are in the nearest cache
_LINE = 16  # float32 in a line of the cache


class Scratch(NamedTuple):
    """What a pass works in; nothing in it needs to be set beforehand.

    Attributes:
        near, near_spare: values of the vertices of the spatial lattice, and of the next iteration's.
        wide, wide_spare: those of the bilateral lattice.
        logits: of each chunk, relative to the last label, without the filtered messages.
    """

    near: Float32[np.ndarray, "rows channels"]
    near_spare: Float32[np.ndarray, "rows channels"]
    wide: Float32[np.ndarray, "more_rows channels"]
    wide_spare: Float32[np.ndarray, "more_rows channels"]
    logits: Float32[np.ndarray, "chunks filtered _"]


def scratch(near_rows: int, wide_rows: int, pixels: int, filtered: int, width: int) -> Scratch:
    """Room for a pass over `filtered` channels, padded to a multiple of `width`.

    All is one array, since numpy asks for large pages for a large one: new small pages cost more than an iteration.
    """
    channels = -(-filtered // width) * width
    chunks = -(-pixels // _CHUNK)
    shapes = [(near_rows, channels)] * 2 + [(wide_rows, channels)] * 2 + [(chunks, filtered, _CHUNK)]
    sizes = [-(-math.prod(shape) // _LINE) * _LINE for shape in shapes]
    room = np.empty(sum(sizes) + _LINE, np.float32)
    start = -room.ctypes.data // room.itemsize % _LINE
    parts = []
    for shape, size in zip(shapes, sizes, strict=True):
        parts.append(room[start : start + math.prod(shape)].reshape(shape))
        start += size
    return Scratch(*parts)


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def mean_field(unaries, marginals, spatial, bilateral, iterations, scratch, block):
    """Fill `marginals` (Float32[T, K, N]) with the marginals of `unaries` (the same shape).

    The T (K − 1) channels are padded with zeros to a multiple of the block's length, which the compiler knows.
    Lattices hold the channels of a vertex side by side; between slice and splat a chunk is transposed, so that the
    pixels of a channel are side by side and sums over labels are sums of rows.
    """
    thresholds, labels, pixels = unaries.shape
    others = labels - 1
    near, near_spare, wide, wide_spare, logits = scratch
    chunks, channels = logits.shape[0], near.shape[1]
    near_reach, wide_reach = _reach(spatial.vertices, chunks), _reach(bilateral.vertices, chunks)
    rows = np.zeros((_CHUNK, channels), np.float32)
    q = np.zeros((channels, _CHUNK), np.float32)
    logits[chunks - 1] = 0  # it may have more columns than there are pixels left

    for iteration in range(iterations + 1):
        if iteration > 0:
            blur(near, spatial.chains, spatial.ends, block)
            blur(wide, bilateral.chains, bilateral.ends, block)
        for chunk in range(chunks):
            first = chunk * _CHUNK
            last = min(first + _CHUNK, pixels)
            if iteration == 0:
                _relative_logits(unaries, spatial.constant, bilateral.constant, first, last, logits[chunk], q)
            else:
                _slice(near, spatial, wide, bilateral, first, last, rows, block)
                _transpose(rows, q, block)
                _add_logits(logits[chunk], thresholds, others, q)
            _softmax(q, thresholds, others)
            if iteration < iterations:
                _transpose(q, rows, block)
                near_spare[near_reach[chunk] : near_reach[chunk + 1]] = 0
                wide_spare[wide_reach[chunk] : wide_reach[chunk + 1]] = 0
                _splat(rows, spatial, near_spare, bilateral, wide_spare, first, last, block)
            else:
                _write(q, first, last, marginals)
        near, near_spare = near_spare, near
        wide, wide_spare = wide_spare, wide


@njit(cache=True, nogil=True)
@no_type_check
def _reach(vertices, chunks):
    """Rows of the lattice that are first used by chunk c: reach[c] … reach[c + 1] − 1; row 0 belongs to the first.

    Vertices are numbered in order of first use, so they can be set to 0 just before, while they are in the cache.
    """
    reach = np.zeros(chunks + 1, np.int64)
    for chunk in range(chunks):
        highest = np.int32(0)
        for n in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, vertices.shape[0])):
            for corner in range(vertices.shape[1]):
                highest = max(highest, vertices[n, corner])
        reach[chunk + 1] = max(reach[chunk], np.int64(highest) + 1)
    return reach


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _relative_logits(unaries, near, wide, first, last, logits, q):
    """u(last label) − u(label) of pixels first…last−1 into `q`; less the messages of Q = 1, into `logits`."""
    others = unaries.shape[1] - 1
    for t in range(unaries.shape[0]):
        for label in range(others):
            for n in range(first, last):
                logit = unaries[t, others, n] - unaries[t, label, n]
                q[t * others + label, n - first] = logit
                logits[t * others + label, n - first] = logit - near[n] - wide[n]


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _transpose(source, target, block):
    """`target` becomes `source` transposed; both sides are multiples of the block's length."""
    for i in range(0, source.shape[0], len(block)):
        for j in range(0, source.shape[1], len(block)):
            transpose_tile(source, i, j, target, block)


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _slice(near, spatial, wide, bilateral, first, last, q, block):
    """Messages of both kernels into `q`."""
    for n in range(first, last):
        v, w = spatial.vertices[n], spatial.weights[n]
        near_rows, near_weights = (v[0], v[1], v[2]), (w[0], w[1], w[2])
        v, w = bilateral.vertices[n], bilateral.weights[n]
        wide_rows, wide_weights = (v[0], v[1], v[2], v[3], v[4], v[5]), (w[0], w[1], w[2], w[3], w[4], w[5])
        for start in range(0, q.shape[1], len(block)):
            set_row(q, n - first, near_weights, near, near_rows, start, block)
            add_row(q, n - first, wide_weights, wide, wide_rows, start, block)


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _splat(q, spatial, near, bilateral, wide, first, last, block):
    """Add the weighted Q of pixels first…last−1 to the vertices of both lattices."""
    for n in range(first, last):
        row = n - first
        for start in range(0, q.shape[1], len(block)):
            for corner in range(3):
                vertex, weights = spatial.vertices[n, corner], (spatial.weights[n, corner],)
                add_row(near, vertex, weights, q, (row,), start, block)
            for corner in range(6):
                vertex, weights = bilateral.vertices[n, corner], (bilateral.weights[n, corner],)
                add_row(wide, vertex, weights, q, (row,), start, block)


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _add_logits(logits, thresholds, others, q):
    """From messages to logits relative to the last label, whose message is the constant less the others'."""
    if others == 1:
        for c in range(thresholds):
            for p in range(_CHUNK):
                q[c, p] = logits[c, p] + np.float32(2) * q[c, p]
        return
    total = np.empty(_CHUNK, np.float32)
    for t in range(thresholds):
        channels = range(t * others, (t + 1) * others)
        total.fill(0)
        for c in channels:
            for p in range(_CHUNK):
                total[p] += q[c, p]
        for c in channels:
            for p in range(_CHUNK):
                q[c, p] += logits[c, p] + total[p]


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _softmax(q, thresholds, others):
    """Softmax over the labels of each threshold, with a logit of 0 for the last one; in place.

    What pads the channels stays 0.
    """
    flat = q[: thresholds * others].reshape(-1)
    if others == 1:
        for i in range(flat.size):
            flat[i] = -flat[i]
        _exp(flat)
        for i in range(flat.size):
            flat[i] = np.float32(1) / (np.float32(1) + flat[i])
        return
    total = np.zeros((thresholds, _CHUNK), np.float32)
    for t in range(thresholds):
        top = total[t]
        for c in range(t * others, (t + 1) * others):
            for p in range(_CHUNK):
                top[p] = max(top[p], q[c, p])
        for c in range(t * others, (t + 1) * others):
            for p in range(_CHUNK):
                q[c, p] -= top[p]
        for p in range(_CHUNK):
            top[p] = -top[p]
    _exp(flat)
    _exp(total.reshape(-1))
    for t in range(thresholds):
        for c in range(t * others, (t + 1) * others):
            for p in range(_CHUNK):
                total[t, p] += q[c, p]
        for p in range(_CHUNK):
            total[t, p] = np.float32(1) / total[t, p]
        for c in range(t * others, (t + 1) * others):
            for p in range(_CHUNK):
                q[c, p] *= total[t, p]


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _exp(values):
    """exp in place, accurate to 2 units in the last place, in a form that compiles to vector instructions.

    exp(x) = 2ⁿ exp(r), |r| ≤ ½ ln 2, by the Taylor polynomial of degree 7; arguments are clipped to ±87.
    """
    powers = np.empty(values.size, np.int32)
    for i in range(values.size):
        x = min(max(values[i], np.float32(-87)), np.float32(87))
        n = np.rint(x * np.float32(1.4426950408889634))
        # ln 2 in two parts, so that the product with the first is exact.
        r = (x - n * np.float32(0.693359375)) + n * np.float32(2.12194440e-4)
        p = np.float32(1 / 5040)
        p = p * r + np.float32(1 / 720)
        p = p * r + np.float32(1 / 120)
        p = p * r + np.float32(1 / 24)
        p = p * r + np.float32(1 / 6)
        p = p * r + np.float32(1 / 2)
        p = p * r + np.float32(1)
        values[i] = p * r + np.float32(1)
        powers[i] = np.int32(n)
    exponents = values.view(np.int32)
    for i in range(values.size):
        exponents[i] += powers[i] << 23


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def _write(q, first, last, marginals):
    """The marginals of pixels first…last−1; the last label holds what the others leave."""
    others = marginals.shape[1] - 1
    for t in range(marginals.shape[0]):
        for n in range(first, last):
            marginals[t, others, n] = np.float32(1)
        for label in range(others):
            for n in range(first, last):
                share = q[t * others + label, n - first]
                marginals[t, label, n] = share
                marginals[t, others, n] -= share
