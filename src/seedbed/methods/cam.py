"""The ordinary CAM classifier: multi-label soft margin on the averages of class maps (Zhou et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels
from seedbed.methods.base import Batch, Method, Objective, Progress
from seedbed.methods.guards import check_cams_vary
from seedbed.methods.table import CamParameters
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.weights import InitialWeights


class CamMethod(Method):
    """One player, `classifier`, a `CamNetwork`."""

    def __init__(
        self, parameters: CamParameters, *, classes: int, rng: int, weights: InitialWeights | None = None
    ):
        super().__init__()
        backbone = build_backbone(
            parameters.backbone,
            parameters.output_stride,
            weights or parameters.weights,
            rng=rng,
            conv_head=parameters.conv_head,
            dilated=parameters.dilated,
            allow_mask_trained=parameters.allow_mask_trained,
        )
        self.mean, self.std, self.provenance = backbone.mean, backbone.std, backbone.provenance
        self.label_smoothing = parameters.label_smoothing
        self.classifier: nn.Module = CamNetwork(
            backbone,
            classes,
            batch_norm=parameters.batch_norm,
            frozen_stages=parameters.frozen_stages,
            dropout=parameters.dropout,
            head_init=parameters.head_init,
            generator=torch.Generator().manual_seed(rng),
        )

    def networks(self) -> dict[str, nn.Module]:
        """The classifier."""
        return {"classifier": self.classifier}

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """The classification loss.

        Raises:
            SeedbedError: the class maps have collapsed.
        """
        output = self.classifier(batch.images)
        check_cams_vary(output.cam_logits, batch.labels, progress)
        loss = multilabel_soft_margin(output.class_logits, smooth_labels(batch.labels, self.label_smoothing))
        yield Objective("classifier", loss, {})
