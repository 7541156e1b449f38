"""Multi-scale saliency on stand-in networks, and the border by which the salient half is found."""

import numpy as np
import pytest
import torch

from seedbed.cam.normalisation import normalise
from seedbed.cam.rebuild import full_resolution
from seedbed.cam.saliency import NORMALISATION_OF, border_mean, mean_border, multi_scale_saliency

PLAIN = {"mean": (0.0,) * 3, "std": (1 / 255,) * 3}
"""Normalised pixels are grey levels."""


class Brightness(torch.nn.Module):
    """Logits of cells of 8 x 8 pixels: red minus 100, over 50."""

    def saliency_logits(self, images):
        return torch.nn.functional.avg_pool2d(images[:, :1] - 100, 8, ceil_mode=True) / 50


def picture(height=64, width=48):
    """Dark at the left, bright at the right."""
    columns = np.linspace(0, 250, width).astype(np.uint8)
    return np.repeat(np.tile(columns, (height, 1))[..., None], 3, axis=2)


def logits(image, flip=False):
    shown = image[:, ::-1] if flip else image
    cells = shown[..., 0].astype(np.float64).reshape(8, 8, 6, 8).mean((1, 3))
    found = (cells - 100) / 50
    return found[:, ::-1] if flip else found


def test_mean_of_probabilities():
    image = picture()
    (found,) = multi_scale_saliency(Brightness(), image, **PLAIN, scales=(1.0,))
    expected = (1 / (1 + np.exp(-logits(image))) + 1 / (1 + np.exp(-logits(image, flip=True)))) / 2
    assert found.shape == (1, 8, 6)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_sum_of_positive_logits():
    image = picture()
    (found,) = multi_scale_saliency(Brightness(), image, **PLAIN, scales=(1.0,), fusion="sum", flip=False)
    np.testing.assert_allclose(found[0], np.maximum(logits(image), 0), rtol=1e-5, atol=1e-6)
    (other,) = multi_scale_saliency(
        Brightness(), image, **PLAIN, scales=(1.0,), fusion="sum", flip=False, inverted=True
    )
    np.testing.assert_allclose(other[0], np.maximum(-logits(image), 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fusion", ["mean", "sum"])
@pytest.mark.parametrize("size", [(64, 48), (17, 40), (1, 1)])
def test_scales_together_are_saliency_in_0_to_1(size, fusion):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    maps = multi_scale_saliency(Brightness(), image, **PLAIN, scales=(0.5, 1.0, 2.0), fusion=fusion)
    assert len(maps) == 3
    found = normalise(full_resolution(maps, size), NORMALISATION_OF[fusion])
    assert found.shape == (1, *size)
    assert found.min() >= 0
    assert found.max() <= 1


def test_inverted_probabilities_are_the_rest():
    image = picture()
    one, other = (
        multi_scale_saliency(Brightness(), image, **PLAIN, scales=(0.5, 1.0), inverted=inverted)
        for inverted in (False, True)
    )
    total = full_resolution(one, (64, 48)) + full_resolution(other, (64, 48))
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_border_by_hand():
    """A ring of 10 cells around 2."""
    shares = torch.zeros(3, 4)
    shares[1, 1:3] = 1
    assert border_mean(shares) == 0
    shares[0, 0] = 1
    assert border_mean(shares) == pytest.approx(1 / 10)
    assert border_mean(torch.tensor([[0.25, 0.75]])) == 0.5


def test_mean_border_of_images():
    dark, bright = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 200, np.uint8)
    found = mean_border(Brightness(), [dark, bright], **PLAIN)
    assert found == pytest.approx((1 / (1 + np.e**2) + 1 / (1 + np.e**-2)) / 2)
    with pytest.raises(ValueError, match="expected at least one image"):
        mean_border(Brightness(), [], **PLAIN)
