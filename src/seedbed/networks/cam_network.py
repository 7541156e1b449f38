"""The network of class activation maps (Zhou et al. 2016, arXiv:1512.04150 §2), as the field builds it.

A 1x1 convolution without bias scores each cell of the last feature map; the average of a class's scores is
its logit. Averaging the features first and scoring them gives the same value, because both steps are linear.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedbed.networks.backbones import Backbone, BatchNormTraining, hold_batch_norm


class CamOutput(NamedTuple):
    """The result of one pass."""

    class_logits: Float[Tensor, "batch classes"]
    cam_logits: Float[Tensor, "batch classes h w"]
    """Class maps before ReLU."""


class CamNetwork(nn.Module):
    """Backbone, 1x1 convolution, global average.

    Args:
        backbone: returns the feature maps, of which the last one is scored.
        classes: number of foreground classes, C.
        batch_norm: of the backbone, see `hold_batch_norm`.
        frozen_stages: the number of first stages of the backbone that receive no gradient and whose batch norm is
            frozen.
        dropout: probability of dropping a whole channel of the last map (PSA: 0.5).
        head_init: initialisation of the 1x1 convolution: `kaiming` (Puzzle-CAM, P-NOC), `xavier` (PSA, SEAM),
            `torch` (IRN).
        generator: draws the head's initial weights.

    Raises:
        ValueError: more frozen stages than the backbone has.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        batch_norm: BatchNormTraining = "trained",
        frozen_stages: int = 0,
        dropout: float = 0.0,
        head_init: Literal["kaiming", "xavier", "torch"] = "kaiming",
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if not 0 <= frozen_stages <= len(backbone.stages):
            raise ValueError(
                f"expected frozen_stages from 0 to {len(backbone.stages)} for this backbone, got {frozen_stages}"
            )
        self.backbone = backbone
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(backbone.channels[-1], classes, 1, bias=False)
        if head_init == "xavier":
            nn.init.xavier_uniform_(self.head.weight, generator=generator)
        elif head_init == "kaiming":
            nn.init.kaiming_normal_(self.head.weight, generator=generator)
        else:
            nn.init.kaiming_uniform_(self.head.weight, a=5**0.5, generator=generator)
        self.batch_norm = batch_norm
        self._frozen = [module for stage in backbone.stages[:frozen_stages] for module in stage]
        for module in self._frozen:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        self.train()

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> CamOutput:
        """Score normalised images of any size."""
        cam_logits = self.head(self.dropout(self.backbone(images)[-1]))
        return CamOutput(cam_logits.mean((2, 3)), cam_logits)

    def train(self, mode: bool = True) -> CamNetwork:
        """Switch the training mode; frozen batch norm stays frozen."""
        super().train(mode)
        hold_batch_norm(self.backbone, self.batch_norm)
        for module in self._frozen:
            module.training = False
        return self
