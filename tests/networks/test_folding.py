"""Batch norm folded into convolutions: the same result, and only where a convolution's result is read by it alone."""

import pytest
import torch
from torch import nn

from seedbed.networks.architectures import SEGMENTERS
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.folding import fold_batch_norm
from seedbed.networks.memory_format import channels_last
from seedbed.networks.segmenters import build_segmenter

TOLERANCE = 1e-5
BACKBONES = {
    # One of each family that recipes use; batch norms that are folded, of how many.
    "tf_efficientnet_lite0": (48, 48),
    "resnet18": (20, 20),
    "resnest14d": (23, 23),
    "wide_resnet38": (20, 37),
    "mobilenetv3_small_050": (34, 34),
    "convnext_atto": (0, 0),
}


def with_statistics(network: nn.Module) -> nn.Module:
    """As if it had been trained: batch norm that does not leave its input as it is."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
    return network.eval()


def images(height=64, width=48):
    return torch.randn((2, 3, height, width), generator=torch.Generator().manual_seed(2))


def assert_near(found, expected):
    assert float((found - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())


@pytest.mark.parametrize("name", BACKBONES)
@torch.no_grad()
def test_a_backbone_gives_the_same_maps(name):
    network = with_statistics(CamNetwork(build_backbone(name, 32), 3))
    expected = [one.clone() for one in network.backbone(images())]
    scores = network(images()).cam_logits
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert (fold_batch_norm(network), norms) == BACKBONES[name]
    assert fold_batch_norm(network) == 0, "folded twice"
    channels_last(network)
    ordered = images().contiguous(memory_format=torch.channels_last)
    for found, before in zip(network.backbone(ordered), expected, strict=True):
        assert_near(found, before)
    assert_near(network(ordered).cam_logits, scores)


@pytest.mark.parametrize("architecture", SEGMENTERS)
@torch.no_grad()
def test_a_segmenter_gives_the_same_logits(architecture):
    network = with_statistics(build_segmenter(architecture, "resnet10t", 4))
    expected = network(images())
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert fold_batch_norm(network) == norms > 0
    assert_near(network(images()), expected)


class Reading(nn.Module):
    """A convolution, and a batch norm that reads it or something near it."""

    def __init__(self, read):
        super().__init__()
        self.convolution, self.norm, self.read = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), read

    def forward(self, x):
        return self.read(self.convolution, self.norm, x)


READERS = {
    "alone": (lambda convolution, norm, x: norm(convolution(x)), 1),
    "behind an activation": (lambda convolution, norm, x: norm(convolution(x).relu()), 0),
    "beside another": (lambda convolution, norm, x: sum((y := convolution(x), norm(y))), 0),
    "a convolution called twice": (lambda convolution, norm, x: norm(convolution(x)) + convolution(-x), 0),
    "a batch norm called twice": (lambda convolution, norm, x: norm(norm(convolution(x))), 0),
}


@pytest.mark.parametrize("name", READERS)
@torch.no_grad()
def test_only_a_batch_norm_that_alone_reads_a_convolution_is_folded(name):
    read, folded = READERS[name]
    network = with_statistics(Reading(read))
    state, expected = {k: v.clone() for k, v in network.state_dict().items()}, network(images())
    assert fold_batch_norm(network) == folded
    assert_near(network(images()), expected)
    if not folded:
        assert torch.equal(network(images()), expected)
        assert all(torch.equal(value, state[k]) for k, value in network.state_dict().items())


@torch.no_grad()
def test_one_channel_by_hand():
    """w = 2, b = 1; (y − 3) / √(4 − ε + ε) · 5 + 7 for y = 2x + 1 is 5x + 2."""
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1)).eval()
    convolution, norm = network
    convolution.weight.fill_(2)
    convolution.bias.fill_(1)
    norm.running_mean.fill_(3)
    norm.running_var.fill_(4 - norm.eps)
    norm.weight.fill_(5)
    norm.bias.fill_(7)
    assert fold_batch_norm(network) == 1
    torch.testing.assert_close(convolution.weight.flatten(), torch.full((3,), 5.0))
    torch.testing.assert_close(convolution.bias, torch.tensor([2.0]))


def test_a_network_in_training_mode_is_refused():
    with pytest.raises(ValueError, match="expected a network in evaluation mode"):
        fold_batch_norm(nn.BatchNorm2d(3))
