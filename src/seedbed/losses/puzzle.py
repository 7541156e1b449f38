"""The reconstruction loss of Puzzle-CAM (Jo & Yu 2021, eq. 7; P-NOC paper, eq. 3).

The whole image and its tiles should give equal class maps: the L1 distance between the raw maps (before ReLU and
normalisation) of the classes that the image-level labels name.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor


def reconstruction_loss(
    cam_logits: Float[Tensor, "batch classes h w"],
    merged_logits: Float[Tensor, "batch classes h w"],
    labels: Float[Tensor, "batch classes"],
    mean: Literal["all", "present", "per_image"] = "all",
) -> Float[Tensor, ""]:
    """‖A − A_re‖₁ of the present classes' maps, averaged.

    Args:
        cam_logits: A, class maps of the whole images.
        merged_logits: A_re, class maps of the tiles, merged.
        labels: 0 or 1.
        mean: over `all` maps, with 0 for those of absent classes, so that the loss grows with the number of
            classes in an image (published code); over the `present` maps alone, 0 if there are none; or over the
            present maps `per_image` first, then over the images (the published code's `selection`; an image without
            a class counts as 0, where the code has 0/0).
    """
    distance = (cam_logits - merged_logits).abs() * labels[:, :, None, None]
    if mean == "all":
        return distance.mean()
    cells = cam_logits.shape[2] * cam_logits.shape[3]
    if mean == "per_image":
        return (distance.sum((1, 2, 3)) / (labels.sum(1) * cells).clamp(min=1)).mean()
    return distance.sum() / (labels.sum() * cells).clamp(min=1)
