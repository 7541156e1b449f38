"""PoolNet trained on the saliency of another node (Liu et al. 2019; Xie et al. 2022 and David et al. train it so).

The published training takes Adam at 5e-5 with a weight decay of 5e-4, one image per step and the mean of ten steps'
gradients, and keeps batch norm frozen: `optimiser`, `lr`, `weight_decay`, `batch_size`, `accumulate`, `batch_norm`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from seedbed.methods.base import POLARITY, Method, MethodEntry, MethodParameters, Objective, Progress

if TYPE_CHECKING:
    from torch import nn

    from seedbed.input.batch import Batch
    from seedbed.input.examples import Examples
    from seedbed.networks.weights import InitialWeights

SALIENCY = "saliency"


class PoolnetParameters(MethodParameters):
    """PoolNet, trained on saliency maps."""

    output_stride: Literal[8, 16, 32] = 16
    """Input pixels per cell of the backbone's last map."""
    decoder_width: int = Field(128, ge=1)
    """Channels of the finest level; deeper ones have twice and four times as many."""


class PoolnetMethod(Method):
    """One player, `saliency_network`."""

    def __init__(
        self, parameters: PoolnetParameters, *, classes: int, rng: int, weights: InitialWeights | None = None
    ):
        from seedbed.networks.backbones import build_backbone
        from seedbed.networks.poolnet import PoolNet

        backbone = build_backbone(
            parameters.backbone,
            parameters.output_stride,
            weights or parameters.weights,
            rng=rng,
            allow_mask_trained=parameters.allow_mask_trained,
        )
        self.mean, self.std, self.provenance = backbone.mean, backbone.std, backbone.provenance
        self.saliency_network: nn.Module = PoolNet(
            backbone, width=parameters.decoder_width, batch_norm=parameters.batch_norm, rng=rng
        )

    def networks(self) -> dict[str, nn.Module]:
        """The one network."""
        return {"saliency_network": self.saliency_network}

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """The summed cross-entropy with the given saliency.

        Raises:
            ValueError: the batch has no saliency, or some outside [0, 1].
        """
        from seedbed.losses.saliency import summed_cross_entropy

        if SALIENCY not in batch.fields:
            raise ValueError("the batch has no saliency to learn; give the stage the input saliency")
        logits = self.saliency_network(batch.images)
        loss = summed_cross_entropy(logits, batch.fields[SALIENCY], batch.valid)
        yield Objective("saliency_network", loss, {})

    def facts(self, examples: Examples, device: str) -> Mapping[str, Any]:
        """High logits are salient, as in the maps that it learnt."""
        return {POLARITY: {"inverted": False, "rule": SALIENCY}}


ENTRY = MethodEntry(PoolnetParameters, PoolnetMethod, "train_saliency", reads={SALIENCY: ("saliency",)})
