"""Segmentation networks: an architecture (`seedbed.networks.architectures`) on any timm backbone."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from seedbed.networks.architectures import SEGMENTERS, architecture_fault, architecture_of
from seedbed.networks.backbones import Backbone, BatchNormTraining, build_backbone, hold_batch_norm, seeded
from seedbed.networks.weights import InitialWeights

__all__ = ["SEGMENTERS", "Segmenter", "build_segmenter"]


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
        architecture: a key of `SEGMENTERS`, or one that an installed package brings.
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
    if fault := architecture_fault(architecture, output_stride):
        raise ValueError(fault)
    row = architecture_of(architecture)
    stride = row.output_strides[0] if output_stride is None else output_stride
    source = build_backbone(backbone, stride, weights, rng=rng, allow_mask_trained=allow_mask_trained)
    with seeded(rng):
        try:
            network, part = row.build(backbone, source, stride, outputs)
        except (ValueError, TypeError, RuntimeError, IndexError) as error:
            raise ValueError(
                f"{architecture} cannot decode backbone {backbone}: {str(error).splitlines()[0]}"
            ) from error
    return Segmenter(network, part, source, batch_norm, row.smallest_batch)
