"""Images of ever new sizes on a GPU: contiguous, and without cuDNN where convolutions are depthwise."""

import pytest
import torch
from torch import nn

from seedbed.networks.memory_format import channels_last, expect_new_sizes


class Watched(nn.Module):
    """Says of each call whether its images were contiguous and whether cuDNN might be used."""

    def __init__(self, groups):
        super().__init__()
        self.backbone = nn.Conv2d(4, 4, 3, groups=groups)
        self.seen = []

    def forward(self, images, factor=1):
        self.seen.append((images.is_contiguous(), torch.backends.cudnn.enabled))
        return factor * self.backbone(images)


@pytest.mark.parametrize(("groups", "cudnn"), [(4, False), (1, True), (2, True)])
def test_new_sizes(groups, cudnn):
    network = Watched(groups).eval()
    images = torch.randn(2, 4, 9, 7).contiguous(memory_format=torch.channels_last)
    before = network(images)
    channels_last(network)
    expect_new_sizes(network, network.backbone)
    assert torch.allclose(network(images), before, atol=1e-6)
    assert network.seen == [(False, True), (True, cudnn)]
    assert network.backbone.weight.is_contiguous()
    assert torch.equal(network.backbone(images), network(images))
    assert torch.equal(network(images, factor=2), 2 * network(images))
    assert torch.backends.cudnn.enabled


def test_cudnn_comes_back_after_an_error():
    network = Watched(4)
    expect_new_sizes(network)
    with pytest.raises(RuntimeError):
        network(torch.randn(1, 3, 9, 7))
    assert torch.backends.cudnn.enabled
