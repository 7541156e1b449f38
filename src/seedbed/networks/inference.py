"""Segmentation of a whole image over scales and mirror images (arXiv:1606.00915 §4).

The published codes join the views differently: Puzzle-CAM takes the softmax of the sum of their logits, which is
sharper the more views there are, P-NOC that of the mean. A dense CRF takes what comes out as its unaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from seedbed.mirror import with_mirror_image
from seedbed.networks.bands import LARGEST, rows_at
from seedbed.number_formats import Precision

Fusion = Literal["probabilities", "logits_sum", "logits_mean"]
"""How the views of an image are joined."""


@torch.no_grad()
def multi_scale_probabilities(
    network: nn.Module,
    image: UInt8[np.ndarray, "H W 3"],
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float] = (1.0,),
    flip: bool = True,
    device: str = "cpu",
    fusion: Fusion = "probabilities",
    precision: Precision = "32",
) -> Float32[np.ndarray, "K H W"]:
    """Probabilities of each class at image size.

    Args:
        network: returns logits (batch, K, h, w) of normalised images, at its own size.
        image: RGB.
        mean, std: input normalisation on [0, 1] RGB.
        scales: factors on the image's size; sizes are rounded, to at least one pixel.
        flip: average with the mirrored prediction of the mirrored image.
        device: where the network is.
        fusion: the mean of the views' softmaxes (`probabilities`), or the softmax of the sum or the mean of their
            logits, each enlarged to image size first.
        precision: of the network; the rest is float32.

    Raises:
        ValueError: no scale, or a scale of 0 or less.
    """
    if not scales or min(scales) <= 0:
        raise ValueError(f"expected scales above 0, got {list(scales)}; 1.0 is the image's own size")
    size = image.shape[:2]
    normalised = torch.tensor(image, device=device).permute(2, 0, 1)[None].float()
    normalised -= 255 * torch.tensor(mean, device=device).view(1, 3, 1, 1)
    normalised /= 255 * torch.tensor(std, device=device).view(1, 3, 1, 1)
    total: Tensor | None = None
    # Around all views, so that weights are cast once.
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"):
        for scale in scales:
            scaled = normalised
            if scale != 1:
                target = [max(1, round(scale * side)) for side in size]
                scaled = interpolate(normalised, target, mode="bilinear", align_corners=False, antialias=True)
            for logits in with_mirror_image(network, scaled) if flip else (network(scaled),):
                if total is None:
                    total = torch.zeros((1, logits.shape[1], *size), device=logits.device)
                _add(total, logits.float(), softmax=fusion == "probabilities")
    assert total is not None
    if fusion == "logits_mean":
        total /= len(scales) * (2 if flip else 1)
    if fusion != "probabilities":
        total -= total.amax(1, keepdim=True)
        total.exp_()
    total /= total.sum(1, keepdim=True)
    result: Float32[np.ndarray, "K H W"] = total[0].cpu().numpy()
    return result


def _add(total: Float[Tensor, "1 K H W"], logits: Float[Tensor, "1 K h w"], softmax: bool) -> None:
    """Add enlarged logits or their softmax; of large images in bands of rows, which agree to float32's rounding."""
    height, width = total.shape[2:]
    if height * width <= LARGEST:
        enlarged = interpolate(logits, (height, width), mode="bilinear", align_corners=False)
        total += enlarged.softmax(1) if softmax else enlarged
        return
    ratio = logits.shape[2] / height
    rows = max(1, LARGEST // 8 // width)
    for first in range(0, height, rows):
        last = min(first + rows, height)
        places = ((torch.arange(first, last, device=logits.device) + 0.5) * ratio - 0.5).clamp(min=0)
        enlarged = rows_at(logits, places, width)
        total[:, :, first:last] += enlarged.softmax(1) if softmax else enlarged
