"""Affinities by hand on grids of a few pixels; the networks on small backbones of plain convolutions."""

from math import exp

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import pad

from seedbed.networks.affinitynet import (
    AffinityNet,
    EdgeAffinityNet,
    edge_affinity,
    feature_affinity,
    projection_width,
    straight_path,
)
from seedbed.refine.affinity_labels import pair_offsets


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


def affinity_by_autograd(features, offsets):
    """The definition, with autograd's gradient."""
    _, _, h, w = features.shape
    planes = []
    for dy, dx in offsets:
        top, left = max(h - dy, 0), min(max(0, -dx), w)
        right = max(min(w, w - dx), left)
        here = features[:, :, :top, left:right]
        there = features[:, :, dy : dy + top, left + dx : right + dx]
        affinity = (-(here - there).abs().mean(dim=1)).exp()
        planes.append(pad(affinity, (left, w - right, 0, h - top)))
    return torch.stack(planes, dim=1)


def value_and_gradient(function, features, offsets):
    """Affinities, and the gradient of their sum with weights that depend on their shape alone."""
    leaf = features.detach().requires_grad_()
    affinity = function(leaf, offsets)
    weights = torch.randn(affinity.shape, generator=torch.Generator().manual_seed(1))
    (affinity.float() * weights).sum().backward()
    return affinity.detach(), leaf.grad


LEAVING = ((0, 1), (0, 4), (0, 5), (0, 9), (1, -3), (2, 2), (3, 0), (6, 1), (7, 0), (9, 0), (2, -5), (2, -9))
"""Offsets on a grid of 7 × 5; with some, no pair is left."""


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("offsets", [LEAVING, pair_offsets(5)], ids=["leaving", "radius 5"])
def test_gradient_of_feature_affinity_is_that_of_autograd(memory_format, offsets):
    features = torch.randn(2, 6, 7, 5).contiguous(memory_format=memory_format)
    features[:, :, 3, 2] = features[:, :, 3, 3]  # ties, which have no gradient
    expected, expected_gradient = value_and_gradient(affinity_by_autograd, features, offsets)
    found, gradient = value_and_gradient(feature_affinity, features, offsets)
    assert torch.equal(found, expected)
    assert torch.allclose(gradient, expected_gradient, rtol=1e-5, atol=1e-6)
    assert gradient.abs().sum() > 0
    assert gradient.is_contiguous(memory_format=memory_format)


@settings(deadline=None, max_examples=50)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6)),
    offsets=st.lists(st.tuples(st.integers(0, 7), st.integers(-7, 7)), min_size=1, max_size=6),
    last=st.booleans(),
)
def test_gradient_of_feature_affinity_on_any_grid(shape, offsets, last):
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    if last:
        features = features.contiguous(memory_format=torch.channels_last)
    expected, expected_gradient = value_and_gradient(affinity_by_autograd, features, offsets)
    found, gradient = value_and_gradient(feature_affinity, features, offsets)
    assert torch.equal(found, expected)
    assert torch.allclose(gradient, expected_gradient, rtol=1e-5, atol=1e-6)


def test_gradient_of_feature_affinity_is_that_of_small_differences():
    # All values differ by at least 0.1, so none crosses another.
    values = torch.randperm(2 * 3 * 4 * 3).double().reshape(2, 3, 4, 3) / 10
    features = values.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: feature_affinity(x, pair_offsets(3)), features)


def test_gradient_of_feature_affinity_under_autocast():
    features = torch.randn(2, 32, 7, 5)
    _, exact = value_and_gradient(affinity_by_autograd, features.bfloat16().float(), pair_offsets(5))
    with torch.autocast("cpu", torch.bfloat16):
        expected, theirs = value_and_gradient(affinity_by_autograd, features.bfloat16(), pair_offsets(5))
        found, gradient = value_and_gradient(feature_affinity, features.bfloat16(), pair_offsets(5))
        of_float32, _ = value_and_gradient(feature_affinity, features, pair_offsets(5))
    assert found.dtype == expected.dtype == gradient.dtype == torch.bfloat16
    assert of_float32.dtype == torch.float32
    assert torch.equal(found, expected)
    scale = exact.abs().max()
    assert (gradient - exact).abs().max() < 0.01 * scale
    # Sums in float32: nearer than autograd's in bf16.
    assert (gradient - exact).abs().mean() < (theirs - exact).abs().mean()


def test_feature_affinity_keeps_features_and_affinities_alone():
    kept = []
    features = torch.randn(1, 4, 6, 7, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.shape) or x, lambda x: x):
        affinity = feature_affinity(features, pair_offsets(3))
    assert kept == [features.shape, affinity.shape]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_feature_affinity_without_a_gradient(mode):
    kept = []
    with mode(), torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        features = torch.randn(1, 4, 6, 7, requires_grad=mode is torch.no_grad)
        affinity = feature_affinity(features, pair_offsets(3))
    assert affinity.grad_fn is None
    assert not affinity.requires_grad
    assert kept == []


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
