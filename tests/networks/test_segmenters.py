"""Every row of SEGMENTERS: any input size, embedded weights, one-line errors."""

import pytest
import torch

from seedbed.networks.backbones import build_backbone
from seedbed.networks.deeplabv2 import RATES, DeepLabV2
from seedbed.networks.segmenters import SEGMENTERS, build_segmenter

LITE0 = "tf_efficientnet_lite0"


@pytest.mark.parametrize("architecture", SEGMENTERS)
def test_logits_have_the_images_size(architecture):
    segmenter = build_segmenter(architecture, LITE0, 7, weights="embedded").eval()
    with torch.no_grad():
        for height, width in ((64, 64), (45, 70), (1, 50), (33, 1)):
            assert segmenter(torch.zeros(2, 3, height, width)).shape == (2, 7, height, width)


@pytest.mark.parametrize("architecture", SEGMENTERS)
def test_backbone_holds_the_embedded_weights_and_rest_is_keyed(architecture):
    source = build_backbone(LITE0, 16, "embedded").body.state_dict()
    segmenter = build_segmenter(architecture, LITE0, 3, weights="embedded")
    inside = {
        k.removeprefix("model.").removeprefix("body."): v for k, v in segmenter.backbone.state_dict().items()
    }
    assert inside.keys() == source.keys()
    assert all(torch.equal(inside[k], source[k]) for k in source)
    first, again, other = (
        torch.cat([p.flatten() for p in build_segmenter(architecture, LITE0, 3, rng=r).network.parameters()])
        for r in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("architecture", SEGMENTERS)
def test_encoder_works_at_the_asked_output_stride(architecture):
    for stride in SEGMENTERS[architecture].output_strides:
        segmenter = build_segmenter(architecture, LITE0, 3, stride).eval()
        seen = []
        body = getattr(segmenter.backbone, "model", None) or segmenter.backbone.body
        body.register_forward_hook(lambda m, i, o, seen=seen: seen.append(o[-1].shape[-1]))
        segmenter(torch.zeros(1, 3, 64, 64))
        assert seen == [64 // stride]


def test_content_does_not_depend_on_padding_that_is_cropped():
    """A 64 px image answers the same whether or not it went through the padding code."""
    segmenter = build_segmenter("unet", LITE0, 3).eval()
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(segmenter(images), segmenter.network(images))


def test_deeplabv2_sums_its_four_branches():
    """With all weights 0, the logit is the sum of the four biases: 1 + 2 + 3 + 4."""
    network = DeepLabV2(build_backbone("resnet18", 8), 2).eval()
    for i, branch in enumerate(network.branches):
        torch.nn.init.zeros_(branch.weight)
        torch.nn.init.constant_(branch.bias, i + 1.0)
    assert [b.dilation for b in network.branches] == [(r, r) for r in RATES]
    with torch.no_grad():
        assert torch.equal(network(torch.zeros(1, 3, 32, 32)), torch.full((1, 2, 4, 4), 10.0))


def test_frozen_batch_norm_is_the_backbones_only():
    segmenter = build_segmenter("deeplabv3plus", LITE0, 3, batch_norm="frozen")
    norms = torch.nn.modules.batchnorm._BatchNorm
    inside = {id(m) for m in segmenter.backbone.modules()}
    states = {(id(m) in inside, m.training) for m in segmenter.modules() if isinstance(m, norms)}
    assert states == {(True, False), (False, True)}


def test_batch_of_one_is_refused_in_training():
    segmenter = build_segmenter("deeplabv3plus", LITE0, 3)
    with pytest.raises(
        ValueError, match="at least 2 images to train this segmenter, got 1; raise batch_size"
    ):
        segmenter(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("deeplabv3+", LITE0, 3), "unknown segmenter 'deeplabv3\\+'; did you mean deeplabv3"),
        (("unet", LITE0, 3, 8), "expected output stride 32 for unet, got 8"),
        (("unet", "resnet81", 3), "unknown backbone 'resnet81'"),
        (
            ("deeplabv3plus", "vit_tiny_patch16_224", 3),
            "deeplabv3plus cannot decode backbone vit_tiny_patch16_224",
        ),
    ],
)
def test_mistakes_get_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        build_segmenter(*arguments)
    assert "\n" not in str(error.value)
