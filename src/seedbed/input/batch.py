"""A batch as methods see it: normalised images on the device, image-level labels, and whatever else a method reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One micro-batch on the device."""

    image_ids: tuple[str, ...]
    images: Float[Tensor, "batch 3 height width"]
    """Normalised as the backbone was trained; padding is 0, the mean colour."""
    labels: Float[Tensor, "batch classes"]
    """Image-level labels, 0 or 1."""
    valid: Bool[Tensor, "batch height width"]
    """False on padding."""
    fields: Mapping[str, Tensor] = field(default_factory=dict)
    """The per-image inputs that the method reads (`MethodEntry.reads`), cropped and flipped with the image, by name:
    label maps Int64[batch height width] (255 = no label), maps Float32[batch classes height width], vectors
    Float32[batch n]."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(
            image_ids=self.image_ids,
            images=self.images.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            valid=self.valid.to(device, non_blocking=True),
            fields={name: value.to(device, non_blocking=True) for name, value in self.fields.items()},
        )
