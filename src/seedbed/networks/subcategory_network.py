"""The network of SC-CAM (Chang et al. 2020, Fig. 2): a CAM network with a second head, for sub-categories.

The class maps are those of the class head alone; the second head only shapes the features that both share.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from seedbed.networks.backbones import Backbone
from seedbed.networks.cam_network import CamNetwork, HeadInit, scoring_head


class SubcategoryOutput(NamedTuple):
    """The result of one pass; the first two as in `CamOutput`."""

    class_logits: Float[Tensor, "batch classes"]
    cam_logits: Float[Tensor, "batch classes h w"]
    subcategory_logits: Float[Tensor, "batch outputs"]
    """Classes × K, those of a class side by side."""


class SubcategoryNetwork(CamNetwork):
    """A `CamNetwork` with `subcategory_head`, a linear layer without bias on the averaged features.

    Args:
        backbone, classes, options: see `CamNetwork`.
        subcategories: K, outputs of the second head per class.
        head_init: of both heads.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        subcategories: int,
        head_init: HeadInit = "kaiming",
        **options: Any,
    ):
        super().__init__(backbone, classes, head_init=head_init, **options)
        outputs = classes * subcategories
        self.subcategory_head = scoring_head(self.channels, outputs, head_init, options.get("generator"))

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> SubcategoryOutput:  # type: ignore[override]
        """Score normalised images of any size; both heads see the same dropped channels."""
        features = self.dropout(self.features(images))
        cam_logits = self.head(features)
        pooled = features.mean((2, 3), keepdim=True)
        return SubcategoryOutput(
            cam_logits.mean((2, 3)), cam_logits, self.subcategory_head(pooled).flatten(1)
        )
