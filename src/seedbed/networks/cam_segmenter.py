"""A CAM network with a decoder: classes and pixels from one encoder (ISIM, Bircanoglu & Arica, §3.2, fig. 2).

The classification branch is that of `CamNetwork`, on the encoder's last map. The decoder reads all maps: DeepLabV3+
(arXiv:1802.02611, from segmentation-models-pytorch), or U-Net with bilinear or transposed upsampling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from jaxtyping import Float
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from torch import Tensor, nn
from torch.nn import functional

from seedbed.errors import unknown_name
from seedbed.networks.backbones import Backbone, seeded
from seedbed.networks.cam_network import CamNetwork, CamOutput
from seedbed.networks.unet import UNetDecoder

MULTIPLE = 32
"""Images are padded to multiples of this for the decoders, which must halve them evenly."""


class DeepLabDecoder(nn.Module):
    """DeepLabV3+'s decoder: atrous pooling of the last map, fused with 48 channels of the map at stride 4.

    Args:
        channels: of each map, from the finest to the coarsest.
        reductions: input pixels per cell of each map.
        outputs: K, classes with background.
        rates: of the atrous convolutions at output stride 16; doubled at 8.

    Raises:
        ValueError: there is no map at stride 4, or the last one is at another stride than 8 or 16.
    """

    WIDTH = 256

    def __init__(
        self,
        channels: Sequence[int],
        reductions: Sequence[int],
        outputs: int,
        rates: Sequence[int] = (6, 12, 18),
    ):
        super().__init__()
        if 4 not in reductions or reductions[-1] not in (8, 16):
            raise ValueError(
                f"expected maps of which one has stride 4 and the last has stride 8 or 16, got {list(reductions)}; "
                "choose another backbone or output_stride"
            )
        stride = reductions[-1]
        self._fine = list(reductions).index(4)
        self.fuse = DeepLabV3PlusDecoder(
            [0, 0, channels[self._fine], channels[-1]],
            encoder_depth=5,
            out_channels=self.WIDTH,
            atrous_rates=tuple(rate * 16 // stride for rate in rates),
            output_stride=stride,
            aspp_separable=True,
            aspp_dropout=0.5,
        )
        self.score = nn.Conv2d(self.WIDTH, outputs, 1)

    def decode(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b outputs h w"]:
        """Score each cell of stride 4."""
        fine = maps[self._fine]
        logits: Tensor = self.score(self.fuse([fine, fine, fine, maps[-1]]))
        return logits


@dataclass(frozen=True)
class Decoder:
    """One row of `DECODERS`."""

    build: Callable[[Sequence[int], Sequence[int], int], nn.Module]
    """(channels, reductions, outputs) → a module with `decode`."""
    smallest_batch: int = 1
    """In training: batch norm on a pooled map (one cell per image) needs two images."""


DECODERS: dict[str, Decoder] = {
    "deeplabv3plus": Decoder(DeepLabDecoder, smallest_batch=2),
    "unet": Decoder(partial(UNetDecoder, upsampling="bilinear")),
    "unet_transposed": Decoder(partial(UNetDecoder, upsampling="transposed")),
}


class CamSegmenter(CamNetwork):
    """Encoder, classification branch, decoder.

    Attributes:
        lr_factors: learning rate of parts trained from scratch, as a factor on that of the backbone, by name.

    Args:
        backbone: the encoder; a convolution that its `conv_head` adds belongs to the classification branch alone.
        classes: number of foreground classes, C; the decoder has K = C + 1 outputs.
        decoder: a key of `DECODERS`.
        decoder_lr_factor: the decoder's entry in `lr_factors`.
        rng: keys the decoder's initial weights.
        options: as for `CamNetwork`.

    Raises:
        ValueError: an unknown decoder, or one that cannot decode the backbone.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        *,
        decoder: str = "deeplabv3plus",
        decoder_lr_factor: float = 1.0,
        rng: int = 0,
        **options: Any,
    ):
        if decoder not in DECODERS:
            raise ValueError(unknown_name("decoder", decoder, DECODERS))
        super().__init__(backbone, classes, **options)
        row = DECODERS[decoder]
        with seeded(rng):
            self.decoder = row.build(backbone.stage_channels, backbone.reductions, classes + 1)
        self.lr_factors = {"decoder": decoder_lr_factor}
        self.smallest_batch = row.smallest_batch

    def forward(self, images: Float[Tensor, "batch 3 H W"], segment: bool = False) -> CamOutput:
        """Score normalised images of any size.

        Args:
            segment: also run the decoder. Images are then padded with 0 (the mean colour) at the right and the bottom
                to multiples of 32; the pixels' logits are cropped, the class maps cover the padding too.

        Raises:
            ValueError: in training mode, fewer images than batch norm on a pooled map needs.
        """
        if not segment:
            return super().forward(images)
        height, width = images.shape[-2:]
        if self.training and images.shape[0] < self.smallest_batch:
            raise ValueError(
                f"expected batches of at least {self.smallest_batch} images to train this decoder, "
                f"got {images.shape[0]}; raise batch_size"
            )
        padded = functional.pad(images, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
        maps = self.backbone.stage_maps(padded)
        cam_logits = self.head(self.dropout(self.adaptation(self.backbone.deepest(maps[-1]))))
        logits: Tensor = self.decoder.decode(maps)  # type: ignore[operator]
        if logits.shape[-2:] != padded.shape[-2:]:
            logits = functional.interpolate(logits, padded.shape[-2:], mode="bilinear", align_corners=False)
        return CamOutput(cam_logits.mean((2, 3)), cam_logits, logits[..., :height, :width])


class PixelLogits(nn.Module):
    """A `CamSegmenter` seen as a segmentation network: images to the logits of their pixels."""

    def __init__(self, network: CamSegmenter):
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch outputs H W"]:
        """Logits of each pixel; channel 0 is background."""
        logits: Tensor = self.network(images, segment=True).pixel_logits
        return logits
