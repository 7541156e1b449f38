"""Multi-scale, flipped saliency of one image, and which half of C²AM's division is salient.

C²AM divides an image in two without knowing which half holds objects. By its authors' rule (Xie et al. 2022, released
code) it is the one that the border of the images shows less of. The published code decides in the first epoch and adds
up ReLU(logit), of the inverted half ReLU(1 - logit), over scales and mirror images at inference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from seedbed.cam.inference import inside, network_input, padded_to_smallest
from seedbed.mirror import with_mirror_image

Fusion = Literal["mean", "sum"]
NORMALISATION_OF: dict[Fusion, str] = {"mean": "none", "sum": "max"}
"""How the sum of the maps of all scales becomes saliency in [0, 1] (`seedbed.cam.normalisation`)."""

LONGEST = 512
"""Pixels of the longer side at which borders are looked at."""


@runtime_checkable
class SaliencyNetwork(Protocol):
    """What `dump_saliency` needs of a network."""

    def saliency_logits(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch 1 h w"]:
        """Logits of the cells of normalised images."""
        ...


@torch.no_grad()
def multi_scale_saliency(
    network: SaliencyNetwork,
    image: UInt8[np.ndarray, "H W 3"],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float],
    flip: bool = True,
    fusion: Fusion = "mean",
    inverted: bool = False,
    device: str | torch.device = "cpu",
) -> tuple[Float32[np.ndarray, "1 h w"], ...]:
    """One map per scale, at its native resolution, whose sum is the saliency before normalisation.

    Args:
        network: in evaluation mode, on `device`.
        image: RGB.
        mean, std: input normalisation on [0, 1] RGB.
        scales: factors on the image's size.
        flip: add the mirrored map of the mirror image.
        fusion: `mean` of the probabilities σ(logit) of all views; `sum` of ReLU(logit), to be divided by its maximum.
        inverted: the salient half is that of low logits.
        device: where to compute.

    Raises:
        ValueError: a scale of 0 or less.
    """
    views = len(scales) * (2 if flip else 1)
    maps = []
    for scale in scales:
        pixels = network_input(image, scale, mean, std, device)
        if flip:
            plain, mirrored = with_mirror_image(lambda v: _activation(network, v, fusion, inverted), pixels)
            total = plain + mirrored
        else:
            total = _activation(network, pixels, fusion, inverted)
        maps.append((total / views if fusion == "mean" else total)[0].cpu().numpy())
    return tuple(maps)


def _activation(
    network: SaliencyNetwork, views: Float32[Tensor, "views 3 h w"], fusion: Fusion, inverted: bool
) -> Float32[Tensor, "views 1 _ _"]:
    padded = padded_to_smallest(views)
    logits = inside(network.saliency_logits(padded).float(), views, padded)
    logits = -logits if inverted else logits
    return logits.sigmoid() if fusion == "mean" else logits.relu()


def border_mean(probability: Float[Tensor, "h w"]) -> float:
    """Mean of the outermost ring of cells; of all cells where there is nothing within the ring."""
    ring = torch.ones_like(probability, dtype=torch.bool)
    ring[1:-1, 1:-1] = False
    return float(probability[ring].double().mean())


@torch.no_grad()
def mean_border(
    network: SaliencyNetwork,
    images: Iterable[UInt8[np.ndarray, "H W 3"]],
    mean: Sequence[float],
    std: Sequence[float],
    device: str | torch.device = "cpu",
) -> float:
    """Mean over images of `border_mean` of σ(logit), each image whole; those longer than 512 pixels are shrunk to that.

    Raises:
        ValueError: there is no image.
    """
    means = []
    for image in images:
        pixels = network_input(image, min(1.0, LONGEST / max(image.shape)), mean, std, device)
        padded = padded_to_smallest(pixels)
        logits = inside(network.saliency_logits(padded)[0].float(), pixels, padded)
        means.append(border_mean(logits[0].sigmoid()))
    if not means:
        raise ValueError("expected at least one image to find the salient half by, got none")
    return float(np.mean(means))
