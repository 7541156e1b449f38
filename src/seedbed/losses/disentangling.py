"""The losses of C²AM (Xie et al. 2022, arXiv:2203.13505, §3.2) and C²AM-H (David et al., P-NOC, §4, eq. 11).

The features of an image are divided into those of foreground and those of background. Foregrounds of two images should
be alike, and so should backgrounds; foreground and background should differ. Pairs that are alike already count most:
their weight falls with their rank, e^(-α rank), where the most similar other image has rank 0.

Equations 7 and 11 of the P-NOC paper lack the minus sign of the two attracting terms; the published code has it, and so
do these functions. The code takes the mean over n² pairs with each image beside itself, here it is over the n (n - 1)
pairs of the equation: (n - 1) / n of the same value, without a constant.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

LOWEST, HIGHEST = 0.0005, 0.9995
"""Bounds of the similarities, which keep the logarithms finite (published code)."""


def similarities(
    ours: Float[Tensor, "n channels"], theirs: Float[Tensor, "m channels"]
) -> Float[Tensor, "n m"]:
    """Cosine similarities, clamped to [0.0005, 0.9995]; outside of that they have no gradient."""
    return (normalize(ours, dim=1) @ normalize(theirs, dim=1).T).clamp(LOWEST, HIGHEST)


def rank_weights(similarity: Float[Tensor, "n n"], alpha: float) -> Float[Tensor, "n n"]:
    """e^(-α rank) of each pair, without a gradient; 0 for an image and itself.

    The rank of j in row i counts the other images that are more similar to i, and the equal ones before j.

    Args:
        similarity: of each image (row) to each.
        alpha: α; 0 gives all pairs the weight 1.
    """
    itself = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    others = similarity.detach().masked_fill(itself, -torch.inf)
    ranks = others.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
    return torch.exp(-alpha * ranks.to(similarity.dtype)).masked_fill(itself, 0)


def attraction(vectors: Float[Tensor, "n channels"], alpha: float) -> Float[Tensor, ""]:
    """1 / (n (n - 1)) Σ_{i ≠ j} -w_ij log s_ij: the first and the second term of equation 7.

    Args:
        vectors: foregrounds, or backgrounds, of n images.
        alpha: α of the weights.

    Raises:
        ValueError: fewer than two images.
    """
    count = len(vectors)
    if count < 2:
        raise ValueError(f"expected at least 2 images to compare, got {count}; raise batch_size")
    similarity = similarities(vectors, vectors)
    return -(rank_weights(similarity, alpha) * similarity.log()).sum() / (count * (count - 1))


def repulsion(
    foreground: Float[Tensor, "n channels"], background: Float[Tensor, "n channels"]
) -> Float[Tensor, ""]:
    """1 / n² Σ_ij -log(1 - s_ij) of each foreground and each background: the third term of equation 7."""
    return -torch.log(1 - similarities(foreground, background)).mean()


def hint_loss(
    saliency_logits: Float[Tensor, "batch 1 h w"],
    hints: Bool[Tensor, "batch 1 h w"],
    label_smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Binary cross-entropy of salient cells, averaged over the cells that are hinted at (the paper's equation sums).

    0, with a gradient of 0, if there is none (a plain mean would be NaN).

    Args:
        saliency_logits: before the sigmoid.
        hints: where an object is.
        label_smoothing: a in the target 1 - a / 2.
    """
    target = torch.full_like(saliency_logits, 1 - label_smoothing / 2)
    loss = binary_cross_entropy_with_logits(saliency_logits, target, reduction="none")
    return (loss * hints).sum() / hints.sum().clamp(min=1)
