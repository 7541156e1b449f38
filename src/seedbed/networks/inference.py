"""Segmentation of a whole image: probabilities averaged over scales and mirror images (arXiv:1606.00915 §4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from seedbed.networks.bands import LARGEST, rows_at


@torch.no_grad()
def multi_scale_probabilities(
    network: nn.Module,
    image: UInt8[np.ndarray, "H W 3"],
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float] = (1.0,),
    flip: bool = True,
    device: str = "cpu",
) -> Float32[np.ndarray, "K H W"]:
    """Mean softmax probabilities of each class at image size.

    Args:
        network: returns logits (batch, K, h, w) of normalised images, at its own size.
        image: RGB.
        mean, std: input normalisation on [0, 1] RGB.
        scales: factors on the image's size; sizes are rounded, to at least one pixel.
        flip: average with the mirrored prediction of the mirrored image.
        device: where the network is.

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
    for scale in scales:
        scaled = normalised
        if scale != 1:
            target = [max(1, round(scale * side)) for side in size]
            scaled = interpolate(normalised, target, mode="bilinear", align_corners=False, antialias=True)
        for mirrored in (False, True) if flip else (False,):
            logits = network(scaled.flip(-1) if mirrored else scaled)
            logits = (logits.flip(-1) if mirrored else logits).float()
            if total is None:
                total = logits.new_zeros((1, logits.shape[1], *size))
            _add_probabilities(total, logits)
            del logits
    assert total is not None
    total /= total.sum(1, keepdim=True)
    result: Float32[np.ndarray, "K H W"] = total[0].cpu().numpy()
    return result


def _add_probabilities(total: Float[Tensor, "1 K H W"], logits: Float[Tensor, "1 K h w"]) -> None:
    """Add the softmax of enlarged logits; of large images in bands of rows, which agree to float32's rounding."""
    height, width = total.shape[2:]
    if height * width <= LARGEST:
        total += interpolate(logits, (height, width), mode="bilinear", align_corners=False).softmax(1)
        return
    ratio = logits.shape[2] / height
    rows = max(1, LARGEST // 8 // width)
    for first in range(0, height, rows):
        last = min(first + rows, height)
        places = ((torch.arange(first, last, device=logits.device) + 0.5) * ratio - 0.5).clamp(min=0)
        total[:, :, first:last] += rows_at(logits, places, width).softmax(1)
