"""PoolNet's step: the summed loss, and saliency that is missing or of another range."""

import math

import pytest
import torch
from torch import nn

from seedbed.input.batch import Batch
from seedbed.methods.base import POLARITY, Progress
from seedbed.methods.poolnet import PoolnetMethod, PoolnetParameters

START = Progress(0, 1, 0, 1)


def batch(saliency=None):
    return Batch(
        image_ids=("a",),
        images=torch.zeros(1, 3, 32, 32),
        labels=torch.zeros(1, 2),
        valid=torch.ones(1, 32, 32, dtype=torch.bool),
        fields={} if saliency is None else {"saliency": saliency},
    )


@pytest.fixture(scope="module")
def method():
    parameters = PoolnetParameters(backbone="test_resnet", weights="none", decoder_width=4)
    return PoolnetMethod(parameters, classes=2, rng=0)


def test_the_loss_is_summed_over_pixels(method, monkeypatch):
    class Always(nn.Module):
        def forward(self, images):
            return torch.full((1, 1, 32, 32), math.log(3), requires_grad=True)

    monkeypatch.setattr(method, "saliency_network", Always())
    (objective,) = method.objectives(batch(torch.ones(1, 1, 32, 32)), START)
    assert objective.player == "saliency_network"
    assert objective.loss.item() == pytest.approx(-32 * 32 * math.log(3 / 4), rel=1e-5)


def test_saliency_is_needed(method):
    with pytest.raises(ValueError, match="the batch has no saliency to learn"):
        list(method.objectives(batch(), START))
    with pytest.raises(ValueError, match=r"expected saliency in \[0, 1\], got 255 to 255"):
        list(method.objectives(batch(torch.full((1, 1, 32, 32), 255.0)), START))


def test_high_logits_are_salient(method):
    assert method.facts(None, "cpu") == {POLARITY: {"inverted": False, "rule": "saliency"}}
