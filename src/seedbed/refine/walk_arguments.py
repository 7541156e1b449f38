"""What both forms of the random walk share: the checks of its arguments, and the polynomial that replaces T^steps."""

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from seedbed.errors import unknown_name

METHODS = ("chebyshev", "power")


class Expansion(NamedTuple):
    """xⁿ ≈ Σ_k coefficients[k]·T_k(x), T_k the Chebyshev polynomials."""

    coefficients: Float64[np.ndarray, "terms"]
    tail: float
    """Sum of the coefficients left out: the largest error on [-1, 1], reached at x = 1."""


def chebyshev_expansion(steps: int, products: int) -> Expansion:
    """Coefficients of xⁿ in Chebyshev polynomials, cut off after the degree `products`.

    They are binomial probabilities: c_k = 2^(1-n) C(n, (n-k)/2) where k has the parity of n, with c_0 halved;
    the others are 0.

    Args:
        steps: the power n, at least 1.
        products: highest degree kept, which is the number of products with T that a walk takes.
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
    """Refuse arguments of a walk that do not fit together.

    Args:
        grid: (h, w) of the scores.
        affinity_shape: (n, h, w) of the affinities.
        offsets: one (dy, dx) per plane.
        beta: power of the affinities.
        steps: number of transitions.
        method: a name of `METHODS`.
        products: products that the Chebyshev method may take.

    Raises:
        ValueError: in one line, what was expected and what came.
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
            f"got {wrong or offsets}; each pair of pixels is named once, by its upper left pixel"
        )
    if not beta > 0:
        raise ValueError(f"expected beta > 0, got {beta}; published values are 8 (PSA) and 10 (IRN)")
    if steps < 1 or products < 1:
        raise ValueError(
            f"expected at least 1 step and 1 product, got {steps} and {products}; skip the walk instead"
        )
    if method not in METHODS:
        raise ValueError(unknown_name("walk method", method, METHODS))
