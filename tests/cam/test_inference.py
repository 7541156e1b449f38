"""Multi-scale CAMs with a stand-in network whose class maps are pooled colours."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from seedbed.cam.inference import multi_scale_cams, network_input
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.pixel_network import PixelNetwork

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


class Pooled(NamedTuple):
    cam_logits: torch.Tensor


class Colours(nn.Module):
    """Class c scores the mean of colour c over cells of 8 x 8 pixels, the last ones cut off by the image."""

    def forward(self, images):
        return Pooled(nn.functional.avg_pool2d(images, 8, ceil_mode=True))


def colours():
    return Colours().eval()


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_scale_one_by_hand():
    """Left half 51 (0.2), right half 255 (1.0): its CAM is (0.2, 1.0), and the mirror adds the same again."""
    image = np.full((8, 16, 3), 51, np.uint8)
    image[:, 8:] = 255
    image = np.tile(image, (4, 2, 1))  # 32 x 32, above the least size
    cams = multi_scale_cams(colours(), image, [1], **PLAIN, scales=(1.0,))
    np.testing.assert_allclose(cams.maps[0], np.tile(np.float32([0.4, 2.0]), (1, 4, 2)), rtol=1e-6)
    assert cams.flips == ()


def test_mirrored_term_sees_the_image_from_its_other_side():
    """A 36 px row: plain cells are 8, 8, 8, 8, 4 px from the left, mirrored ones from the right."""
    ramp = np.arange(36, dtype=np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (32, 36, 3)).copy()
    cams = multi_scale_cams(colours(), image, [0], **PLAIN, scales=(1.0,), keep_flips=True)
    mirrored = np.float32([1.5, 7.5, 15.5, 23.5, 31.5]) / 255  # means of 0-3, 4-11, 12-19, 20-27, 28-35
    plain = np.float32([3.5, 11.5, 19.5, 27.5, 33.5]) / 255  # means of 0-7, 8-15, 16-23, 24-31, 32-35
    np.testing.assert_allclose(cams.flips[0][0, 0], mirrored, rtol=1e-5)
    np.testing.assert_allclose(cams.maps[0][0, 0], plain + mirrored, rtol=1e-5)


def test_negative_scores_are_cut_before_they_are_added():
    """Mean colour 0.5: what is darker scores below 0 and gives 0, from both sides."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 255
    cams = multi_scale_cams(colours(), image, [2], mean=(0.5,) * 3, std=(0.5,) * 3, scales=(1.0,))
    np.testing.assert_allclose(cams.maps[0][0, 0], [0, 0, 2, 2], atol=1e-6)


def test_maps_are_native_and_of_the_asked_classes_in_order():
    image = picture(65, 97)
    cams = multi_scale_cams(colours(), image, [2, 0], **PLAIN, scales=(0.5, 1.0, 2.0))
    # 65 and 97 halve to round(32.5) = 32 and round(48.5) = 48 (ties to even).
    assert [m.shape for m in cams.maps] == [(2, 4, 6), (2, 9, 13), (2, 17, 25)]
    swapped = multi_scale_cams(colours(), image, [0, 2], **PLAIN, scales=(0.5, 1.0, 2.0))
    assert all(np.array_equal(a, b[::-1]) for a, b in zip(cams.maps, swapped.maps, strict=True))
    assert multi_scale_cams(colours(), image, [], **PLAIN).maps[0].shape[0] == 0


@pytest.mark.parametrize("form", ["cam", "gradcam++"])
def test_a_large_image_and_its_mirror_image_go_one_after_the_other(monkeypatch, form):
    network = CamNetwork(
        build_backbone("test_resnet", 16), 3, generator=torch.Generator().manual_seed(0)
    ).eval()
    options = {**PLAIN, "scales": (1.0, 2.0), "form": form, "keep_flips": True}
    together = multi_scale_cams(network, picture(40, 48), [2, 0], **options)
    batches = []
    network.backbone.register_forward_pre_hook(lambda module, arguments: batches.append(len(arguments[0])))
    monkeypatch.setattr("seedbed.mirror.TOGETHER", 40 * 48)
    apart = multi_scale_cams(network, picture(40, 48), [2, 0], **options)
    assert batches == ([2, 1, 1] if form == "cam" else [1, 1, 1, 1])
    for one, other in zip(together.maps + together.flips, apart.maps + apart.flips, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * other.max())


