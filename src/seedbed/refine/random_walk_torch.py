"""The random walk of `random_walk` on a GPU, for one image or a batch: the same stencil and expansion, in torch.

Each product with T is one multiplication with a strided view of all neighbours and one sum, so that the
number of kernels does not grow with the number of neighbours or images. On a CPU the compiled form is several
times faster.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import pad

from seedbed.refine.walk_arguments import chebyshev_expansion, check_walk


def walk_torch(
    scores: Float[Tensor, "b C h w"],
    affinity: Float[Tensor, "b n h w"],
    offsets: Sequence[tuple[int, int]],
    *,
    beta: float = 8.0,
    steps: int = 256,
    method: str = "chebyshev",
    products: int = 84,
) -> Float[Tensor, "b C h w"]:
    """Scores after `steps` transitions, on the device and in the floating type of `scores`; see
    `random_walk.walk`.

    All images of a batch have the same size; smaller ones are padded with affinity 0, which cuts the padding
    off. Peak memory is about two times b·C·(2 dy_max + 1)(2 dx_max + 1)·h·w numbers.

    Args:
        scores: one map per class and image.
        affinity: half-plane affinities, at least 0.
        offsets: (dy, dx) with dy > 0, or dy = 0 < dx.
        beta: power of the affinities.
        steps: number of transitions.
        method: a name of `METHODS`: "chebyshev" or "power".
        products: products with T that "chebyshev" may take.

    Raises:
        ValueError: shapes, offsets, numbers or a name that do not fit; affinities below 0 or not finite.
    """
    check_walk(
        tuple(scores.shape[2:]), tuple(affinity.shape[1:]), offsets, beta=beta, steps=steps, method=method,
        products=products,
    )  # fmt: skip
    if not bool(torch.isfinite(affinity).all()) or bool((affinity < 0).any()):
        raise ValueError(
            "expected finite affinities of at least 0, but some are not; check what computed them"
        )
    reach = (max((dy for dy, _ in offsets), default=0), max((abs(dx) for _, dx in offsets), default=0))
    window = _full_window(affinity.to(scores.dtype) ** beta, offsets, reach)[:, None]
    inverse = 1 / window.sum((2, 3))
    current = scores

    def change(values: Tensor) -> Tensor:
        terms: Tensor = (_neighbours(values, reach) - values[:, :, None, None]) * window
        return terms.sum((2, 3)) * inverse

    if method == "power":
        for _ in range(steps):
            current = current + change(current)
        return current
    coefficients: list[float] = chebyshev_expansion(steps, products).coefficients.tolist()
    before, result = current, coefficients[0] * current
    current = current + change(current)
    for k, weight in enumerate(coefficients[1:], start=1):
        if k > 1:
            before, current = current, current + ((current - before) + 2 * change(current))
        result = result + weight * current
    return result


def walk_arrays(
    scores: Float32[np.ndarray, "C h w"],
    affinity: Float32[np.ndarray, "n h w"],
    offsets: Sequence[tuple[int, int]],
    device: str,
    *,
    beta: float = 8.0,
    steps: int = 256,
    method: str = "chebyshev",
    products: int = 84,
) -> Float32[np.ndarray, "C h w"]:
    """`walk_torch` of one image whose arrays lie in main memory, computed on `device`; see `random_walk.walk`."""
    batch_scores, batch_affinity = (torch.tensor(array[None], device=device) for array in (scores, affinity))
    refined = walk_torch(
        batch_scores, batch_affinity, offsets, beta=beta, steps=steps, method=method, products=products
    )
    return np.asarray(refined[0].cpu().numpy())


def _neighbours(
    values: Float[Tensor, "b C h w"], reach: tuple[int, int]
) -> Float[Tensor, "b C rows columns h w"]:
    """View of all pixels within `reach` of each pixel, 0 outside the grid."""
    rows, columns = reach
    padded = pad(values, (columns, columns, rows, rows))
    b, C, h, w = values.shape
    image, channel, line, pixel = padded.stride()
    window: Tensor = padded.as_strided(
        (b, C, 2 * rows + 1, 2 * columns + 1, h, w), (image, channel, line, pixel, line, pixel)
    )
    return window


def _full_window(
    weights: Float[Tensor, "b n h w"], offsets: Sequence[tuple[int, int]], reach: tuple[int, int]
) -> Float[Tensor, "b rows columns h w"]:
    """A as the weights of every pixel's neighbours: 1 for the pixel itself, 0 where there is no pair."""
    rows, columns = reach
    b, _, h, w = weights.shape
    window = weights.new_zeros((b, 2 * rows + 1, 2 * columns + 1, h, w))
    window[:, rows, columns] = 1
    for k, (dy, dx) in enumerate(offsets):
        if dy >= h or abs(dx) >= w:
            continue
        left, right = max(0, -dx), min(w, w - dx)
        pairs = weights[:, k, : h - dy, left:right]
        window[:, rows + dy, columns + dx, : h - dy, left:right] = pairs
        window[:, rows - dy, columns - dx, dy:, left + dx : right + dx] = pairs
    return window
