"""Grad-CAM++ (Chattopadhay et al. 2018, arXiv:1710.11063, eq. 5–7 and 10–11).

    α = g² / (2 g² + ΣA g³),   w = Σ α ReLU(g),   L = ReLU(Σ_k w_k A_k),   g = ∂S/∂A

The paper differentiates Y = exp(S) three times, S the class logit. Where S is piecewise linear in A, the n-th
derivative is Y gⁿ; Y cancels out of α and only scales w, so one gradient is enough.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

EPSILON = 1e-6
SPAN_EPSILON = 1e-7


def gradcam_plus_plus(
    activations: Float[Tensor, "channels h w"],
    gradients: Float[Tensor, "classes channels h w"],
    epsilon: float = EPSILON,
) -> Float[Tensor, "classes h w"]:
    """Grad-CAM++ maps of several classes.

    Args:
        activations: A, the last feature map of one image.
        gradients: g, of each class logit with respect to A.
        epsilon: added to the denominator of α, as in the widely used implementation; it matters where gradients
            are small.
    """
    squares = gradients.square()
    cubes = squares * gradients
    total = activations.sum((1, 2))[None, :, None, None]
    alpha = torch.where(gradients != 0, squares / (2 * squares + total * cubes + epsilon), 0)
    weights = (alpha * gradients.relu()).sum((2, 3))
    return torch.einsum("ck,khw->chw", weights, activations).relu()


def min_max(maps: Float[Tensor, "classes h w"]) -> Float[Tensor, "classes h w"]:
    """(L − min) / (max − min + 1e-7) of each map; a constant map becomes 0."""
    lowest = maps.amin((1, 2), keepdim=True)
    return (maps - lowest) / (maps.amax((1, 2), keepdim=True) - lowest + SPAN_EPSILON)


@torch.enable_grad()
def network_gradcams(
    network: Any, pixels: Float[Tensor, "1 3 H W"], classes: Int64[Tensor, " classes"]
) -> Float[Tensor, "classes h w"]:
    """Grad-CAM++ of the named classes from one forward pass: only the head is differentiated.

    Args:
        network: a `CamNetwork` in evaluation mode; its `head` scores the map that its `features` gives.
        pixels: one normalised image.
        classes: indices of the class logits, from 0.
    """
    with torch.no_grad():
        features = network.features(pixels).float()
    features.requires_grad_(True)
    logits = network.head(features).float().mean((2, 3))[0]
    gradients = [torch.autograd.grad(logits[c], features, retain_graph=True)[0][0] for c in classes]
    stacked = torch.stack(gradients) if gradients else features.new_zeros(0, *features.shape[1:])
    return gradcam_plus_plus(features[0].detach(), stacked)
