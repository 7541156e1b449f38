"""The backbones of the papers build at their output stride and dilation; large ones on the meta device."""

import pytest
import torch
from torch import nn

from seedbed.networks.backbones import build_backbone

RESNETS = ["resnet18", "resnet50", "resnet101", "resnet152"]
RESNESTS = ["resnest50d", "resnest101e", "resnest200e", "resnest269e"]


def built(name, output_stride, **options):
    with torch.device("meta"):
        backbone = build_backbone(name, output_stride, **options).eval()
        maps = backbone(torch.empty(1, 3, 64, 96))
    assert maps[-1].shape == (1, backbone.channels[-1], 64 // output_stride, 96 // output_stride)
    return backbone


def dilations(backbone):
    """Of the convolutions over 1 x 1, by the first part of their name (layer4, blocks)."""
    found: dict[str, set[int]] = {}
    for name, module in backbone.body.named_modules():
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
            found.setdefault(name.partition(".")[0], set()).add(module.dilation[0])
    return {name: values for name, values in found.items() if values != {1}}


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_of_pnoc(name):
    """Output stride 16, dilation 2 in layer4, from its second 3 x 3 convolution on."""
    backbone = built(name, 16)
    assert dilations(backbone) == {"layer4": {1, 2}}
    assert backbone.channels[-1] == (512 if name == "resnet18" else 2048)


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_of_irn_and_puzzle_cam(name):
    """Output stride 16 without dilation; ISIM's v1 has stride 32."""
    assert dilations(built(name, 16, dilated=False)) == {}
    assert dilations(built(name, 32)) == {}


@pytest.mark.parametrize("name", RESNESTS)
def test_resnests_of_puzzle_cam_pnoc_and_isim(name):
    """Output stride 16, layer4 with stride 1 and dilation 2."""
    assert dilations(built(name, 16)) == {"layer4": {1, 2}}


@pytest.mark.parametrize("name", ["resnet101", "resnest269e"])
def test_output_stride_8(name):
    assert dilations(built(name, 8)) == {"layer3": {1, 2}, "layer4": {2, 4}}


def test_efficientnet_lite0():
    backbone = build_backbone("tf_efficientnet_lite0", 16).eval()
    assert backbone(torch.zeros(1, 3, 64, 64))[-1].shape == (1, 320, 4, 4)
    assert dilations(backbone) == {"blocks": {1, 2}}


def test_without_dilation_the_weights_are_the_same_and_the_maps_differ():
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        one, other = (build_backbone("resnet18", 16, dilated=d).eval() for d in (True, False))
        assert all(
            torch.equal(a, b)
            for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        )
        for module in [*one.modules(), *other.modules()]:
            if isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1)  # timm starts the last one of a block at 0
        first, second = one(pixels), other(pixels)
    assert torch.equal(first[-2], second[-2])
    assert first[-1].shape == second[-1].shape
    assert not torch.equal(first[-1], second[-1])
