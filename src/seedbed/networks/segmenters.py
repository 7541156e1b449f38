"""Segmentation networks: a table of architectures on any timm backbone.

DeepLabV3 (arXiv:1706.05587), DeepLabV3+ (arXiv:1802.02611) and U-Net (arXiv:1505.04597) come from
segmentation-models-pytorch; DeepLabV2 and the U-Net with transposed convolutions are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import segmentation_models_pytorch as smp
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seedbed.errors import unknown_name
from seedbed.networks.backbones import Backbone, BatchNormTraining, build_backbone, hold_batch_norm, seeded
from seedbed.networks.deeplabv2 import DeepLabV2
from seedbed.networks.unet_transposed import TransposedUNet
from seedbed.networks.weights import InitialWeights


@dataclass(frozen=True)
class Architecture:
    """One row of `SEGMENTERS`."""

    build: Callable[[str, Backbone, int, int], tuple[nn.Module, nn.Module]]
    """(backbone's name, backbone, output stride, outputs) → (network, the part of it that is the backbone)."""
    output_strides: tuple[int, ...]
    """The usual one comes first."""
    smallest_batch: int = 1
    """In training: batch norm on a pooled map (one cell per image) needs two images."""


def _encode(network: Any, backbone: Backbone) -> tuple[nn.Module, nn.Module]:
    network.encoder.model.load_state_dict(backbone.body.state_dict())
    return network, network.encoder


def _unet(name: str, backbone: Backbone, output_stride: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return _encode(smp.Unet(f"tu-{name}", encoder_weights=None, classes=outputs), backbone)


def _atrous(
    model: Callable[..., nn.Module],
) -> Callable[[str, Backbone, int, int], tuple[nn.Module, nn.Module]]:
    def build(name: str, backbone: Backbone, output_stride: int, outputs: int) -> tuple[nn.Module, nn.Module]:
        network = model(
            f"tu-{name}",
            encoder_weights=None,
            encoder_output_stride=output_stride,
            decoder_atrous_rates=tuple(rate * 16 // output_stride for rate in (6, 12, 18)),  # V3 §4.2
            classes=outputs,
        )
        return _encode(network, backbone)

    return build


def _deeplabv2(
    name: str, backbone: Backbone, output_stride: int, outputs: int
) -> tuple[nn.Module, nn.Module]:
    return DeepLabV2(backbone, outputs), backbone


def _unet_transposed(
    name: str, backbone: Backbone, output_stride: int, outputs: int
) -> tuple[nn.Module, nn.Module]:
    return TransposedUNet(backbone, outputs), backbone


SEGMENTERS: dict[str, Architecture] = {
    "deeplabv2": Architecture(_deeplabv2, (8, 16, 32)),
    "deeplabv3": Architecture(_atrous(smp.DeepLabV3), (8, 16), smallest_batch=2),
    "deeplabv3plus": Architecture(_atrous(smp.DeepLabV3Plus), (16, 8), smallest_batch=2),
    "unet": Architecture(_unet, (32,)),
    "unet_transposed": Architecture(_unet_transposed, (32,)),
}


class Segmenter(nn.Module):
    """A segmentation network that takes images of any size and returns logits of that size.

    Images are padded with 0 (the mean colour) at the right and the bottom to multiples of 32, and the logits are
    cropped, so that no architecture gets a size that it cannot halve.

    Attributes:
        network: the architecture.
        mean, std: input normalisation on [0, 1] RGB.
        provenance: where the backbone's initial weights came from.
    """

    MULTIPLE = 32

    def __init__(
        self,
        network: nn.Module,
        part: nn.Module,
        source: Backbone,
        batch_norm: BatchNormTraining = "trained",
        smallest_batch: int = 1,
    ):
        super().__init__()
        self.network = network
        self._backbone = [part]  # in a list, so that its parameters are registered once
        self.mean, self.std, self.provenance = source.mean, source.std, source.provenance
        self.batch_norm = batch_norm
        self.smallest_batch = smallest_batch
        self.train()

    @property
    def backbone(self) -> nn.Module:
        """The pretrained part."""
        return self._backbone[0]

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch outputs H W"]:
        """Logits of each pixel; channel 0 is background.

        Raises:
            ValueError: in training mode, fewer images than batch norm on a pooled map needs.
        """
        height, width = images.shape[-2:]
        if self.training and images.shape[0] < self.smallest_batch:
            raise ValueError(
                f"expected batches of at least {self.smallest_batch} images to train this segmenter, "
                f"got {images.shape[0]}; raise batch_size"
            )
        padded = functional.pad(images, (0, -width % self.MULTIPLE, 0, -height % self.MULTIPLE))
        logits: Tensor = self.network(padded)
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = functional.interpolate(logits, padded.shape[-2:], mode="bilinear", align_corners=False)
        return logits[..., :height, :width]

    def train(self, mode: bool = True) -> Segmenter:
        """Switch the training mode; the backbone's frozen batch norm stays frozen."""
        super().train(mode)
        hold_batch_norm(self.backbone, self.batch_norm)
        return self


def build_segmenter(
    architecture: str,
    backbone: str,
    outputs: int,
    output_stride: int | None = None,
    weights: str | InitialWeights = "none",
    *,
    batch_norm: BatchNormTraining = "trained",
    rng: int = 0,
    allow_mask_trained: bool = False,
) -> Segmenter:
    """Build a segmentation network.

    Args:
        architecture: a key of `SEGMENTERS`.
        backbone: timm's name.
        outputs: K, classes with background.
        output_stride: None for the architecture's usual one.
        weights: initial weights of the backbone (`seedbed.networks.weights.load_weights`).
        batch_norm: of the backbone, see `hold_batch_norm`.
        rng: seed of all random initialisation.
        allow_mask_trained: accept backbone weights that were trained on pixel masks.

    Raises:
        ValueError: an unknown architecture or backbone, an output stride that one of them does not support, a backbone
            that segmentation-models-pytorch cannot decode, or weights that do not fit.
    """
    if architecture not in SEGMENTERS:
        raise ValueError(unknown_name("segmenter", architecture, SEGMENTERS))
    row = SEGMENTERS[architecture]
    stride = row.output_strides[0] if output_stride is None else output_stride
    if stride not in row.output_strides:
        can = " or ".join(map(str, sorted(row.output_strides)))
        raise ValueError(f"expected output stride {can} for {architecture}, got {stride}")
    source = build_backbone(backbone, stride, weights, rng=rng, allow_mask_trained=allow_mask_trained)
    with seeded(rng):
        try:
            network, part = row.build(backbone, source, stride, outputs)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            raise ValueError(
                f"{architecture} cannot decode backbone {backbone}: {str(error).splitlines()[0]}"
            ) from error
    return Segmenter(network, part, source, batch_norm, row.smallest_batch)
