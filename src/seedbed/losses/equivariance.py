"""The losses of SEAM (Wang et al. 2020, arXiv:2004.04581, §3.4): equivariance of class maps across two views.

The second view is the same image at a smaller size. All maps are compared on its grid, stretched to [0, 1] and reduced
to the classes that the image-level labels name. Resizing is bilinear with aligned corners, as in the published code.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

EPSILON = 1e-5


def resized(
    maps: Float[Tensor, "batch channels _ _"], size: tuple[int, int]
) -> Float[Tensor, "batch channels H W"]:
    """Bilinear, corners aligned: corner cells keep their values."""
    return interpolate(maps, size, mode="bilinear", align_corners=True)


def stretched(maps: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
    """ReLU(R − min R − ε) / (max R − min R + ε) with R = ReLU(A), each map by its own extremes; a constant map is 0."""
    positive = maps.relu()
    lowest = positive.amin((2, 3), keepdim=True)
    span = positive.amax((2, 3), keepdim=True) - lowest
    return (positive - lowest - EPSILON).relu() / (span + EPSILON)


def equivariance_loss(
    first: Float[Tensor, "batch classes h w"], second: Float[Tensor, "batch classes h w"]
) -> Float[Tensor, ""]:
    """L_ER, the mean of |A₁ − A₂| over all classes, those of absent classes being 0 in both.

    Args:
        first, second: the two views' maps on one grid, stretched, of present classes.
    """
    return (first - second).abs().mean()


def cross_equivariance_loss(
    target: Float[Tensor, "batch classes h w"],
    refined: Float[Tensor, "batch outputs h w"],
    share: float = 0.2,
    hardest: Literal["entries", "pixels"] = "entries",
    outputs: int | None = None,
) -> Float[Tensor, ""]:
    """One direction of L_ECR: one view's refined maps against the other view's plain ones.

    Of the target, each pixel keeps its strongest class and background; it gets no gradient (published code). Of each
    image's differences only the largest count.

    Args:
        target: the other view's plain maps, stretched, of present classes.
        refined: this view's refined maps, background first, stretched, of present classes.
        share: of the differences that count.
        hardest: the largest are chosen among all `entries`, outputs times pixels (published code), or among `pixels`,
            by the mean over their outputs (the paper speaks of pixels).
        outputs: the loss is that of so many outputs, all others than these being 0 in both; None for these alone.
    """
    plain = target.detach()
    strongest = plain.where(plain == plain.amax(1, keepdim=True), plain.new_zeros(()))
    goal = torch.cat([1 - plain.amax(1, keepdim=True), strongest], dim=1)
    differences = (goal - refined).abs()
    of, found, pixels = outputs or refined.shape[1], refined.shape[1], refined[0, 0].numel()
    if hardest == "pixels":
        differences = found / of * differences.mean(1)
        of = 1
    differences = differences.flatten(1)
    count = max(1, int(of * pixels * share))
    counted = min(count, differences.shape[1])
    return counted / count * differences.topk(counted, dim=1).values.mean()


def minimum_pooling_loss(refined: Float[Tensor, "batch classes H W"]) -> Float[Tensor, ""]:
    """Mean of the lowest quarter of each image's strongest class (published code, not in the paper).

    It keeps some of each image background, and so moves the best background score.

    Args:
        refined: refined maps of present classes, before stretching.
    """
    strongest = refined.amax(1).flatten(1)
    quarter = max(1, strongest.shape[1] // 4)
    return strongest.topk(quarter, dim=1, largest=False).values.relu().mean()
