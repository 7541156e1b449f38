"""ISIM's modified cross-entropy (Bircanoglu & Arica, eq. 2 and 3): an image without foreground teaches nothing.

r_y is 1 for an image whose label map has a foreground pixel, and 0 for one that is all background. The paper reads in
two ways, which differ in what the mean is taken over:

- `zeroed`: eq. 2 and the published code multiply an image's logits by r_y. An image that is all background costs log K
  at each pixel, has no gradient, and counts in the mean.
- `dropped`: the text says to "ignore that mask"; such an image does not count at all.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from seedbed.labels import IGNORE
from seedbed.losses.segmentation import pixel_cross_entropy

Reading = Literal["zeroed", "dropped"]


def has_foreground(label_maps: Int64[Tensor, "batch H W"]) -> Bool[Tensor, " batch"]:
    """r_y of eq. 3: whether an image has a pixel that is neither background (0) nor without label (255)."""
    return ((label_maps > 0) & (label_maps != IGNORE)).flatten(1).any(1)


def modified_cross_entropy(
    logits: Float[Tensor, "batch outputs H W"],
    label_maps: Int64[Tensor, "batch H W"],
    reading: Reading = "zeroed",
) -> Float[Tensor, ""]:
    """Mean cross-entropy over the labelled pixels of the batch, with images that are all background left out.

    Args:
        logits: channel 0 is background.
        label_maps: 0 to K - 1, or 255 for no label.
        reading: see above. If no image has foreground, `dropped` gives 0, with a gradient of 0.

    Raises:
        ValueError: a label that is neither below K nor 255.
    """
    kept = has_foreground(label_maps)[:, None, None]
    if reading == "zeroed":
        return pixel_cross_entropy(logits * kept[:, None], label_maps)
    return pixel_cross_entropy(logits, torch.where(kept, label_maps, IGNORE))
