"""DeepLabV2 (Chen et al. 2018, arXiv:1606.00915 §3.2): four dilated 3x3 convolutions, summed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedbed.networks.backbones import Backbone

RATES = (6, 12, 18, 24)


class DeepLabV2(nn.Module):
    """Backbone at output stride 8 with summed atrous spatial pyramid pooling (ASPP-L); logits at that stride.

    Args:
        backbone: its last feature map is read.
        outputs: K, classes with background.
        generator: draws the convolutions' weights from N(0, 0.01), as the published code does.
    """

    def __init__(self, backbone: Backbone, outputs: int, generator: torch.Generator | None = None):
        super().__init__()
        self.backbone = backbone
        self.branches = nn.ModuleList()
        for rate in RATES:
            branch = nn.Conv2d(backbone.channels[-1], outputs, 3, padding=rate, dilation=rate)
            nn.init.normal_(branch.weight, std=0.01, generator=generator)
            nn.init.zeros_(branch.get_parameter("bias"))
            self.branches.append(branch)

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch outputs h w"]:
        """Score each cell of the last feature map."""
        features = self.backbone(images)[-1]
        return torch.stack([branch(features) for branch in self.branches]).sum(0)
