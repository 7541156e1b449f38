"""U-Net's decoders, by hand on tiny maps."""

import pytest
import torch
from torch import nn

from seedbed.networks.backbones import Backbone
from seedbed.networks.unet import TransposedUNet, UNetDecoder, UpBlock, decoder_widths


class Maps(Backbone):
    """A backbone that averages over cells of each stride."""

    def __init__(self, reductions):
        nn.Module.__init__(self)
        self.reductions = reductions
        self.channels = [3] * len(reductions)

    def forward(self, images):
        return [nn.functional.avg_pool2d(images, stride) for stride in self.reductions]


def test_widths_are_halved_down_to_sixteen():
    assert decoder_widths(6) == [256, 128, 64, 32, 16, 16]


def test_a_block_doubles_by_a_transposed_convolution_by_hand():
    """One channel, no skip, 3x3 kernels of 1 at the centre: what is left is x times the 2x2 kernel, then ReLU."""
    block = UpBlock(1, 0, 1).eval()
    with torch.no_grad():
        block.enlarge.weight.copy_(torch.tensor([[[[1.0, 2.0], [3.0, -4.0]]]]))
        block.enlarge.bias.zero_()
        for convolution in (block.convolve[0], block.convolve[3]):
            convolution.weight.zero_()[0, 0, 1, 1] = 1
        found = block(torch.tensor([[[[1.0, 10.0]]]]), None)
    expected = torch.tensor([[1.0, 2.0, 10.0, 20.0], [3.0, 0.0, 30.0, 0.0]])
    torch.testing.assert_close(found[0, 0], expected, rtol=1e-4, atol=0)  # batch norm divides by √(1 + 1e-5)


@pytest.mark.parametrize(
    ("factor", "expected"),
    [(2, [[1.0, 3.25, 7.75, 10.0]] * 2), (1, [[1.0, 10.0]])],
)
def test_a_block_doubles_bilinearly_or_keeps_the_size_by_hand(factor, expected):
    """Cells lie at 0.5 and 1.5; the new ones at 0.25, 0.75, 1.25, 1.75, the outer of which are clamped."""
    block = UpBlock(1, 0, 1, "bilinear", factor).eval()
    assert not list(block.enlarge.parameters())
    with torch.no_grad():
        for convolution in (block.convolve[0], block.convolve[3]):
            convolution.weight.zero_()[0, 0, 1, 1] = 1
        found = block(torch.tensor([[[[1.0, 10.0]]]]), None)
    torch.testing.assert_close(found[0, 0], torch.tensor(expected), rtol=1e-4, atol=0)


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
def test_a_dilated_backbones_maps_are_all_used(upsampling):
    """Strides 2, 4, 4: the last map is as large as the one before."""
    maps = [torch.rand(1, 3, size, size, requires_grad=True) for size in (8, 4, 4)]
    decoder = UNetDecoder([3, 3, 3], [2, 4, 4], 2, upsampling).eval()
    logits = decoder.decode(maps)
    assert logits.shape == (1, 2, 16, 16)
    logits.square().sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in maps)


@pytest.mark.parametrize("reductions", [[2, 4, 8], [4, 8], [1, 2]])
def test_logits_have_the_images_size_whatever_the_finest_map(reductions):
    network = TransposedUNet(Maps(reductions), 5).eval()
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 5, 16, 24)


def test_each_map_of_the_backbone_is_used():
    maps = [torch.rand(1, 3, size, size, requires_grad=True) for size in (8, 4, 2)]
    network = TransposedUNet(Maps([2, 4, 8]), 2)
    network.backbone.forward = lambda images: maps
    network(torch.zeros(1, 3, 16, 16)).square().sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in maps)


@pytest.mark.parametrize("reductions", [[16, 16], [3, 6], [2, 8]])
def test_maps_that_do_not_halve_are_refused(reductions):
    with pytest.raises(ValueError, match="expected maps that halve from one to the next, got strides"):
        TransposedUNet(Maps(reductions), 2)


@pytest.mark.parametrize("reductions", [[2, 8], [3, 6], [4, 2]])
def test_maps_that_neither_halve_nor_stay_as_large_are_refused(reductions):
    with pytest.raises(ValueError, match="expected maps that halve or stay as large from one to the next"):
        UNetDecoder([3, 3], reductions, 2)
