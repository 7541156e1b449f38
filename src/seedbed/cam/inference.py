"""Multi-scale, flipped CAMs of one image, as in PSA, IRN and their successors.

The image is resized by each scale (bicubic, sizes rounded), and ReLU(CAM) is added to the mirrored ReLU(CAM)
of the mirrored image. Each scale's map is returned at its native resolution: what the field stores (sums at
image size or at stride 4) is linear in these maps (`seedbed.cam.rebuild`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from PIL import Image
from torch import Tensor, nn

from seedbed.cam.gradcam import min_max, network_gradcams
from seedbed.mirror import with_mirror_image
from seedbed.number_formats import Precision

Form = Literal["cam", "gradcam++", "pcm"]
SCALES = (0.5, 1.0, 1.5, 2.0)
SMALLEST = 32
"""The shortest side, in pixels, that a network is given."""


class ScaleCams(NamedTuple):
    """CAMs of one image, one array per scale."""

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
    sizes: Sequence[int] = (),
    views: Sequence[UInt8[np.ndarray, "_ _ 3"]] = (),
    form: Form = "cam",
    flip: bool = True,
    keep_flips: bool = False,
    precision: Precision = "32",
    device: str | torch.device = "cpu",
) -> ScaleCams:
    """CAMs of the named classes at each scale.

    Where a side is shorter than 32 pixels at some scale, the image is padded to 32 with the mean colour at the
    right and the bottom, and the map is cropped to the cells that begin inside the image.

    Args:
        network: gives `cam_logits` (a `CamNetwork`), in evaluation mode, on `device`.
        image: RGB.
        class_ids: foreground classes, from 0: those that the image-level labels name. May be empty.
        mean, std: input normalisation on [0, 1] RGB.
        scales: factors on the image's size.
        sizes: if given, used instead of `scales`: sides, in pixels, of squares to which the image is stretched.
        views: if given, used instead of `image`, `scales` and `sizes`: what `resized_views` gives for them.
        form: `cam` is ReLU of the class maps; `gradcam++` is Grad-CAM++, each map in [0, 1]; `pcm` are the class maps
            that the network's pixel correlation module refined.
        flip: add the mirror image's CAM.
        keep_flips: also return the mirror image's CAM on its own.
        precision: bf16 computes under autocast: several times faster on new CPUs, but scores in [0, 1] are
            about 0.01 off on average and up to 0.3 at single pixels.
        device: where to compute.

    Raises:
        ValueError: a network in training mode, a class that it does not have, `pcm` of a network without the module, a
            scale of 0 or less, or `keep_flips` without `flip`.
    """
    if network.training:
        raise ValueError(
            "expected a network in evaluation mode, but it is in training mode; call network.eval()"
        )
    if keep_flips and not flip:
        raise ValueError("keep_flips needs flip: true; otherwise there is no mirrored CAM to keep")
    classes = torch.as_tensor(list(class_ids), dtype=torch.long, device=device)
    maps, flips = [], []
    # Around all views, so that weights are cast once.
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"):
        for view in views or resized_views(image, scales, sizes):
            pixels = normalised(view, mean, std, device)
            if not flip:
                maps.append(_class_maps(network, pixels, classes, form)[0].cpu().numpy())
                continue
            plain, mirrored = with_mirror_image(lambda v: _class_maps(network, v, classes, form), pixels)
            if keep_flips:
                flips.append(mirrored[0].cpu().numpy())
            maps.append((plain + mirrored)[0].cpu().numpy())
    return ScaleCams(tuple(maps), tuple(flips))


def resized_views(
    image: UInt8[np.ndarray, "H W 3"], scales: Sequence[float], sizes: Sequence[int] = ()
) -> list[UInt8[np.ndarray, "_ _ 3"]]:
    """The image at each scale, sizes rounded, at least 1 px; or stretched to squares of these sides (Pillow's bicubic).

    Raises:
        ValueError: a scale of 0 or less.
    """
    if sizes:
        return [_resized(image, side, side) for side in sizes]
    for scale in scales:
        if not scale > 0:
            raise ValueError(f"expected a scale above 0, got {scale}; 1.0 is the image's own size")
    height, width = image.shape[:2]
    return [_resized(image, max(1, round(height * s)), max(1, round(width * s))) for s in scales]


def network_input(
    image: UInt8[np.ndarray, "H W 3"],
    scale: float,
    mean: Sequence[float],
    std: Sequence[float],
    device: str | torch.device = "cpu",
) -> Float32[Tensor, "1 3 h w"]:
    """The image resized by a factor and normalised, on the device.

    Raises:
        ValueError: a scale of 0 or less.
    """
    return normalised(resized_views(image, (scale,))[0], mean, std, device)


def _resized(image: np.ndarray, height: int, width: int) -> UInt8[np.ndarray, "h w 3"]:
    if (height, width) == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


def normalised(
    image: UInt8[np.ndarray, "h w 3"],
    mean: Sequence[float],
    std: Sequence[float],
    device: str | torch.device = "cpu",
) -> Float32[Tensor, "1 3 h w"]:
    """(x / 255 − mean) / std, computed on the device, in channels-last memory."""
    pixels = torch.tensor(image, device=device).float()
    pixels.sub_(255 * torch.tensor(mean, device=device)).div_(255 * torch.tensor(std, device=device))
    return pixels.permute(2, 0, 1)[None]


def _class_maps(
    network: Any, views: Float32[Tensor, "views 3 h w"], classes: Tensor, form: Form
) -> Float32[Tensor, "views classes _ _"]:
    padded = padded_to_smallest(views)
    if form == "gradcam++":
        _check_classes(classes, network.head.out_channels)
        maps = torch.stack([network_gradcams(network, view[None], classes) for view in padded])
    else:
        output = network(padded)
        logits: Tensor = output.cam_logits if form == "cam" else _refined(output)
        _check_classes(classes, logits.shape[1])
        maps = logits[:, classes].relu().float()
    maps = inside(maps, views, padded)
    return torch.stack([min_max(one) for one in maps]) if form == "gradcam++" else maps


def padded_to_smallest(pixels: Float32[Tensor, "batch 3 h w"]) -> Float32[Tensor, "batch 3 _ _"]:
    """Normalised pixels, padded to 32 with the mean colour at the right and the bottom where they are fewer."""
    height, width = pixels.shape[2:]
    padding = (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height))
    return nn.functional.pad(pixels, padding) if any(padding) else pixels


def inside(
    maps: Float32[Tensor, "*channels _ _"],
    pixels: Float32[Tensor, "batch 3 h w"],
    padded: Float32[Tensor, "batch 3 _ _"],
) -> Float32[Tensor, "*channels _ _"]:
    """The cells of maps of padded pixels that begin inside the image."""
    rows, columns = (
        -(-size * cells // whole)
        for size, cells, whole in zip(pixels.shape[2:], maps.shape[-2:], padded.shape[2:], strict=True)
    )
    return maps[..., :rows, :columns]


def _refined(output: Any) -> Float32[Tensor, "views classes h w"]:
    refined: Tensor | None = getattr(output, "refined_cams", None)
    if refined is None:
        raise ValueError(
            "form pcm needs a network with a pixel correlation module, and this one has none; train it with "
            "method: seam"
        )
    return refined[:, 1:]  # without background


def _check_classes(classes: Tensor, known: int) -> None:
    if len(classes) and int(classes.max()) >= known:
        raise ValueError(
            f"expected classes from 0 to {known - 1}, got {int(classes.max())}; the network has {known} classes"
        )
