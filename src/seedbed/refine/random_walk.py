"""Random walk that spreads CAMs along pixel affinities, as a sparse stencil (Ahn & Kwak 2018, §3.3, eq. 4-5).

With A the symmetric matrix of affinities to the power β, its diagonal 1, and D the diagonal matrix of its
column sums d, the transition matrix is T = A D⁻¹ and the refined scores are the row vectors x T^steps. T is
*column* normalised, so that every output pixel is a convex combination of input pixels. Published code forms
T as a dense (hw)×(hw) matrix and squares it. Here T is never formed: one product with it is
(x T)_i = x_i + Σ_j A_ij (x_j − x_i) / d_i over a few neighbours j, so memory is linear in the number of
pixels.

`steps` counts transitions: 256 is PSA's `logt` 8 and IRN's `exp_times` 8, which are base-2 logarithms of it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from seedbed.refine.stencil_kernels import chebyshev, laid_out, power
from seedbed.refine.walk_arguments import chebyshev_expansion, check_walk


def walk(
    scores: Float32[np.ndarray, "C h w"],
    affinity: Float32[np.ndarray, "n h w"],
    offsets: Sequence[tuple[int, int]],
    *,
    beta: float = 8.0,
    steps: int = 256,
    method: str = "chebyshev",
    products: int = 84,
    device: str = "cpu",
) -> Float32[np.ndarray, "C h w"]:
    """Scores after `steps` transitions of the random walk, x T^steps.

    `power` multiplies `steps` times and is the reference. `chebyshev` takes `products` products (at most
    `steps`) and misses x T^steps by an error e with ‖e D^½‖₂ ≤ tail · ‖x D^½‖₂, where `tail` is that of
    `chebyshev_expansion`: 8.9e-4, 8.0e-6 and 8.3e-8 for 52, 70 and 84 products at 256 steps. The norm is that
    in which T is symmetric (D^-½ T D^½ is); in the plain one, ‖e‖₂ / ‖x‖₂, the bound grows by at most the
    factor √(d_max/d_min), 1 ≤ d ≤ 2n + 1. Values can lie outside the range of the scores by as much. Float32
    arithmetic adds 1e-7 to 3e-6 of the maximum. A constant map stays constant, times 1 − tail.

    Pairs that would leave the grid do not exist. The result depends neither on the number of threads nor, for
    each class, on the other classes.

    IRN multiplies the scores by (1 − edge) before the walk; PSA walks the background as one more class. Both
    are left to the caller.

    Args:
        scores: one map per class.
        affinity: affinity[k, y, x] ≥ 0 between the pixels (y, x) and (y + dy, x + dx) of the k-th offset;
            entries whose second pixel lies outside the grid are not read. 0 means no pair.
        offsets: (dy, dx) with dy > 0, or dy = 0 < dx: each pair once.
        beta: power of the affinities; PSA 8, IRN 10.
        steps: number of transitions.
        method: a name of `METHODS`: "chebyshev" or "power".
        products: products with T that "chebyshev" may take.
        device: "cpu" for the compiled form, which is several times faster there; any other device of torch
            ("cuda", "cuda:1") for the form of `random_walk_torch`, which differs in rounding only.

    Raises:
        ValueError: shapes, offsets, numbers or a name that do not fit; affinities below 0 or not finite.
    """
    check_walk(
        scores.shape[1:], affinity.shape, offsets, beta=beta, steps=steps, method=method, products=products
    )
    height, width = scores.shape[1:]
    if scores.size == 0:
        return scores.copy()
    if device != "cpu":
        from seedbed.refine import random_walk_torch

        return random_walk_torch.walk_arrays(
            scores, affinity, offsets, device,
            beta=beta, steps=steps, method=method, products=products,
        )  # fmt: skip
    dy, dx = (np.array([offset[i] for offset in offsets], dtype=np.int64) for i in (0, 1))
    margin = int(np.abs(dx).max(initial=0))
    stride = width + margin
    first = int(dy.max(initial=0)) * stride + margin
    last = first + height * stride
    powered = np.power(np.where(affinity >= 0, affinity, np.nan), np.float32(beta))
    weights, inverse = laid_out(powered, dy, dx, first, stride, last + first)
    if not np.isfinite(inverse).all():
        raise ValueError(
            "expected finite affinities of at least 0, but some are not; check what computed them"
        )
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
