"""Labels of SC-CAM's sub-categories (Chang et al. 2020, §3.2); the loss on them is the multi-label soft margin."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def subcategory_labels(
    clusters: Float[Tensor, "batch classes"], subcategories: int
) -> Float[Tensor, "batch outputs"]:
    """0 or 1 for each of classes × K outputs, those of a class side by side.

    A present class has one sub-category; an absent one (-1) has none, and all its outputs are 0.

    Args:
        clusters: number of the sub-category within each class, from 0; -1 where the class is absent.
        subcategories: K.

    Raises:
        ValueError: a number of K or more.
    """
    if len(clusters) and clusters.max() >= subcategories:
        raise ValueError(
            f"expected sub-categories from 0 to {subcategories - 1}, got {int(clusters.max())}; "
            "the table was made with another K: make it again"
        )
    numbers = torch.arange(subcategories, device=clusters.device)
    return (clusters[:, :, None] == numbers).flatten(1).float()
