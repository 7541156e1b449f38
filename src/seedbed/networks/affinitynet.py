"""AffinityNet in its two published forms.

`AffinityNet`: the distance of features (Ahn & Kwak 2018, §3.2, eq. 1; the released code takes the mean, not
the sum, of |f_i − f_j| over channels). `EdgeAffinityNet`: the strongest edge on the path from one pixel to the
other (Ahn, Cho & Kwak 2019, §4, eq. 3), which Puzzle-CAM and P-NOC use too, without IRN's displacement branch.

Affinities are (offset, y, x) at the grid's own size: entry [k, y, x] belongs to the pixels (y, x) and
(y + dy, x + dx) of the k-th offset, and is 0 where the second one lies outside the grid.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import elu, interpolate, pad

EDGE_STRIDE = 4
EDGE_WIDTH = 32
NARROWEST, WIDEST = 32, 256
Window = tuple[slice, slice]


def projection_width(channels: int) -> int:
    """Width of the 1×1 projection of a feature map: an eighth, between 32 and 256.

    PSA's 512 → 64, 1024 → 128 and 4096 → 256 on Wide-ResNet-38 follow this rule.
    """
    return min(max(channels // 8, NARROWEST), WIDEST)


class AffinityNet(nn.Module):
    """Features whose distance is the affinity of two pixels.

    Args:
        backbone: returns a list of feature maps (timm's `features_only`), finest first; it is trained too.
        channels: channels of each map.
        mixing_gain: gain of the mixing convolution's initialisation. The published 4 suits maps that follow batch norm
            and ReLU; on maps with a larger spread all affinities start near 0.

    The maps are projected by 1×1 convolutions, ELU, brought to the size of the finest, concatenated, and
    mixed by a 1×1 convolution and ELU. If the strides begin at 8, the grid has ⌈H/8⌉ × ⌈W/8⌉ points.
    """

    def __init__(self, backbone: nn.Module, channels: Sequence[int], mixing_gain: float = 4.0) -> None:
        super().__init__()
        widths = [projection_width(count) for count in channels]
        self.backbone = backbone
        projections = [
            nn.Conv2d(count, width, 1, bias=False) for count, width in zip(channels, widths, strict=True)
        ]
        self.projections = nn.ModuleList(projections)
        self.mixing = nn.Conv2d(sum(widths), sum(widths), 1, bias=False)
        for projection in projections:
            nn.init.kaiming_normal_(projection.weight)
        nn.init.xavier_uniform_(self.mixing.weight, gain=mixing_gain)

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b ch h w"]:
        """Features for `feature_affinity`.

        Raises:
            ValueError: the backbone returns a number of maps that differs from the number of `channels`.
        """
        maps = _checked(self.backbone(images), len(self.projections))
        size = maps[0].shape[2:]
        projected = [
            _resized(elu(project(x)), size) for project, x in zip(self.projections, maps, strict=True)
        ]
        return elu(self.mixing(torch.cat(projected, dim=1)))


class EdgeAffinityNet(nn.Module):
    """Edge map on a grid of stride 4, from the features of a frozen backbone.

    Args:
        backbone: returns a list of feature maps; it stays in evaluation mode and receives no gradient.
        channels: channels of each map.
    """

    def __init__(self, backbone: nn.Module, channels: Sequence[int]) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(count, EDGE_WIDTH, 1, bias=False), nn.GroupNorm(4, EDGE_WIDTH))
            for count in channels
        )
        self.fusion = nn.Conv2d(EDGE_WIDTH * len(channels), 1, 1)

    def train(self, mode: bool = True) -> "EdgeAffinityNet":
        """Training mode for the heads only."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Float[Tensor, "b 3 H W"]) -> Float[Tensor, "b h w"]:
        """Logits of the edge map, h = ⌈H/4⌉; views are averaged before the sigmoid.

        Raises:
            ValueError: the backbone returns a number of maps that differs from the number of `channels`.
        """
        with torch.no_grad():
            maps = _checked(self.backbone(images), len(self.heads))
        size = [(length - 1) // EDGE_STRIDE + 1 for length in images.shape[2:]]
        heads = [_resized(head(x), size).relu() for head, x in zip(self.heads, maps, strict=True)]
        logits: Tensor = self.fusion(torch.cat(heads, dim=1))
        return logits[:, 0]


def feature_affinity(
    features: Float[Tensor, "b ch h w"], offsets: Sequence[tuple[int, int]]
) -> Float[Tensor, "b n h w"]:
    """exp(−mean over channels of |f_i − f_j|), in (0, 1]; 0 where pixel j lies outside.

    Args:
        features: output of `AffinityNet`.
        offsets: (dy, dx) from i to j, dy ≥ 0.
    """
    affinity: Tensor = _FeatureAffinity.apply(features, offsets)
    return affinity


class _FeatureAffinity(torch.autograd.Function):
    """Keeps features and affinities for the gradient, and computes the differences again.

    Autograd would keep the differences of every offset, and fill two whole maps per offset in the backward pass
    (`python benchmarks/feature_affinity.py`).
    """

    @staticmethod
    def forward(
        ctx: Any, features: Float[Tensor, "b ch h w"], offsets: Sequence[tuple[int, int]]
    ) -> Float[Tensor, "b n h w"]:
        h, w = features.shape[2:]
        planes = []
        for offset in offsets:
            first, second = _windows((h, w), offset)
            distance = torch.sub(features[..., *first], features[..., *second]).abs_().mean(dim=1)
            rows, columns = first
            planes.append(
                pad((-distance).exp(), (columns.start, w - columns.stop, rows.start, h - rows.stop))
            )
        affinity = torch.stack(planes, dim=1)
        ctx.save_for_backward(features, affinity)
        ctx.offsets = tuple(offsets)
        return affinity

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "b n h w"]) -> tuple[Float[Tensor, "b ch h w"], None]:
        features, affinity = ctx.saved_tensors
        exact = torch.promote_types(features.dtype, torch.float32)
        values = features.to(exact)
        found = torch.zeros_like(values)
        slopes = gradient.to(exact) * affinity.to(exact) / -values.shape[1]
        h, w = values.shape[2:]
        for k, offset in enumerate(ctx.offsets):
            first, second = _windows((h, w), offset)
            part = torch.sub(values[..., *first], values[..., *second]).sgn_()
            part.mul_(slopes[:, k : k + 1, *first])
            found[..., *first].add_(part)
            found[..., *second].sub_(part)
        return found.to(features.dtype), None


