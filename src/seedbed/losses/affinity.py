"""Loss of AffinityNet (Ahn & Kwak 2018, §3.2, eq. 3; IRN: Ahn, Cho & Kwak 2019, §4.2, eq. 5).

Positive pairs of background, positive pairs of classes and negative pairs are each averaged over their own
number, so that none outweighs the others: bg/4 + fg/4 + neg/2. IRN writes ((bg + fg)/2 + neg)/2, which is the
same. IRN's displacement terms, which Puzzle-CAM and P-NOC drop, are not part of it.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

EPSILON = 1e-5


class AffinityLoss(NamedTuple):
    """The loss and the three means of which it consists."""

    total: Float[Tensor, ""]
    background: Float[Tensor, ""]
    foreground: Float[Tensor, ""]
    negative: Float[Tensor, ""]


def affinity_loss(
    affinity: Float[Tensor, "b n h w"],
    background: Bool[Tensor, "b n h w"],
    foreground: Bool[Tensor, "b n h w"],
    negative: Bool[Tensor, "b n h w"],
) -> AffinityLoss:
    """bg/4 + fg/4 + neg/2 over the pairs of a batch (eq. 3); a set without pairs adds 0.

    Args:
        affinity: in [0, 1].
        background: positive pairs of two background pixels.
        foreground: positive pairs of two pixels of the same class.
        negative: pairs of different labels.
    """
    alike = -torch.log(affinity + EPSILON)
    apart = -torch.log(1 + EPSILON - affinity)
    bg, fg, neg = _mean(alike, background), _mean(alike, foreground), _mean(apart, negative)
    return AffinityLoss(bg / 4 + fg / 4 + neg / 2, bg, fg, neg)


def _mean(values: Float[Tensor, "b n h w"], chosen: Bool[Tensor, "b n h w"]) -> Float[Tensor, ""]:
    return (values * chosen).sum() / (chosen.sum() + EPSILON)
