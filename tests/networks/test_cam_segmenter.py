"""The CAM network with a decoder: sizes, what each side reads, and what is refused."""

from typing import get_args

import pytest
import torch

from seedbed.methods.isim import IsimParameters
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.cam_segmenter import DECODERS, CamSegmenter, PixelLogits


def network(decoder="deeplabv3plus", backbone="test_resnet", stride=16, **options):
    encoder = build_backbone(backbone, stride, conv_head=None)
    return CamSegmenter(encoder, 3, decoder=decoder, **options).eval()


@pytest.fixture(scope="module")
def deeplab():
    return network()


def test_the_method_names_every_decoder():
    assert get_args(IsimParameters.model_fields["decoder"].annotation) == tuple(DECODERS)


@pytest.mark.parametrize(
    ("backbone", "stride"),
    [("test_resnet", 16), ("test_resnet", 8), ("tf_efficientnet_lite0", 16), ("convnext_atto", 16)],
)
@pytest.mark.parametrize("decoder", DECODERS)
def test_pixels_of_images_of_any_size(decoder, backbone, stride):
    with torch.no_grad():
        found = network(decoder, backbone, stride)(torch.rand(1, 3, 40, 70), segment=True)
    assert found.pixel_logits.shape == (1, 4, 40, 70)
    assert found.cam_logits.shape == (1, 3, 64 // stride, 96 // stride)
    assert found.class_logits.shape == (1, 3)


def test_the_class_maps_are_those_of_the_cam_network_with_and_without_the_decoder(deeplab):
    plain = CamNetwork(deeplab.backbone, 3).eval()
    plain.head.load_state_dict(deeplab.head.state_dict())
    for size in (50, 64):
        images = torch.rand(2, 3, size, size)
        found, expected = deeplab(images), plain(images)
        assert found.pixel_logits is None
        assert torch.equal(found.cam_logits, expected.cam_logits)
    assert torch.equal(deeplab(images, segment=True).cam_logits, expected.cam_logits)


def test_padding_at_the_right_and_bottom_is_mean_colour(deeplab):
    images = torch.rand(1, 3, 40, 64)
    padded = torch.cat([images, torch.zeros(1, 3, 24, 64)], dim=2)
    found, expected = (deeplab(x, segment=True).pixel_logits for x in (images, padded))
    assert torch.equal(found, expected[..., :40, :])


def test_only_the_classification_branch_reads_the_added_convolution():
    both = network(backbone="tf_efficientnet_lite0")
    assert both.head.in_channels == 1280
    assert both.decoder.fuse.aspp[0].convs[0][0].in_channels == 320
    output = both(torch.rand(1, 3, 64, 64), segment=True)
    (unread,) = torch.autograd.grad(
        output.pixel_logits.sum(), [both.backbone.conv_head[0].weight], allow_unused=True, retain_graph=True
    )
    (read,) = torch.autograd.grad(output.cam_logits.square().sum(), [both.backbone.conv_head[0].weight])
    assert unread is None
    assert read.abs().sum() > 0


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_decoder_is_keyed_and_reaches_the_encoder(decoder):
    one, same, other = (network(decoder, rng=rng) for rng in (0, 0, 1))
    weights = [n.decoder.score.weight for n in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    loss = one(torch.rand(1, 3, 32, 32), segment=True).pixel_logits.square().sum()
    first = next(p for p in one.backbone.parameters() if p.requires_grad)
    gradients = torch.autograd.grad(loss, [first, one.head.weight], allow_unused=True)
    assert gradients[0].abs().sum() > 0
    assert gradients[1] is None


def test_as_a_segmentation_network(deeplab):
    images = torch.rand(1, 3, 40, 40)
    assert torch.equal(PixelLogits(deeplab)(images), deeplab(images, segment=True).pixel_logits)


def test_faults(deeplab):
    with pytest.raises(ValueError, match="unknown decoder 'unett'; did you mean unet"):
        network("unett")
    with pytest.raises(ValueError, match=r"the last has stride 8 or 16, got .*32"):
        network(stride=32)
    deeplab.train()
    with pytest.raises(ValueError, match=r"batches of at least 2 images .*raise batch_size"):
        deeplab(torch.rand(1, 3, 32, 32), segment=True)
    deeplab.eval()
