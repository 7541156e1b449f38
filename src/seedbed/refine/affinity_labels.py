"""Pairs of pixels and what confident regions say about them (Ahn & Kwak 2018, §3.2, eq. 2).

Each pair is named once, by its upper left pixel and the offset (dy, dx) to the other pixel: all arrays are
(offset, y, x) at the grid's own size, and pairs that leave the grid are never labelled. Both ends of a pair
count alike: swapping foreground and background, or mirroring the image, only permutes the pairs. The published
code has no pairs whose upper left pixel lies in the outer radius − 1 columns on either side or in the last
radius − 1 rows; `pairs="published"` leaves those out, "all" (the default) keeps them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Int, Int64, UInt8
from torch import Tensor
from torch.nn import functional

from seedbed.errors import unknown_name
from seedbed.labels import IGNORE

PAIRS = ("all", "published")


class AffinityLabels(NamedTuple):
    """Disjoint sets of pairs. A pair that is in none of them has a neutral end or leaves the grid."""

    background: Bool[Tensor, "b n h w"]
    """Positive: both ends are background."""
    foreground: Bool[Tensor, "b n h w"]
    """Positive: both ends have the same class."""
    negative: Bool[Tensor, "b n h w"]
    """The ends differ."""


def pair_offsets(radius: int) -> tuple[tuple[int, int], ...]:
    """Offsets (dy, dx) of the half plane with dy² + dx² < radius² and |dy|, |dx| < radius.

    There are 34 for radius 5 and 152 for radius 10.

    Raises:
        ValueError: a radius below 2, which gives no pair.
    """
    if radius < 2:
        raise ValueError(f"expected a radius of at least 2, got {radius}; published values are 5 and 10")
    row = [(0, dx) for dx in range(1, radius)]
    below = [
        (dy, dx)
        for dy in range(1, radius)
        for dx in range(1 - radius, radius)
        if dy * dy + dx * dx < radius * radius
    ]
    return (*row, *below)


def pair_mask(
    offsets: Sequence[tuple[int, int]], size: tuple[int, int], pairs: Literal["all", "published"] = "all"
) -> Bool[Tensor, "n h w"]:
    """True where the pair exists; multiply affinities by it to walk along the published pairs only.

    Args:
        offsets: (dy, dx) of the half plane.
        size: (h, w) of the grid.
        pairs: "all", or "published" for the trimmed upper left pixels.

    Raises:
        ValueError: an unknown name in `pairs`.
    """
    if pairs not in PAIRS:
        raise ValueError(unknown_name("choice of pairs", pairs, PAIRS))
    h, w = size
    rows, columns = max(dy for dy, _ in offsets), max(abs(dx) for _, dx in offsets)
    mask = torch.zeros((len(offsets), h, w), dtype=torch.bool)
    for k, (dy, dx) in enumerate(offsets):
        if pairs == "published":
            bottom, left, right = h - rows, columns, w - columns
        else:
            bottom, left, right = h - dy, max(0, -dx), min(w, w - dx)
        mask[k, : max(bottom, 0), left : max(right, left)] = True
    return mask


def affinity_labels(
    label_maps: UInt8[Tensor, "b h w"] | Int[Tensor, "b h w"],
    offsets: Sequence[tuple[int, int]],
    pairs: Literal["all", "published"] = "all",
) -> AffinityLabels:
    """Positive and negative pairs of label maps on the grid of the affinities (eq. 2).

    Args:
        label_maps: 0 background, c + 1 for class c, 255 neutral.
        offsets: (dy, dx) of the half plane.
        pairs: "all" or "published"; see the module's docstring.

    Raises:
        ValueError: an unknown name in `pairs`.
    """
    _, h, w = label_maps.shape
    exists = pair_mask(offsets, (h, w), pairs).to(label_maps.device)[None]
    here = label_maps[:, None]
    there = torch.stack([_shifted(label_maps, dy, dx) for dy, dx in offsets], dim=1)
    certain = exists & (here != IGNORE) & (there != IGNORE)
    same = certain & (here == there)
    return AffinityLabels(same & (here == 0), same & (here != 0), certain & (here != there))


def _shifted(label_maps: Int[Tensor, "b h w"] | UInt8[Tensor, "b h w"], dy: int, dx: int) -> Tensor:
    """label_maps at (y + dy, x + dx), neutral outside the grid."""
    _, h, w = label_maps.shape
    result = torch.full_like(label_maps, IGNORE)
    if dy < h and abs(dx) < w:
        left, right = max(0, -dx), min(w, w - dx)
        result[:, : h - dy, left:right] = label_maps[:, dy:, left + dx : right + dx]
    return result


def nearest_labels(
    label_maps: Int64[Tensor, "batch H W"], size: tuple[int, int]
) -> Int64[Tensor, "batch h w"]:
    """Label maps on a coarser grid, of (h, w) cells: each takes the label nearest to its centre."""
    small = functional.interpolate(label_maps[:, None].float(), size, mode="nearest-exact")
    return small[:, 0].long()
