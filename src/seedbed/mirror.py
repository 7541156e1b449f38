"""A network on an image and on its mirror image: one batch, where that fits the memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

TOGETHER = 2**20
"""Pixels of an image, up to which it and its mirror image are one batch; larger ones go one after the other."""


def with_mirror_image(
    run: Callable[[Tensor], Tensor], images: Float[Tensor, "1 3 H W"]
) -> tuple[Float[Tensor, "1 *channels h w"], Float[Tensor, "1 *channels h w"]]:
    """What a network gives for an image, and what it gives for the mirror image, mirrored back.

    Args:
        run: from a batch of images to a batch of maps.
        images: one normalised image.
    """
    if images.shape[-2] * images.shape[-1] > TOGETHER:
        return run(images), run(images.flip(-1)).flip(-1)
    both = run(torch.cat([images, images.flip(-1)]))
    return both[:1], both[1:].flip(-1)