@pytest.mark.parametrize("size", [(1, 50), (50, 1), (1, 1), (31, 200)])
def test_narrow_images_give_at_least_one_cell(size):
    network = CamNetwork(build_backbone("resnet18", 16), 2).eval()
    cams = multi_scale_cams(network, picture(*size), [0, 1], **PLAIN)
    for scale, found in zip((0.5, 1.0, 1.5, 2.0), cams.maps, strict=True):
        pixels = [max(1, round(side * scale)) for side in size]
        assert found.shape == (2, *(-(-side // 16) for side in pixels))
        assert np.isfinite(found).all()


def test_bf16_is_near_and_returns_float32():
    network = CamNetwork(build_backbone("resnet18", 16), 2, generator=torch.Generator().manual_seed(0)).eval()
    image = picture(40, 32)
    full, half = (
        multi_scale_cams(network, image, [0, 1], **PLAIN, scales=(1.0,), precision=p) for p in ("32", "bf16")
    )
    for a, b in zip(full.maps, half.maps, strict=True):
        assert b.dtype == np.float32
        assert not np.array_equal(a, b)
        assert np.abs(a - b).max() < 0.05 * np.abs(a).max()


def test_input_is_normalised():
    image = np.zeros((2, 3, 3), np.uint8)
    image[..., 1] = 255
    pixels = network_input(image, 1.0, (0.5, 0.25, 0.5), (0.5, 0.5, 0.25))
    assert pixels.shape == (1, 3, 2, 3)
    torch.testing.assert_close(pixels[0, :, 0, 0], torch.tensor([-1.0, 1.5, -2.0]))


def test_pcm_takes_the_refined_maps_without_background():
    network = PixelNetwork(build_backbone("test_resnet", 16), 3, correlation=True, embedding_width=0).eval()
    image = picture(48, 64)
    cams = multi_scale_cams(network, image, [2, 0], **PLAIN, scales=(1.0,), form="pcm", keep_flips=True)
    pixels = network_input(image, 1.0, (0.0,) * 3, (1.0,) * 3)
    with torch.no_grad():
        views = [network(pixels).refined_cams[0], network(pixels.flip(3)).refined_cams[0].flip(2)]
    torch.testing.assert_close(torch.from_numpy(cams.maps[0]), sum(views)[[3, 1]])
    plain = multi_scale_cams(network, image, [2, 0], **PLAIN, scales=(1.0,))
    assert not np.allclose(plain.maps[0], cams.maps[0])


@pytest.mark.parametrize(
    "network",
    [colours(), PixelNetwork(build_backbone("test_resnet", 16), 3, correlation=False, embedding_width=4)],
)
def test_pcm_of_a_network_without_the_module(network):
    with pytest.raises(ValueError, match="form pcm needs a network with a pixel correlation module"):
        multi_scale_cams(network.eval(), picture(32, 32), [0], **PLAIN, form="pcm")


def test_mistakes_get_one_line():
    image = picture(32, 32)
    with pytest.raises(ValueError, match="expected a network in evaluation mode"):
        multi_scale_cams(Colours(), image, [0], **PLAIN)
    with pytest.raises(ValueError, match="expected classes from 0 to 2, got 3; the network has 3 classes"):
        multi_scale_cams(colours(), image, [3], **PLAIN)
    with pytest.raises(ValueError, match=r"expected a scale above 0, got 0\.0"):
        multi_scale_cams(colours(), image, [0], **PLAIN, scales=(0.0,))
    with pytest.raises(ValueError, match="keep_flips needs flip: true"):
        multi_scale_cams(colours(), image, [0], **PLAIN, flip=False, keep_flips=True)
