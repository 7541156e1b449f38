"""SEAM's pixel correlation module against double loops, and the network around it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.networks import pixel_correlation
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.pixel_correlation import EPSILON, PixelCorrelation, competing_cams, correlate
from seedbed.networks.pixel_network import PixelNetwork


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def slow_correlate(cams, features):
    """Eq. by eq., pixel by pixel, on one image."""
    outputs, h, w = cams.shape
    places = [(y, x) for y in range(h) for x in range(w)]
    result = torch.zeros_like(cams)
    for i in places:
        weights = {}
        for j in places:
            u, v = (features[:, y, x] for y, x in (i, j))
            lengths = (math.sqrt(float((a * a).sum())) + EPSILON for a in (u, v))
            weights[j] = max(float(u @ v) / math.prod(lengths), 0.0)
        total = sum(weights.values()) + EPSILON
        for k in range(outputs):
            result[(k, *i)] = sum(weights[j] * float(cams[(k, *j)]) for j in places) / total
    return result


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_correlation_is_the_double_loop(seed, h, w, outputs):
    cams, features = random(2, outputs, h, w, seed=seed), random(2, 5, h, w, seed=seed + 1)
    found = correlate(cams, features)
    for image in range(2):
        torch.testing.assert_close(
            found[image], slow_correlate(cams[image], features[image]), atol=1e-5, rtol=1e-4
        )


def test_parts_of_a_large_map_give_what_the_whole_gives(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    cams, features = (torch.rand(2, n, 5, 7, generator=generator) for n in (4, 3))
    whole = correlate(cams, features)
    monkeypatch.setattr(pixel_correlation, "MOST_WEIGHTS", 3 * 35)
    with torch.no_grad():
        torch.testing.assert_close(correlate(cams, features), whole)


def test_alike_pixels_share_their_scores_and_opposite_ones_do_not():
    """Two pixels in direction (1, 0), one in (-1, 0), whose similarity -1 is cut to 0."""
    features = torch.tensor([[[[1.0, 3.0, -2.0]], [[0.0, 0.0, 0.0]]]])
    found = correlate(torch.tensor([[[[1.0, 0.0, 0.5]]]]), features)
    torch.testing.assert_close(found, torch.tensor([[[[0.5, 0.5, 0.5]]]]), atol=1e-4, rtol=0)


def test_pixels_without_features_are_not_nan():
    features = torch.zeros(1, 2, 2, 2, requires_grad=True)
    found = correlate(torch.ones(1, 3, 2, 2), features)
    found.sum().backward()
    assert found.isfinite().all()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_classes_compete_for_each_pixel():
    """Maxima 4 and 2; shares of them, of which the larger stays, and background is the rest."""
    logits = torch.tensor([[[[4.0, 2.0, -1.0, 0.5]], [[1.0, 2.0, -3.0, 1.0]]]])
    expected = torch.tensor([[[[0, 0, 1, 0.5]], [[1, 0, 0, 0]], [[0, 1, 0, 0.5]]]])
    torch.testing.assert_close(competing_cams(logits), expected, atol=1e-4, rtol=0)


def test_a_map_without_activation_leaves_background():
    found = competing_cams(torch.full((2, 3, 2, 2), -1.0))
    assert (found[:, 0] == 1).all()
    assert (found[:, 1:] == 0).all()


def test_nothing_flows_back_into_class_maps_and_features():
    module = PixelCorrelation((8, 16))
    logits, images = random(1, 3, 4, 4).requires_grad_(), random(1, 3, 32, 32)
    maps = [random(1, 8, 8, 8).requires_grad_(), random(1, 16, 4, 4).requires_grad_()]
    module(images, maps, logits).sum().backward()
    assert logits.grad is None
    assert [x.grad for x in maps] == [None, None]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_inputs_are_aligned_at_their_corners():
    """Identity projections and mixing: on the grid of 2 x 2 cells stand the image's and the map's corner pixels."""
    module = PixelCorrelation((32,))
    seen = []
    module.mixing = torch.nn.Identity()
    module.mixing.forward = lambda x: seen.append(x) or x
    with torch.no_grad():
        module.projections[0].weight.copy_(torch.eye(32)[:, :, None, None])
    images, features = random(1, 3, 9, 7), random(1, 32, 5, 4, seed=1)
    module(images, [features], random(1, 2, 2, 2))
    torch.testing.assert_close(seen[0][:, :3], images[:, :, ::8, ::6])
    torch.testing.assert_close(seen[0][:, 3:], features[:, :, ::4, ::3].relu())


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vit", "resnet18"])
def test_any_backbone_has_what_the_network_reads(name):
    backbone = build_backbone(name, 16, conv_head=False)
    network = PixelNetwork(backbone, 4, correlation=True, embedding_width=6).eval()
    output = network(random(2, 3, 64, 48))
    h, w = output.cam_logits.shape[2:]
    assert output.refined_cams.shape == (2, 5, h, w)
    assert output.embeddings.shape == (2, 6, h, w)
    assert output.embeddings.min() >= 0
    assert output.refined_cams.min() >= -1e-6
    assert output.refined_cams.max() <= 1


@pytest.mark.parametrize("adaptation_channels", [0, 5])
def test_scores_are_those_of_a_cam_network(adaptation_channels):
    """The same head behind the same convolution, if any; and the published widths 64, 128, 192 of Wide-ResNet-38."""
    backbone = build_backbone("test_resnet", 16)
    generator = torch.Generator().manual_seed(3)
    options = {"adaptation_channels": adaptation_channels}
    plain = CamNetwork(backbone, 4, generator=torch.Generator().manual_seed(3), **options).eval()
    options |= {"correlation": False, "embedding_width": 6, "generator": generator}
    network = PixelNetwork(backbone, 4, **options).eval()
    images = random(1, 3, 32, 32)
    torch.testing.assert_close(network(images).cam_logits, plain(images).cam_logits)
    assert network(images).refined_cams is None
    assert network(images).embeddings.shape[1] == 6
    module = PixelCorrelation((512, 1024))
    assert [p.out_channels for p in module.projections] == [64, 128]
    assert (module.mixing.in_channels, module.mixing.out_channels) == (195, 192)


def test_a_backbone_of_one_map_is_refused():
    backbone = build_backbone("test_resnet", 16)
    del backbone.channels[:-1]
    with pytest.raises(ValueError, match="expected a backbone of at least two feature maps"):
        PixelNetwork(backbone, 4, correlation=True, embedding_width=0)
