"""Affinities by hand on grids of a few pixels; the networks on small backbones of plain convolutions."""

from math import exp

import pytest
import torch
from torch import nn

from seedbed.networks.affinitynet import (
    AffinityNet,
    EdgeAffinityNet,
    edge_affinity,
    feature_affinity,
    projection_width,
    straight_path,
)


class Backbone(nn.Module):
    """Feature maps at strides 4, 8 and 16."""

    channels = (8, 16, 32)

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(
            [nn.Conv2d(3, 8, 4, 4, padding=2), nn.Conv2d(8, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1)]
        )
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images):
        maps = [self.norm(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def test_feature_affinity_by_hand():
    # Two channels; pixels (0,0), (0,1), (1,0), (1,1) with features (0,0), (1,3), (0,2), (4,4).
    features = torch.tensor([[[[0.0, 1.0], [0.0, 4.0]], [[0.0, 3.0], [2.0, 4.0]]]])
    affinity = feature_affinity(features, ((0, 1), (1, 0), (1, -1), (2, 0)))
    expected = torch.tensor(
        [
            [[exp(-2), 0.0], [exp(-3), 0.0]],  # mean(1, 3), mean(4, 2)
            [[exp(-1), exp(-2)], [0.0, 0.0]],  # mean(0, 2), mean(3, 1)
            [[0.0, exp(-1)], [0.0, 0.0]],  # (0,1) and (1,0): mean(1, 1)
            [[0.0, 0.0], [0.0, 0.0]],
        ]
    )
    assert torch.allclose(affinity[0], expected)


def test_feature_affinity_of_a_column_has_no_pairs_beside_it():
    affinity = feature_affinity(torch.zeros(1, 2, 3, 1), ((0, 1), (1, 0), (1, -2)))
    assert affinity[0, :, :, 0].tolist() == [[0, 0, 0], [1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("offset", "path"),
    [
        ((0, 3), {(0, 0), (0, 1), (0, 2), (0, 3)}),
        ((2, 0), {(0, 0), (1, 0), (2, 0)}),
        # Distance of (0, 1) and (1, 0) to the diagonal is 1/√2 < 1.
        ((1, 1), {(0, 0), (0, 1), (1, 0), (1, 1)}),
        # Distances to the line: (0, 1) and (2, 0) 2/√5, (1, 0) and (1, 1) 1/√5; all < 1.
        ((2, 1), {(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)}),
        # Distance |y + x|/√2 < 1 where |y + x| ≤ 1.
        ((2, -2), {(0, 0), (0, -1), (1, 0), (1, -1), (1, -2), (2, -1), (2, -2)}),
    ],
)
def test_straight_paths_by_hand(offset, path):
    result = straight_path(offset)
    assert set(result) == path
    assert len(result) == len(path)
    assert result[0] == (0, 0)
    assert result[-1] == offset


def test_path_to_itself():
    with pytest.raises(ValueError, match=r"expected an offset to another pixel, got \(0, 0\)"):
        straight_path((0, 0))


def test_edge_affinity_by_hand():
    edge = torch.tensor([[[0.1, 0.7, 0.2], [0.3, 0.4, 0.6]]])
    affinity = edge_affinity(edge, [straight_path((0, 2)), straight_path((1, 0)), straight_path((1, -1))])
    expected = torch.tensor(
        [
            [[0.3, 0.0, 0.0], [0.4, 0.0, 0.0]],
            [[0.7, 0.3, 0.4], [0.0, 0.0, 0.0]],
            # Both corners beside the diagonal lie on the path.
            [[0.0, 0.3, 0.3], [0.0, 0.0, 0.0]],
        ]
    )
    assert torch.allclose(affinity[0], expected)


@pytest.mark.parametrize(("channels", "width"), [(512, 64), (1024, 128), (4096, 256), (2048, 256), (40, 32)])
def test_widths_of_projections(channels, width):
    assert projection_width(channels) == width


def test_affinitynet_trains_its_backbone_on_the_finest_grid():
    network = AffinityNet(Backbone(), Backbone.channels)
    features = network(torch.rand(2, 3, 37, 50))
    assert features.shape == (2, 3 * 32, 10, 13)
    feature_affinity(features, ((0, 1), (1, 0))).sum().backward()
    assert network.backbone.stages[0].weight.grad.abs().sum() > 0


def test_edge_network_freezes_its_backbone():
    network = EdgeAffinityNet(Backbone(), Backbone.channels).train()
    before = network.backbone.norm.running_mean.clone()
    logits = network(torch.rand(2, 3, 37, 50))
    assert logits.shape == (2, 10, 13)
    logits.sum().backward()
    assert torch.equal(network.backbone.norm.running_mean, before)
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    assert all(parameter.grad is not None for parameter in network.heads.parameters())
    assert network.heads.training


@pytest.mark.parametrize("form", [AffinityNet, EdgeAffinityNet])
def test_number_of_maps_is_checked(form):
    with pytest.raises(ValueError, match="expected a backbone that returns 2 feature maps, got 3"):
        form(Backbone(), (8, 16))(torch.rand(1, 3, 32, 32))
