"""U-Net's decoder (Ronneberger, Fischer & Brox 2015, arXiv:1505.04597, §2) on a backbone's maps.

Each step doubles the map, by a 2×2 transposed convolution as in the paper or bilinearly, concatenates the backbone's
map of that size, and convolves twice. Padding keeps the sizes and batch norm suits a pretrained encoder; the paper
has neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedbed.networks.backbones import Backbone

WIDEST, NARROWEST = 256, 16

Upsampling = Literal["transposed", "bilinear"]


def decoder_widths(steps: int) -> list[int]:
    """Channels after each step: 256, halved at each one, at least 16."""
    return [max(WIDEST >> step, NARROWEST) for step in range(steps)]


class UpBlock(nn.Module):
    """Enlarge the map, concatenate `skip` channels of a finer one, convolve twice.

    Args:
        factor: 2, or 1 where the finer map is as large, as with a dilated backbone.
    """

    def __init__(
        self, channels: int, skip: int, width: int, upsampling: Upsampling = "transposed", factor: int = 2
    ):
        super().__init__()
        self.enlarge: nn.Module = nn.Identity()
        if factor == 2 and upsampling == "bilinear":
            self.enlarge = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        elif factor == 2:
            self.enlarge = nn.ConvTranspose2d(channels, width, 2, stride=2)
            channels = width
        layers: list[nn.Module] = []
        for entering in (channels + skip, width):
            layers += [
                nn.Conv2d(entering, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
            ]  # fmt: skip
        self.convolve = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "b c h w"], skip: Tensor | None) -> Float[Tensor, "b width H W"]:
        """Map of `factor` times the size."""
        enlarged: Tensor = self.enlarge(x)
        result: Tensor = self.convolve(enlarged if skip is None else torch.cat([enlarged, skip], dim=1))
        return result


class UNetDecoder(nn.Module):
    """From a backbone's maps to logits at the images' size, whose sides must be multiples of the coarsest stride.

    Args:
        channels: of each map, from the finest to the coarsest.
        reductions: input pixels per cell of each map.
        outputs: K, classes with background.
        upsampling: `transposed` is learnt, `bilinear` is not.

    Raises:
        ValueError: maps that neither halve nor stay as large from one to the next.
    """

    def __init__(
        self,
        channels: Sequence[int],
        reductions: Sequence[int],
        outputs: int,
        upsampling: Upsampling = "transposed",
    ):
        super().__init__()
        finest = reductions[0]
        factors = [coarse / fine for fine, coarse in pairwise(reductions)]
        if finest & (finest - 1) or not set(factors) <= {1, 2}:
            raise ValueError(
                "expected maps that halve or stay as large from one to the next, got strides "
                f"{list(reductions)}; choose another backbone"
            )
        without_skip = finest.bit_length() - 1
        steps = [*map(int, reversed(factors)), *[2] * without_skip]
        skips = [*reversed(channels[:-1]), *[0] * without_skip]
        widths = decoder_widths(len(skips))
        entering: Sequence[int] = [channels[-1], *widths[:-1]]
        self.decoder = nn.ModuleList(
            UpBlock(coming, skip, width, upsampling, factor)
            for coming, skip, width, factor in zip(entering, skips, widths, steps, strict=True)
        )
        self.score = nn.Conv2d(widths[-1], outputs, 1)
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # §3: N(0, √(2/N))

    def decode(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Float[Tensor, "b outputs H W"]:
        """Score each pixel from the backbone's maps."""
        *skips, x = maps
        for block in self.decoder:
            x = block(x, skips.pop() if skips else None)
        logits: Tensor = self.score(x)
        return logits


class TransposedUNet(UNetDecoder):
    """Encoder and decoder with transposed convolutions.

    Args:
        backbone: its maps are each half as large as the one before.
        outputs: K, classes with background.

    Raises:
        ValueError: a backbone whose maps do not halve from one to the next.
    """

    def __init__(self, backbone: Backbone, outputs: int):
        reductions = backbone.reductions
        finest = reductions[0]
        if finest & (finest - 1) or any(2 * fine != coarse for fine, coarse in pairwise(reductions)):
            raise ValueError(
                f"expected maps that halve from one to the next, got strides {reductions}; choose another backbone"
            )
        super().__init__(backbone.channels, reductions, outputs)
        self.backbone = backbone

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b outputs H W"]:
        """Score each pixel."""
        return self.decode(self.backbone(images))
