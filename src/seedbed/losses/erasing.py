"""Class-specific erasing: OC-CSE (Kweon et al. 2021, §3.2) and P-NOC (eq. 4–6, 9 and 10).

A class map of the generator erases one class from the image; the map is judged by what a second classifier still
finds in the rest.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-5


def pick_present_class(
    labels: Float[Tensor, "batch classes"], uniform: Float[Tensor, "batch"]
) -> Int64[Tensor, "batch"]:
    """One present class r per image, all with equal probability; -1 where no class is present.

    Args:
        labels: 0 or 1.
        uniform: random numbers in [0, 1); the k-th of n present classes is taken where k/n <= u < (k + 1)/n.
    """
    present = labels > 0.5
    count = present.sum(1)
    chosen = (uniform.to(labels.device) * count).long().clamp(max=labels.shape[1] - 1)
    found = (present.cumsum(1) == chosen[:, None] + 1) & present
    return torch.where(count > 0, found.int().argmax(1), -1)


def class_maps(
    cam_logits: Float[Tensor, "batch classes h w"],
    chosen: Int64[Tensor, "batch"],
    size: tuple[int, int],
    order: Literal["relu_first", "resize_first"] = "relu_first",
) -> Float[Tensor, "batch 1 H W"]:
    """ReLU(A_r) of each image's chosen class at image size (bilinear); 0 where none is chosen (-1).

    Args:
        cam_logits: A, before ReLU.
        chosen: r of each image.
        size: height and width of the image.
        order: ReLU on the map's own grid, then the resizing (P-NOC's code); or the reverse (OC-CSE's code), where
            negative cells beside positive ones shrink what is positive.
    """
    rows = torch.arange(len(chosen), device=chosen.device)
    maps = cam_logits[rows, chosen.clamp(min=0)][:, None] * (chosen >= 0)[:, None, None, None]
    if order == "relu_first":
        return functional.interpolate(maps.relu(), size, mode="bilinear", align_corners=False)
    return functional.interpolate(maps, size, mode="bilinear", align_corners=False).relu()


def normalise_maps(
    maps: Float[Tensor, "batch 1 H W"], over: Literal["batch", "image"]
) -> Float[Tensor, "batch 1 H W"]:
    """ψ: maps over their maximum (eq. 2), in [0, 1).

    Args:
        maps: ReLU(A_r).
        over: whose maximum. `image` is the papers' ψ. `batch` is what the published code of both does for the
            soft mask: weak maps stay weak. It is the maximum of the given maps, that is of this process's
            micro-batch: other processes and other micro-batches of an accumulated step do not count.
    """
    highest = maps.amax() if over == "batch" else maps.amax((1, 2, 3), keepdim=True)
    return maps / (highest + EPSILON)


def erase_softly(
    images: Float[Tensor, "batch 3 H W"], psi: Float[Tensor, "batch 1 H W"]
) -> Float[Tensor, "batch 3 H W"]:
    """x ∘ (1 − ψ(A_r)) (eq. 5). Images are normalised, so what is erased takes the mean colour."""
    return images * (1 - psi)


def kept_pixels(psi: Float[Tensor, "batch 1 H W"], threshold: float) -> Bool[Tensor, "batch 1 H W"]:
    """Where ψ ≤ δ: what P-NOC's hard mask keeps.

    Its paper writes x ∘ (1 − ψ > δ), which taken literally would keep all of ψ < 1 − δ; its code keeps ψ ≤ δ.
    """
    return psi <= threshold


def labels_without(
    labels: Float[Tensor, "batch classes"], chosen: Int64[Tensor, "batch"]
) -> Float[Tensor, "batch classes"]:
    """y ∖ {r}: the labels with each image's chosen class set to 0; -1 leaves them as they are."""
    classes = torch.arange(labels.shape[1], device=labels.device)
    return labels * (classes != chosen[:, None])
