"""PoolNet (Liu et al. 2019, arXiv:1904.09569, §3): a U-shaped saliency network with two kinds of pooling.

The global guidance module pools the deepest map to 1, 3 and 5 cells a side, and the result guides every level on the
way up. A feature aggregation module at each level adds the map to itself pooled over 2, 4 and 8 cells. The edge branch
of the paper is left out, as those who train it on pseudo masks do (Xie et al. 2022; David et al.).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from seedbed.networks.backbones import Backbone, BatchNormTraining, hold_batch_norm, seeded

PYRAMID = (1, 3, 5)
AGGREGATION = (2, 4, 8)


def resized(
    maps: Float[Tensor, "batch channels _ _"], size: tuple[int, int]
) -> Float[Tensor, "batch channels H W"]:
    """Bilinear; corners aligned, as published."""
    return interpolate(maps, size, mode="bilinear", align_corners=True)


class GlobalGuidance(nn.Module):
    """The deepest map with its own averages over a few large cells (§3.2).

    Args:
        channels: of the map, and of the result.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.pooled = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in PYRAMID)
        self.mix = nn.Conv2d(channels * (1 + len(PYRAMID)), channels, 3, padding=1, bias=False)

    def forward(self, deepest: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        """The guidance, at the size of the map."""
        size = (deepest.shape[2], deepest.shape[3])
        found = [
            resized(convolution(window_means(deepest, cells)).relu(), size)
            for cells, convolution in zip(PYRAMID, self.pooled, strict=True)
        ]
        guidance: Tensor = self.mix(torch.cat([deepest, *found], dim=1)).relu()
        return guidance


def window_means(maps: Float[Tensor, "batch channels h w"], cells: int) -> Tensor:
    """Means of the windows of `adaptive_avg_pool2d`, whose gradient torch cannot repeat bit by bit on CUDA.

    Returns:
        (batch, channels, cells, cells).
    """
    for dim in (2, 3):
        length = maps.shape[dim]
        windows = [(i * length // cells, -(-(i + 1) * length // cells)) for i in range(cells)]
        means = [maps.narrow(dim, first, last - first).mean(dim, keepdim=True) for first, last in windows]
        maps = torch.cat(means, dim)
    return maps


class FeatureAggregation(nn.Module):
    """A map plus itself at three coarser resolutions (§3.3).

    Args:
        channels: of the map, and of the result.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.pooled = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in AGGREGATION
        )

    def forward(self, maps: Float[Tensor, "batch channels h w"]) -> Float[Tensor, "batch channels h w"]:
        """Whatever the size: a window larger than the map averages all of it."""
        size = (maps.shape[2], maps.shape[3])
        total = maps
        for factor, convolution in zip(AGGREGATION, self.pooled, strict=True):
            coarse = avg_pool2d(maps, factor, ceil_mode=True, count_include_pad=False)
            total = total + resized(convolution(coarse), size)
        return total.relu()


class PoolNet(nn.Module):
    """Backbone, guidance, and the way up from the deepest level to the finest.

    Args:
        backbone: any; all its maps are levels.
        width: channels of the finest level; the two above it have twice as many, the deeper ones four times (128 for a
            ResNet-50 of five levels).
        batch_norm: of the backbone, see `hold_batch_norm`; the rest has none.
        rng: seed of the initial weights of all but the backbone.
    """

    def __init__(
        self, backbone: Backbone, *, width: int = 128, batch_norm: BatchNormTraining = "frozen", rng: int = 0
    ):
        super().__init__()
        levels = len(backbone.channels)
        widths = [width * (1 if level == 0 else 2 if level < 3 else 4) for level in range(levels)]
        finer = [widths[max(level - 1, 0)] for level in range(levels)]
        self.backbone = backbone
        self.batch_norm = batch_norm
        with seeded(rng):
            self.laterals = nn.ModuleList(
                nn.Conv2d(channels, out, 1, bias=False)
                for channels, out in zip(backbone.channels, widths, strict=True)
            )
            self.guidance = GlobalGuidance(widths[-1])
            self.guides = nn.ModuleList(
                nn.Conv2d(widths[-1], out, 3, padding=1, bias=False) for out in widths[:-1]
            )
            self.aggregations = nn.ModuleList(FeatureAggregation(out) for out in widths)
            self.reductions = nn.ModuleList(
                nn.Conv2d(own, out, 3, padding=1, bias=False) for own, out in zip(widths, finer, strict=True)
            )
            self.fusions = nn.ModuleList(nn.Conv2d(out, out, 3, padding=1, bias=False) for out in widths[:-1])
            self.score = nn.Conv2d(widths[0], 1, 1)
        self.train()

    def forward(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch 1 H W"]:
        """Logits of each pixel of normalised images of any size."""
        maps = self.backbone(images)
        levels = [lateral(level).relu() for lateral, level in zip(self.laterals, maps, strict=True)]
        guidance = self.guidance(levels[-1])
        x = levels[-1]
        for level in range(len(levels) - 1, 0, -1):
            finer = levels[level - 1]
            size = (finer.shape[2], finer.shape[3])
            x = self.reductions[level](resized(self.aggregations[level](x), size))
            guide = self.guides[level - 1](resized(guidance, size)).relu()
            x = self.fusions[level - 1](x + finer + guide)
        x = self.score(self.reductions[0](self.aggregations[0](x)))
        return resized(x, (images.shape[2], images.shape[3]))

    def saliency_logits(self, images: Float[Tensor, "batch 3 H W"]) -> Float[Tensor, "batch 1 H W"]:
        """The same, by the name that `dump_saliency` asks for."""
        logits: Tensor = self(images)
        return logits

    def train(self, mode: bool = True) -> PoolNet:
        """Switch the training mode; frozen batch norm stays frozen."""
        super().train(mode)
        hold_batch_norm(self.backbone, self.batch_norm)
        return self
