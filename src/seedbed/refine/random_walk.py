"""Random walk that spreads CAMs along pixel affinities, as a sparse stencil (Ahn & Kwak 2018, §3.3, eq. 4-5).

With A the symmetric matrix of affinities to the power β, its diagonal 1, and D the diagonal matrix of its
column sums d, the transition matrix is T = A D⁻¹ and the refined scores are the row vectors x T^steps. T is
*column* normalised, so that every output pixel is a convex combination of input pixels. Published code forms
T as a dense (hw)×(hw) matrix and squares it. Here it is never formed; one product with it is
(x T)_i = x_i + Σ_j A_ij (x_j − x_i) / d_i over a few neighbours j, so memory is linear in the number of
pixels.

`steps` counts transitions: 256 is PSA's `logt` 8 and IRN's `exp_times` 8, which are base-2 logarithms of it.
"""

from collections.abc import Sequence
from math import comb
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, Float64

from seedbed.errors import unknown_name
from seedbed.refine.stencil_kernels import chebyshev, laid_out, power

METHODS = ("chebyshev", "power")


class Expansion(NamedTuple):
    """xⁿ ≈ Σ_k coefficients[k]·T_k(x), T_k the Chebyshev polynomials."""

    coefficients: Float64[np.ndarray, "terms"]
    tail: float
    """Sum of the coefficients left out: the largest error on [-1, 1], reached at x = 1."""


def chebyshev_expansion(steps: int, products: int) -> Expansion:
    """Coefficients of xⁿ in Chebyshev polynomials, cut after the degree `products`.

    They are binomial probabilities: c_k = 2^(1-n) C(n, (n-k)/2) for k of n's parity, c_0 halved, the
    others 0.

    Args:
        steps: the power n, at least 1.
        products: highest degree kept, which is the number of products with T that a walk then takes.
    """
    degree = min(steps, products)
    weights = [
        0 if (steps - k) % 2 else (1 if k == 0 else 2) * comb(steps, (steps - k) // 2)
        for k in range(steps + 1)
    ]
    whole = 1 << steps
    coefficients = np.array([weight / whole for weight in weights[: degree + 1]], dtype=np.float64)
    return Expansion(coefficients, sum(weights[degree + 1 :]) / whole)


def check_walk(
    grid: tuple[int, ...],
    affinity_shape: tuple[int, ...],
    offsets: Sequence[tuple[int, int]],
    *,
    beta: float,
    steps: int,
    method: str,
    products: int,
) -> None:
    """Raise ValueError, in one line, where the arguments of a walk do not fit together.

    Args:
        grid: (h, w) of the scores.
        affinity_shape: (n, h, w) of the affinities.
        offsets: one (dy, dx) for each of the n planes.
        beta: power of the affinities.
        steps: number of transitions.
        method: a name of `METHODS`.
        products: products of the Chebyshev method.
    """
    if affinity_shape != (len(offsets), *grid):
        raise ValueError(
            f"expected affinities of shape {(len(offsets), *grid)} (offsets, height, width of the scores), "
            f"got {affinity_shape}; compute them on the grid of the scores"
        )
    wrong = [offset for offset in offsets if offset <= (0, 0)]
    if wrong or len(set(offsets)) != len(offsets):
        raise ValueError(
            "expected different offsets (dy, dx) of the half plane dy > 0 or dy = 0 < dx, "
            f"got {wrong or offsets}; each pair of pixels is named once, from its upper left pixel"
        )
    if not beta > 0:
        raise ValueError(f"expected beta > 0, got {beta}; published values are 8 (PSA) and 10 (IRN)")
    if steps < 1 or products < 1:
        raise ValueError(
            f"expected at least 1 step and 1 product, got {steps} and {products}; skip the walk instead"
        )
    if method not in METHODS:
        raise ValueError(unknown_name("walk method", method, METHODS))


def walk(
    scores: Float32[np.ndarray, "C h w"],
    affinity: Float32[np.ndarray, "n h w"],
    offsets: Sequence[tuple[int, int]],
    *,
    beta: float = 8.0,
    steps: int = 256,
    method: Literal["chebyshev", "power"] = "chebyshev",
    products: int = 84,
) -> Float32[np.ndarray, "C h w"]:
    """Scores after `steps` transitions of the random walk, x T^steps.

    `power` multiplies `steps` times and is the reference. `chebyshev` takes `products` products (at most
    `steps`) and misses x T^steps by an error e with ‖e D^½‖₂ ≤ tail · ‖x D^½‖₂, where `tail` is that of
    `chebyshev_expansion`: 8.9e-4, 8.0e-6 and 8.3e-8 for 52, 70 and 84 products at 256 steps. The norm is that
    in which T is symmetric (D^-½ T D^½ is); in the plain one, ‖e‖₂ / ‖x‖₂, the bound grows by at most the
    factor √(d_max/d_min), 1 ≤ d ≤ 2n + 1. Values can lie outside the range of the scores by as much. Float32
    arithmetic adds 1e-7 to 3e-6 of the maximum. A constant map stays so, times 1 − tail.

    Pairs that would leave the grid do not exist. The result does not depend on the number of threads, nor
    that of a class on the classes beside it.

    IRN multiplies the scores by (1 − edge) before the walk; PSA walks the background as one more class. Both
    are the caller's.

    Args:
        scores: one map a class.
        affinity: affinity[k, y, x] ≥ 0 between pixel (y, x) and (y + dy, x + dx) of the k-th offset; what
            stands where the second pixel lies outside is not read. 0 means no pair.
        offsets: (dy, dx) with dy > 0, or dy = 0 < dx: each pair once.
        beta: power of the affinities; PSA 8, IRN 10.
        steps: number of transitions.
        method: "chebyshev" or "power".
        products: products with T that "chebyshev" may take.

    Raises:
        ValueError: shapes, offsets, numbers or name that do not fit; affinities below 0 or not finite.
    """
    check_walk(
        scores.shape[1:], affinity.shape, offsets, beta=beta, steps=steps, method=method, products=products
    )
    height, width = scores.shape[1:]
    if scores.size == 0:
        return scores.copy()
    dy, dx = (np.array([offset[i] for offset in offsets], dtype=np.int64) for i in (0, 1))
    margin = int(np.abs(dx).max(initial=0))
    stride = width + margin
    first = int(dy.max(initial=0)) * stride + margin
    last = first + height * stride
    weights, inverse = laid_out(np.power(affinity, np.float32(beta)), dy, dx, first, stride, last + first)
    if not np.isfinite(inverse).all():
        raise ValueError("expected finite affinities of at least 0, got others; check what computed them")
    current = np.zeros((len(scores), last + first), dtype=np.float32)
    current[:, first:last].reshape(len(scores), height, stride)[:, :, :width] = scores
    shifts = dy * stride + dx
    if method == "power":
        result = power(current, weights, inverse, shifts, first, last, steps)
    else:
        coefficients = chebyshev_expansion(steps, products).coefficients
        result = chebyshev(current, weights, inverse, shifts, first, last, coefficients)
    spread = result[:, first:last].reshape(len(scores), height, stride)[:, :, :width]
    return np.ascontiguousarray(spread, dtype=np.float32)
