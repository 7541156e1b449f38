"""A CAM network that compares pixels: with each other (SEAM), or with prototypes of the classes (PPC).

SEAM (Wang et al. 2020, §3) refines the class maps by the pixel correlation module. PPC (Du et al. 2022, §3) projects
the last feature map to embeddings. Both are parts of one network, which either method may have.

The published networks score 21 outputs. Their background output enters no loss, and the module computes background from
the classes, so here there are class outputs only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedbed.networks.backbones import Backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.pixel_correlation import PixelCorrelation


class PixelOutput(NamedTuple):
    """The result of one pass."""

    class_logits: Float[Tensor, "batch classes"]
    cam_logits: Float[Tensor, "batch classes h w"]
    """Class maps before ReLU."""
    refined_cams: Float[Tensor, "batch outputs h w"] | None
    """Refined maps of background and classes, in [0, 1]; with `correlation`."""
    embeddings: Float[Tensor, "batch width h w"] | None
    """Projected features, at least 0; with `embedding_width`."""


class PixelNetwork(CamNetwork):
    """Backbone, class scores, and what compares pixels.

    Args:
        backbone: its last map is scored and projected; the module compares pixels by the two maps before it (conv4 and
            conv5 of Wide-ResNet-38 in the published code).
        classes: number of foreground classes, C.
        correlation: refine the class maps by a `PixelCorrelation`.
        embedding_width: channels of the embeddings; 0 for none.
        generator: draws the initial weights.
        options: of `CamNetwork`.

    Raises:
        ValueError: the module has no map to compare pixels by.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        correlation: bool,
        embedding_width: int,
        generator: torch.Generator | None = None,
        **options: Any,
    ):
        super().__init__(backbone, classes, generator=generator, **options)
        compared = backbone.channels[-3:-1]
        if correlation and not compared:
            raise ValueError(
                "expected a backbone of at least two feature maps, got one; choose another for this method"
            )
        self.correlation = PixelCorrelation(compared, generator) if correlation else None
        self.projection: nn.Conv2d | None = None
        if embedding_width:
            self.projection = nn.Conv2d(backbone.channels[-1], embedding_width, 1, bias=False)
            nn.init.xavier_uniform_(self.projection.weight, generator=generator)

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> PixelOutput:  # type: ignore[override]
        """Score normalised images of any size."""
        maps = self.backbone(images)
        last = self.dropout(maps[-1])
        cam_logits = self.head(last)
        refined = None if self.correlation is None else self.correlation(images, maps[-3:-1], cam_logits)
        embeddings = None if self.projection is None else self.projection(last).relu()
        return PixelOutput(cam_logits.mean((2, 3)), cam_logits, refined, embeddings)