def _windows(size: tuple[int, int], offset: tuple[int, int]) -> tuple[Window, Window]:
    """Rows and columns of the first and of the second pixels of an offset's pairs on the grid."""
    (h, w), (dy, dx) = size, offset
    bottom, left = max(h - dy, 0), min(max(0, -dx), w)
    right = max(min(w, w - dx), left)
    return (slice(0, bottom), slice(left, right)), (slice(dy, dy + bottom), slice(left + dx, right + dx))


def straight_path(offset: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Pixels (dy, dx) on the straight path from (0, 0) to `offset`, both ends included.

    As in IRN: the pixels of the rectangle between the ends whose centres lie less than 1 pixel from the line.

    Raises:
        ValueError: an offset of (0, 0).
    """
    end_y, end_x = offset
    length = end_y * end_y + end_x * end_x
    if length == 0:
        raise ValueError("expected an offset to another pixel, got (0, 0); the diagonal needs no path")
    rows, columns = (range(min(0, end), max(0, end) + 1) for end in offset)
    on_line = [(y, x) for y in rows for x in columns if (end_y * x - end_x * y) ** 2 < length]
    return tuple(sorted(on_line, key=lambda point: (abs(point[0]) + abs(point[1]), point)))


def edge_affinity(
    edge: Float[Tensor, "b h w"], paths: Sequence[Sequence[tuple[int, int]]]
) -> Float[Tensor, "b n h w"]:
    """1 − the largest edge on the path; 0 where the path leaves the grid, as if a wall surrounded it.

    Args:
        edge: probabilities, the sigmoid of `EdgeAffinityNet`'s logits.
        paths: pixels of each path relative to its first, for instance `straight_path` of each offset.
    """
    _, h, w = edge.shape
    reach_y = max(abs(y) for path in paths for y, _ in path)
    reach_x = max(abs(x) for path in paths for _, x in path)
    walled = pad(edge, (reach_x, reach_x, reach_y, reach_y), value=1.0)
    planes = []
    for path in paths:
        points = [walled[:, reach_y + y : reach_y + y + h, reach_x + x : reach_x + x + w] for y, x in path]
        # `max` keeps one index per pair for the gradient; `amax` would keep all points of all paths.
        planes.append(1 - torch.stack(points, dim=1).max(dim=1).values)
    return torch.stack(planes, dim=1)


def _checked(maps: Sequence[Tensor], expected: int) -> Sequence[Tensor]:
    if len(maps) != expected:
        raise ValueError(
            f"expected a backbone that returns {expected} feature maps, got {len(maps)}; "
            "name the channels of each map that it returns"
        )
    return maps


def _resized(features: Tensor, size: Sequence[int]) -> Tensor:
    if list(features.shape[2:]) == list(size):
        return features
    return interpolate(features, size=list(size), mode="bilinear", align_corners=False)
