"""The network of class activation maps (Zhou et al. 2016, arXiv:1512.04150 §2), as the field builds it.

A 1x1 convolution without bias scores each cell of the last feature map; the average of a class's scores is
its logit. Averaging the features first and scoring them gives the same value, because both steps are linear.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedbed.networks.backbones import Backbone, BatchNormTraining, freeze_stages, hold_batch_norm

HeadInit = Literal["kaiming", "xavier", "torch"]


class CamOutput(NamedTuple):
    """The result of one pass."""

    class_logits: Float[Tensor, "batch classes"]
    cam_logits: Float[Tensor, "batch classes h w"]
    """Class maps before ReLU."""
    pixel_logits: Float[Tensor, "batch outputs H W"] | None = None
    """What a decoder says of each pixel, channel 0 being background; None if there is none, or it was not asked."""


def scoring_head(channels: int, outputs: int, init: HeadInit, generator: torch.Generator | None) -> nn.Conv2d:
    """A 1x1 convolution without bias.

    Args:
        channels: of the map that it scores.
        outputs: scores per cell.
        init: see `CamNetwork`.
        generator: draws the initial weights.
    """
    head = nn.Conv2d(channels, outputs, 1, bias=False)
    if init == "xavier":
        nn.init.xavier_uniform_(head.weight, generator=generator)
    elif init == "kaiming":
        nn.init.kaiming_normal_(head.weight, generator=generator)
    else:
        nn.init.kaiming_uniform_(head.weight, a=5**0.5, generator=generator)
    return head


class CamNetwork(nn.Module):
    """Backbone, 1x1 convolution, global average; SC-CAM's paper has a 3x3 convolution after the backbone.

    Args:
        backbone: returns the feature maps, of which the last one is scored.
        classes: number of foreground classes, C.
        batch_norm: of the backbone, see `hold_batch_norm`.
        frozen_stages: the number of first stages of the backbone that receive no gradient and whose batch norm is
            frozen.
        dropout: probability of dropping a whole channel of the last map (PSA: 0.5).
        head_init: initialisation of the 1x1 convolution: `kaiming` (Puzzle-CAM, P-NOC), `xavier` (PSA, SEAM),
            `torch` (IRN).
        adaptation_channels: of a 3x3 convolution with ReLU between backbone and head; 0 leaves it out.
        generator: draws the initial weights of what is not in the backbone.

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
        head_init: HeadInit = "kaiming",
        adaptation_channels: int = 0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.dropout = nn.Dropout2d(dropout)
        self.adaptation: nn.Module = nn.Identity()
        self.channels = adaptation_channels or backbone.channels[-1]
        if adaptation_channels:
            convolution = nn.Conv2d(backbone.channels[-1], adaptation_channels, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, generator=generator)
            self.adaptation = nn.Sequential(convolution, nn.ReLU())
        self.head = scoring_head(self.channels, classes, head_init, generator)
        self.batch_norm = batch_norm
        self._frozen = freeze_stages(backbone, frozen_stages)
        self.train()

    def features(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch channels h w"]:
        """The map that the head scores."""
        found: Tensor = self.adaptation(self.backbone(images)[-1])
        return found

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> CamOutput:
        """Score normalised images of any size."""
        cam_logits = self.head(self.dropout(self.features(images)))
        return CamOutput(cam_logits.mean((2, 3)), cam_logits)

    def train(self, mode: bool = True) -> CamNetwork:
        """Switch the training mode; frozen batch norm stays frozen."""
        super().train(mode)
        hold_batch_norm(self.backbone, self.batch_norm)
        for module in self._frozen:
            module.training = False
        return self
