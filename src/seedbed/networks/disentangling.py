"""The network of C²AM (Xie et al. 2022, arXiv:2203.13505, §3.1): which cells belong together, learnt without labels.

The last two feature maps, high and low level, are put together. A 3x3 convolution and batch norm of one channel give
each cell a logit, whose sigmoid φ divides the features into v_f = mean φ F and v_b = mean (1 - φ) F. Which of the two
is the foreground the network does not know.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from seedbed.networks.backbones import Backbone, BatchNormTraining, hold_batch_norm


class DisentanglingOutput(NamedTuple):
    """The result of one pass."""

    saliency_logits: Float[Tensor, "batch 1 h w"]
    """Before the sigmoid."""
    foreground: Float[Tensor, "batch channels"]
    background: Float[Tensor, "batch channels"]


class DisentanglingNetwork(nn.Module):
    """Backbone, and a branch that divides its cells in two.

    Args:
        backbone: its last two maps are used, on the grid of the larger one.
        batch_norm: of the backbone, see `hold_batch_norm`; the branch's own is trained.
        generator: draws the initial weights of the branch.

    Raises:
        ValueError: the backbone has a single map.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        batch_norm: BatchNormTraining = "trained",
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        if len(backbone.channels) < 2:
            raise ValueError(
                "expected a backbone of at least two feature maps, got one; choose another for this method"
            )
        self.backbone = backbone
        self.convolution = nn.Conv2d(sum(backbone.channels[-2:]), 1, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, generator=generator)
        self.norm = nn.BatchNorm2d(1)
        self.batch_norm = batch_norm
        self.train()

    def forward(
        self, images: Float[Tensor, "batch 3 H W"], valid: Bool[Tensor, "batch H W"] | None = None
    ) -> DisentanglingOutput:
        """Divide normalised images of any size.

        Args:
            images: normalised.
            valid: False on padding, which then counts neither as foreground nor as background.
        """
        features = self._features(images)
        logits = self.norm(self.convolution(features))
        shares = logits.sigmoid()
        inside = torch.ones_like(shares)
        if valid is not None:
            inside = adaptive_avg_pool2d(valid[:, None].to(shares.dtype), (shares.shape[2], shares.shape[3]))
        whole = inside.sum((2, 3)).clamp(min=1e-6)
        foreground = (features * (shares * inside)).sum((2, 3)) / whole
        background = (features * ((1 - shares) * inside)).sum((2, 3)) / whole
        return DisentanglingOutput(logits, foreground, background)

    def saliency_logits(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch 1 h w"]:
        """The logits alone."""
        logits: Tensor = self.norm(self.convolution(self._features(images)))
        return logits

    def _features(self, images: Tensor) -> Float[Tensor, "batch channels h w"]:
        low, high = self.backbone(images)[-2:]
        if high.shape[2:] != low.shape[2:]:
            high = interpolate(high, low.shape[2:], mode="bilinear", align_corners=False)
        return torch.cat([high, low], dim=1)

    def train(self, mode: bool = True) -> DisentanglingNetwork:
        """Switch the training mode; frozen batch norm stays frozen."""
        super().train(mode)
        hold_batch_norm(self.backbone, self.batch_norm)
        return self
