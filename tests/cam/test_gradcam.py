"""Grad-CAM++ against the paper's own formula with derivatives of Y = exp(S) taken by autograd."""

import numpy as np
import pytest
import torch

from seedbed.cam.gradcam import gradcam_plus_plus, min_max, network_gradcams
from seedbed.cam.inference import multi_scale_cams
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork

PLAIN = {"mean": (0.5,) * 3, "std": (0.25,) * 3}


def by_derivatives(score, activations):
    """Eq. 5, 7, 10: first, second and third derivative of exp(S) by each A_ij, one at a time."""
    flat = activations.flatten().double().requires_grad_()
    y = score(flat.reshape(activations.shape)).exp()
    (first,) = torch.autograd.grad(y, flat, create_graph=True)
    second, third = torch.zeros_like(flat), torch.zeros_like(flat)
    for i in range(len(flat)):
        (row,) = torch.autograd.grad(first[i], flat, create_graph=True)
        second[i] = row[i]
        third[i] = torch.autograd.grad(row[i], flat, retain_graph=True)[0][i]
    shape = activations.shape
    g1, g2, g3 = (d.detach().reshape(shape) for d in (first, second, third))
    alpha = g2 / (2 * g2 + activations.double().sum((1, 2), keepdim=True) * g3)
    alpha[g1 == 0] = 0
    weights = (alpha * g1.clamp(min=0)).sum((1, 2))
    return (weights[:, None, None] * activations.double()).sum(0).clamp(min=0)


def scaled(one):
    return (one - one.min()) / (one.max() - one.min())


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_papers_derivatives(seed):
    generator = torch.Generator().manual_seed(seed)
    activations = torch.rand(3, 2, 3, generator=generator)
    head = torch.randn(2, 3, 2, 3, generator=generator)
    maps = gradcam_plus_plus(activations, head, epsilon=0.0)
    for c in range(2):
        expected = by_derivatives(lambda a, c=c: (a * head[c].double()).sum(), activations)
        torch.testing.assert_close(scaled(maps[c].double()), scaled(expected), atol=1e-5, rtol=1e-5)


def test_by_hand():
    """Two channels of one cell each. g = (1, -1): alpha = 1 / (2 + 3) for the first, ReLU(g) = 0 for the second."""
    maps = gradcam_plus_plus(
        torch.tensor([[[3.0]], [[5.0]]]), torch.tensor([[[[1.0]], [[-1.0]]]]), epsilon=0.0
    )
    assert maps.item() == pytest.approx(3 / 5)


def test_no_gradient_no_weight():
    """0/0 in alpha counts as 0."""
    maps = gradcam_plus_plus(torch.ones(1, 2, 2), torch.zeros(1, 1, 2, 2), epsilon=0.0)
    assert maps.tolist() == [[[0, 0], [0, 0]]]


def test_min_max():
    maps = min_max(torch.tensor([[[1.0, 3.0], [2.0, 1.0]], [[4.0, 4.0], [4.0, 4.0]]]))
    torch.testing.assert_close(maps, torch.tensor([[[0, 1], [0.5, 0]], [[0, 0], [0, 0.0]]]))


@pytest.fixture
def network():
    return CamNetwork(build_backbone("resnet18", 32), 4, generator=torch.Generator().manual_seed(0)).eval()


def test_all_classes_of_an_image_come_from_one_pass(network):
    calls = []
    network.backbone.register_forward_hook(lambda *_: calls.append("forward"))
    network.backbone.body.conv1.weight.register_hook(lambda *_: calls.append("backward"))
    pixels = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    maps = network_gradcams(network, pixels, torch.tensor([2, 0]))
    assert calls == ["forward"]
    assert maps.shape == (2, 2, 3)
    for row, c in enumerate((2, 0)):
        torch.testing.assert_close(maps[row], network_gradcams(network, pixels, torch.tensor([c]))[0])


def test_whole_network_equals_the_papers_derivatives(network):
    """By the last feature map, of the class logit as the network itself gives it; the rest is the oracle's."""
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.head.weight.mul_(30)  # so that 1e-6 in the denominator does not matter
        features = network.backbone(pixels)[-1][0]
    head = network.head.weight.detach().double()
    expected = by_derivatives(
        lambda a: torch.nn.functional.conv2d(a[None], head).mean((2, 3))[0, 1], features
    )
    found = network_gradcams(network, pixels, torch.tensor([1]))[0]
    torch.testing.assert_close(scaled(found.double()), scaled(expected), atol=1e-4, rtol=1e-4)


def test_sizes_give_squares_in_zero_to_one(network):
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    cams = multi_scale_cams(network, image, [1, 3], **PLAIN, sizes=(64, 96), form="gradcam++", flip=False)
    assert [m.shape for m in cams.maps] == [(2, 2, 2), (2, 3, 3)]
    for maps in cams.maps:
        assert maps.min() == 0
        assert maps.max() == pytest.approx(1, abs=1e-3)
    plain = multi_scale_cams(network, image, [1], **PLAIN, sizes=(64,), flip=False)
    assert plain.maps[0].shape == (1, 2, 2)


def test_mirrored_half_is_added(network):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    settings = PLAIN | {"scales": (1.0,), "form": "gradcam++"}
    both = multi_scale_cams(network, image, [0], **settings, keep_flips=True)
    alone = multi_scale_cams(network, image, [0], **settings, flip=False)
    np.testing.assert_allclose(both.maps[0], alone.maps[0] + both.flips[0], atol=1e-6)


def test_unknown_class(network):
    image = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="expected classes from 0 to 3, got 4; the network has 4 classes"):
        multi_scale_cams(network, image, [4], **PLAIN, form="gradcam++")
