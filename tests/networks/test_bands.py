"""Networks in bands of rows: the same as whole, and not at all where a network is small or looks at whole images."""

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from seedbed.networks import bands
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.inference import multi_scale_probabilities
from seedbed.networks.segmenters import build_segmenter

TOLERANCE = 5e-5


def parts_of(network: nn.Module) -> dict[str, bands.Part]:
    return {
        n: m.forward for n, m in network.named_modules() if isinstance(vars(m).get("forward"), bands.Part)
    }


def with_statistics(network: nn.Module) -> nn.Module:
    """As if it had been trained: batch norm that does not leave its input as it is."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network.eval()


def cam_network(backbone: str) -> nn.Module:
    return CamNetwork(build_backbone(backbone, 32), 3)


NETWORKS = {
    "resnet": lambda: cam_network("test_resnet"),
    "squeeze_excite": lambda: cam_network("mobilenetv3_small_050"),
    "deeplabv3plus": lambda: build_segmenter("deeplabv3plus", "resnet10t", 4),
}


@pytest.fixture
def small_limit(monkeypatch):
    monkeypatch.setattr(bands, "LARGEST", 96 * 96)
    monkeypatch.setattr(bands, "BAND", 32 * 96)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_large_images_give_the_same_result(small_limit, name):
    network = with_statistics(NETWORKS[name]())
    images = torch.randn((1, 3, 213, 67), generator=torch.Generator().manual_seed(2))
    expected = [one.clone() for one in bands.tensors_in(network(images))]
    bands.work_in_bands(network, network.backbone)
    found = bands.tensors_in(network(images))
    parts = parts_of(network)
    assert parts, "nothing works in bands"
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert float((one - other).abs().max()) <= TOLERANCE * float(other.abs().max())
    # The first convolutions, whose maps are largest, are among them.
    assert min(part.reduction for part in parts.values()) == 1
    if name == "squeeze_excite":
        outside = {module for n in parts for module in network.get_submodule(n).modules()}
        gates = [m for m in network.modules() if type(m).__name__ == "SqueezeExcite"]
        assert gates
        assert not outside & set(gates)
    again = bands.tensors_in(network(images))
    assert all(torch.equal(one, other) for one, other in zip(again, found, strict=True))


@torch.no_grad()
def test_deeplabv3plus_fuses_in_bands_what_the_library_fuses_whole(small_limit):
    network = with_statistics(build_segmenter("deeplabv3plus", "resnet10t", 4)).network
    heights = []
    network.decoder.block2.register_forward_hook(lambda *call: heights.append(call[2].shape[-2]))
    images = torch.randn((2, 3, 224, 96), generator=torch.Generator().manual_seed(11))
    expected = smp.DeepLabV3Plus.forward(network, images)
    assert heights == [56]
    found = network(images)
    assert heights[1:] == [
        9,
        10,
        10,
        10,
        10,
        10,
        9,
    ]  # 8 rows each, with one on each side that has a neighbour
    assert float((found - expected).abs().max()) <= TOLERANCE * float(expected.abs().max())
    small = images[..., :96, :]
    assert torch.equal(network(small), smp.DeepLabV3Plus.forward(network, small))
    assert heights[8:] == [24, 24]


@torch.no_grad()
def test_images_up_to_the_limit_give_the_same_bytes(small_limit):
    network = with_statistics(NETWORKS["resnet"]())
    images = torch.randn((1, 3, 96, 96), generator=torch.Generator().manual_seed(3))
    expected = network(images).cam_logits
    bands.work_in_bands(network, network.backbone)
    assert torch.equal(network(images).cam_logits, expected)
    assert not parts_of(network)
    network(images.repeat(1, 1, 2, 1))
    assert parts_of(network)
    assert torch.equal(network(images).cam_logits, expected)


def test_training_and_gradients_see_the_network_as_it_is(small_limit):
    network = NETWORKS["resnet"]().eval()
    bands.work_in_bands(network)
    images = torch.randn((1, 3, 128, 96), requires_grad=True)
    network(images).cam_logits.sum().backward()
    assert not parts_of(network)
    with torch.no_grad():
        network(images)
    assert parts_of(network)
    gradient = torch.autograd.grad(network(images).cam_logits.sum(), images)[0]
    assert torch.equal(gradient, images.grad)


class Centred(nn.Module):
    """Subtracts the mean over the image: looks local by its convolution, is not."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.convolution(x)
        return y - y.mean((2, 3), keepdim=True)


class Residual(nn.Module):
    """Uses the input of its activation once more, which must not be overwritten."""

    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.act(x) - x.mean()


@torch.no_grad()
def test_a_part_that_looks_at_the_whole_image_does_not_work_in_bands(small_limit):
    network = nn.Sequential(nn.Conv2d(3, 3, 3, 2, 1), Centred()).eval()
    images = torch.randn((1, 3, 300, 60), generator=torch.Generator().manual_seed(4))
    expected = network(images)
    bands.work_in_bands(network)
    torch.testing.assert_close(network(images), expected)
    assert set(parts_of(network)) == {"0", "1.convolution"}


@torch.no_grad()
def test_an_input_that_is_still_needed_is_not_overwritten(small_limit):
    network = nn.Sequential(nn.Conv2d(3, 3, 1), Residual()).eval()
    images = torch.randn((1, 3, 300, 60), generator=torch.Generator().manual_seed(5))
    expected = network(images)
    bands.work_in_bands(network)
    torch.testing.assert_close(network(images), expected)
    assert not any(part.in_place for part in parts_of(network).values())


@torch.no_grad()
def test_the_image_itself_is_not_overwritten(small_limit):
    network = with_statistics(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3)))
    images = torch.randn((1, 3, 300, 60), generator=torch.Generator().manual_seed(8))
    before = images.clone()
    expected = network(images)
    bands.work_in_bands(network)
    torch.testing.assert_close(network(images), expected)
    assert torch.equal(images, before)


@torch.no_grad()
def test_a_network_that_refuses_the_trial_works_as_a_whole(small_limit):
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Flatten(), nn.Linear(3 * 298 * 58, 2)).eval()
    images = torch.randn((1, 3, 300, 60), generator=torch.Generator().manual_seed(9))
    expected = network(images)
    bands.work_in_bands(network)
    assert torch.equal(network(images), expected)


@torch.no_grad()
def test_half_precision_works_in_bands_too(small_limit):
    network = with_statistics(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    images = torch.randn((1, 3, 300, 60), generator=torch.Generator().manual_seed(10))
    bands.work_in_bands(network)
    with torch.autocast("cpu", torch.bfloat16):
        found = network(images)
        assert parts_of(network)
        expected = nn.Sequential(*network)(images[..., :200, :])
    torch.testing.assert_close(found[..., :199, :], expected[..., :199, :], rtol=0.02, atol=0.02)


@pytest.mark.parametrize(("height", "width"), [(61, 40), (64, 33), (7, 300)])
def test_probabilities_of_large_photographs(monkeypatch, height, width):
    """The band-wise sum of softmaxes against torch's own enlarging of the whole map."""
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4, padding=1)).eval()
    nn.init.normal_(network[0].weight, std=2.0, generator=torch.Generator().manual_seed(6))
    pixels = torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(7))
    image = pixels.numpy().astype("uint8")
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.2)
    whole = multi_scale_probabilities(network, image, mean, std, (0.75, 1.0), True)
    monkeypatch.setattr("seedbed.networks.inference.LARGEST", 8 * 5 * width)
    in_bands = multi_scale_probabilities(network, image, mean, std, (0.75, 1.0), True)
    assert abs(in_bands - whole).max() < 2e-6
