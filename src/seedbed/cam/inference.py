"""Multi-scale, flipped CAMs of one image, as PSA, IRN and all that followed take them.

The image is resized by each scale (bicubic, sizes rounded), and ReLU(CAM) is added to the mirrored ReLU(CAM)
of the mirrored image. Each scale's map is returned at its native resolution: what the field stores (sums at
image size or at stride 4) is linear in these (`seedbed.cam.rebuild`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor, nn

SCALES = (0.5, 1.0, 1.5, 2.0)
SMALLEST = 32
"""Pixels of the shorter side that a network is given at least."""


class ScaleCams(NamedTuple):
    """CAMs of one image, one array a scale."""

    maps: tuple[Float32[np.ndarray, "classes h w"], ...]
    """ReLU(CAM), plus the mirrored ReLU(CAM) of the mirrored image where flips are taken."""
    flips: tuple[Float32[np.ndarray, "classes h w"], ...]
    """The second term alone, where `keep_flips` asks for it."""


@torch.no_grad()
def multi_scale_cams(
    network: nn.Module,
    image: UInt8[np.ndarray, "H W 3"],
    class_ids: Sequence[int],
    *,
    mean: Sequence[float],
    std: Sequence[float],
    scales: Sequence[float] = SCALES,
    flip: bool = True,
    keep_flips: bool = False,
    precision: Literal["32", "bf16"] = "32",
    device: str | torch.device = "cpu",
) -> ScaleCams:
    """CAMs of the named classes at each scale.

    An image whose shorter side is under 32 pixels at some scale is padded there at the right and the bottom
    with the mean colour to 32, and the map is cropped to the cells that begin inside the image.

    Args:
        network: gives `cam_logits` (a `CamNetwork`), in evaluation mode, on `device`.
        image: RGB.
        class_ids: foreground classes, from 0; an image-level label's classes. May be empty.
        mean, std: input normalisation on [0, 1] RGB.
        scales: factors on the image's size.
        flip: add the mirror image's CAM.
        keep_flips: also return it on its own.
        precision: bf16 computes under autocast, several times faster on new CPUs and about 1e-2 off.
        device: where to compute.

    Raises:
        ValueError: the network is in training mode, a class that it does not have, a scale of 0 or less,
            or `keep_flips` without `flip`.
    """
    if network.training:
        raise ValueError("expected a network in evaluation mode, but it is in training mode; call eval()")
    if keep_flips and not flip:
        raise ValueError("keep_flips needs flip: true; there is no mirrored CAM to keep")
    classes = torch.as_tensor(list(class_ids), dtype=torch.long, device=device)
    maps, flips = [], []
    for scale in scales:
        pixels = network_input(image, scale, mean, std).to(device)
        plain = _relu_cam(network, pixels, classes, precision)
        if flip:
            mirrored = _relu_cam(network, pixels.flip(3), classes, precision).flip(2)
            if keep_flips:
                flips.append(mirrored.cpu().numpy())
            plain = plain + mirrored
        maps.append(plain.cpu().numpy())
    return ScaleCams(tuple(maps), tuple(flips))


def network_input(
    image: UInt8[np.ndarray, "H W 3"], scale: float, mean: Sequence[float], std: Sequence[float]
) -> Float32[Tensor, "1 3 h w"]:
    """The image resized by a factor (Pillow's bicubic, size rounded, at least 1 px) and normalised.

    Raises:
        ValueError: a scale that is not positive.
    """
    if not scale > 0:
        raise ValueError(f"scales must be above 0, not {scale}")
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    if (height, width) != image.shape[:2]:
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    levels = np.arange(256, dtype=np.float32)[:, None] / np.float32(255)
    table = (levels - np.asarray(mean, np.float32)) / np.asarray(std, np.float32)
    channels = np.stack([table[image[..., c], c] for c in range(3)])
    return torch.from_numpy(channels)[None]


def _relu_cam(
    network: nn.Module, pixels: Tensor, classes: Tensor, precision: Literal["32", "bf16"]
) -> Float32[Tensor, "classes h w"]:
    height, width = pixels.shape[2:]
    padding = (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height))
    padded = nn.functional.pad(pixels, padding)
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits: Tensor = network(padded).cam_logits[0]
    if len(classes) and int(classes.max()) >= len(logits):
        raise ValueError(
            f"class {int(classes.max())} was asked for, but the network has {len(logits)} classes"
        )
    rows, columns = (
        -(-size * cells // whole)
        for size, cells, whole in zip((height, width), logits.shape[1:], padded.shape[2:], strict=True)
    )
    return logits[classes, :rows, :columns].relu().float()
