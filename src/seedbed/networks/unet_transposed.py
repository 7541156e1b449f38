"""U-Net with transposed convolutions (Ronneberger, Fischer & Brox 2015, arXiv:1505.04597, §2) on a backbone's maps.

Each step doubles the map by a 2×2 transposed convolution, concatenates the backbone's map of that size, and
convolves twice. Padding keeps the sizes and batch norm suits a pretrained encoder; the paper has neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seedbed.networks.backbones import Backbone

WIDEST, NARROWEST = 256, 16


def decoder_widths(steps: int) -> list[int]:
    """Channels after each doubling: 256, halved at each step, at least 16."""
    return [max(WIDEST >> step, NARROWEST) for step in range(steps)]


class UpBlock(nn.Module):
    """Double the map, concatenate `skip` channels of a finer one, convolve twice."""

    def __init__(self, channels: int, skip: int, width: int):
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(channels, width, 2, stride=2)
        layers: list[nn.Module] = []
        for entering in (width + skip, width):
            layers += [
                nn.Conv2d(entering, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
            ]  # fmt: skip
        self.convolve = nn.Sequential(*layers)

    def forward(self, x: Float[Tensor, "b c h w"], skip: Tensor | None) -> Float[Tensor, "b width H W"]:
        """Map of twice the size."""
        doubled: Tensor = self.enlarge(x)
        result: Tensor = self.convolve(doubled if skip is None else torch.cat([doubled, skip], dim=1))
        return result


class TransposedUNet(nn.Module):
    """Encoder and decoder; logits at the images' size, whose sides must be multiples of the coarsest stride.

    Args:
        backbone: its maps are each half as large as the one before.
        outputs: K, classes with background.

    Raises:
        ValueError: a backbone whose maps do not halve from one to the next.
    """

    def __init__(self, backbone: Backbone, outputs: int):
        super().__init__()
        reductions = backbone.reductions
        finest = reductions[0]
        if finest & (finest - 1) or any(2 * fine != coarse for fine, coarse in pairwise(reductions)):
            raise ValueError(
                f"expected maps that halve from one to the next, got strides {reductions}; choose another backbone"
            )
        self.backbone = backbone
        without_skip = finest.bit_length() - 1
        skips = [*reversed(backbone.channels[:-1]), *[0] * without_skip]
        widths = decoder_widths(len(skips))
        entering: Sequence[int] = [backbone.channels[-1], *widths[:-1]]
        self.decoder = nn.ModuleList(map(UpBlock, entering, skips, widths))
        self.score = nn.Conv2d(widths[-1], outputs, 1)
        for module in self.decoder.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # §3: N(0, √(2/N))

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b outputs H W"]:
        """Score each pixel."""
        *skips, x = self.backbone(images)
        for block in self.decoder:
            x = block(x, skips.pop() if skips else None)
        logits: Tensor = self.score(x)
        return logits
