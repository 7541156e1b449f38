"""Fusion of the views of an image, by hand and against torch's softmax of the views' logits."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from seedbed.methods.base import Method
from seedbed.methods.trained import TrainedNetwork
from seedbed.networks.inference import multi_scale_probabilities
from seedbed.networks.segmenters import build_segmenter
from seedbed.stages.predict import PredictParameters, image_probabilities


class Sided(nn.Module):
    """Two classes: logits (0, 3) on the left half of what it is given, (0, 0) on the right."""

    def forward(self, images):
        logits = torch.zeros(len(images), 2, *images.shape[2:])
        logits[:, 1, :, : images.shape[3] // 2] = 3.0
        return logits


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


JOINED = (sigmoid(3) + sigmoid(0)) / 2
"""Sided's mean probability of foreground."""


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ("probabilities", JOINED),
        ("logits_sum", sigmoid(3 + 0)),
        ("logits_mean", sigmoid((3 + 0) / 2)),
    ],
)
@pytest.mark.parametrize("rows", [None, 1])
def test_a_view_and_its_mirror_image_by_hand(monkeypatch, fusion, expected, rows):
    """The views say 3 and 0 of every pixel; whole, and in bands of one row, as large photographs are added up."""
    if rows:
        monkeypatch.setattr("seedbed.networks.inference.LARGEST", 8)
    image = np.zeros((2, 6, 3), np.uint8)
    found = multi_scale_probabilities(Sided(), image, (0.5,) * 3, (0.5,) * 3, (1.0,), True, fusion=fusion)
    np.testing.assert_allclose(found[1], expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-6)


def test_scales_count_as_views():
    """Two scales without mirror images: the sum has twice the mean's logit, also where exp would overflow."""
    image = np.zeros((4, 4, 3), np.uint8)
    network = nn.Conv2d(3, 2, 1)
    nn.init.zeros_(network.weight)
    for logit in (1.0, 200.0):
        network.bias.data = torch.tensor([0.0, logit])
        found = {
            fusion: multi_scale_probabilities(
                network, image, (0.5,) * 3, (0.5,) * 3, (1.0, 0.5), False, fusion=fusion
            )[1]
            for fusion in ("probabilities", "logits_sum", "logits_mean")
        }
        np.testing.assert_allclose(found["logits_sum"], sigmoid(2 * logit), rtol=1e-6)
        np.testing.assert_allclose(found["logits_mean"], sigmoid(logit), rtol=1e-6)
        np.testing.assert_allclose(found["probabilities"], sigmoid(logit), rtol=1e-6)


@pytest.mark.parametrize(("fusion", "expected"), [("logits_sum", sigmoid(3)), ("logits_mean", sigmoid(1.5))])
def test_parameters_of_predict_say_how(fusion, expected):
    """One scale and its mirror image, which say 3 and 0."""
    trained = TrainedNetwork(Sided(), (0.5,) * 3, (0.5,) * 3, Method())
    parameters = PredictParameters(scales=(1.0,), fusion=fusion)
    found = image_probabilities(trained, np.zeros((2, 6, 3), np.uint8), parameters, "cpu")
    np.testing.assert_allclose(found[1], expected, rtol=1e-5)


@pytest.mark.parametrize("offset", [1.5, -0.5])
@pytest.mark.parametrize(
    ("fusion", "logit"),
    [("logits_mean", 1.5), ("logits_sum", 3.0), ("probabilities", math.log(JOINED / (1 - JOINED)))],
)
def test_an_offset_is_taken_from_background_after_the_views_are_joined(offset, fusion, logit):
    """Sided's logit of foreground is 3 for the image and 0 for its mirror image."""
    trained = TrainedNetwork(Sided(), (0.5,) * 3, (0.5,) * 3, Method())
    parameters = PredictParameters(scales=(1.0,), fusion=fusion, background_offset=offset)
    found = image_probabilities(trained, np.zeros((2, 6, 3), np.uint8), parameters, "cpu")
    np.testing.assert_allclose(found[1], sigmoid(logit + offset), rtol=1e-5)
    np.testing.assert_allclose(found.sum(0), 1, rtol=1e-6)


def test_bf16_is_near_and_returns_float32_probabilities():
    network = build_segmenter("deeplabv3plus", "resnet18", 3).eval()
    image = np.random.default_rng(0).integers(0, 256, (40, 48, 3)).astype(np.uint8)
    trained = TrainedNetwork(network, (0.5,) * 3, (0.5,) * 3, Method())
    full, half = (
        image_probabilities(trained, image, PredictParameters(scales=(1.0, 1.5), precision=precision), "cpu")
        for precision in (32, "bf16")
    )
    assert half.dtype == np.float32
    np.testing.assert_allclose(half.sum(0), 1, rtol=1e-5)
    assert not np.array_equal(full, half)
    assert np.abs(full - half).max() < 0.05
