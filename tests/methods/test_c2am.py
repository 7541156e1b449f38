"""The steps of C²AM and C²AM-H on stand-in networks; which half is salient; hints that are missing."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from seedbed.errors import SeedbedError
from seedbed.input.batch import Batch
from seedbed.input.field_store import FieldStore
from seedbed.losses.disentangling import attraction, repulsion
from seedbed.methods.base import POLARITY, EpochContext, Progress
from seedbed.methods.c2am import C2amMethod, C2amParameters
from seedbed.methods.c2am_hints import C2amHintsMethod, C2amHintsParameters
from seedbed.networks.disentangling import DisentanglingOutput

START = Progress(0, 1, 0, 1)
TINY = {"backbone": "test_resnet", "weights": "none"}


def batch(hints=None, size=3, pixels=32):
    return Batch(
        image_ids=tuple("abcdef"[:size]),
        images=torch.randn(size, 3, pixels, pixels, generator=torch.Generator().manual_seed(1)),
        labels=torch.ones(size, 2),
        valid=torch.ones(size, pixels, pixels, dtype=torch.bool),
        fields={} if hints is None else {"hints": hints},
    )


class Always(nn.Module):
    """The same division whatever the images."""

    def __init__(self, logits):
        super().__init__()
        vectors = torch.rand(2, len(logits), 4, generator=torch.Generator().manual_seed(0))
        self.answer = DisentanglingOutput(logits, vectors[0], vectors[1])

    def forward(self, images, valid=None):
        return self.answer


def plain(**parameters):
    return C2amMethod(C2amParameters(**TINY | parameters), classes=2, rng=0)


def hinted(**parameters):
    return C2amHintsMethod(C2amHintsParameters(**TINY | parameters), classes=2, rng=0)


def test_the_loss_is_the_sum_of_the_three_terms():
    method = plain(rank_alpha=0.5)
    method.saliency_network = Always(torch.zeros(3, 1, 2, 2))
    (objective,) = method.objectives(batch(), START)
    _, front, back = method.saliency_network.answer
    terms = {
        "foreground": attraction(front, 0.5),
        "background": attraction(back, 0.5),
        "contrast": repulsion(front, back),
    }
    assert objective.player == "saliency_network"
    assert objective.parts == terms
    assert objective.loss.item() == pytest.approx(sum(term.item() for term in terms.values()))
    assert C2amParameters().rank_alpha == 0.25


def test_one_image_per_batch_is_refused_before_training():
    fault = "images are compared with each other, but batch_size is 1; raise it to 2 or more"
    parameters = C2amParameters()
    object.__setattr__(parameters, "batch_size", 1)
    assert fault in list(parameters.faults())


@pytest.mark.parametrize(("smoothing", "target"), [(0.0, 1.0), (0.1, 0.95)])
def test_hints_by_hand(smoothing, target):
    """Cells of 16 pixels; the mean of the strongest class over a cell decides: 0.4 counts, 0.39 does not."""
    method = hinted(hint_weight=2.0, label_smoothing=smoothing)
    method.saliency_network = Always(torch.full((3, 1, 2, 2), math.log(3)))
    hints = torch.zeros(3, 2, 32, 32)
    hints[0, 0, :16, :16] = 0.4
    hints[1, 1, :16, :16] = 0.39
    hints[2, 1, 16:, 16:24] = 0.8
    (objective,) = method.objectives(batch(hints), START)
    expected = -target * math.log(3 / 4) - (1 - target) * math.log(1 / 4)
    assert objective.parts["hints"].item() == pytest.approx(expected, rel=1e-6)
    rest = sum(objective.parts[name].item() for name in ("foreground", "background", "contrast"))
    assert objective.loss.item() == pytest.approx(rest + 2 * expected, rel=1e-6)
    assert method.hinted == 2


def test_a_batch_without_a_hint_is_c2ams():
    """No NaN: the same loss, the same gradients."""
    without, method = plain(), hinted()
    images = batch(torch.full((3, 2, 32, 32), 0.3))
    (ours,), (theirs,) = (tuple(m.objectives(images, START)) for m in (method, without))
    assert ours.parts["hints"].item() == 0
    assert ours.loss.item() == theirs.loss.item()
    for (name, mine), other in zip(
        method.saliency_network.named_parameters(), without.saliency_network.parameters(), strict=True
    ):
        one, two = (
            torch.autograd.grad(loss, p, retain_graph=True, allow_unused=True)[0]
            for loss, p in ((ours.loss, mine), (theirs.loss, other))
        )
        assert (one is None) == (two is None), name
        assert one is None or torch.equal(one, two), name


def test_training_without_any_hint_stops(tmp_path):
    """At the end of the first epoch, or of the training: then the halves would be exchangeable."""
    method, none = hinted(hint_threshold=0.9), batch(torch.full((3, 2, 32, 32), 0.8))
    context = EpochContext(torch.device("cpu"), torch.Generator(), tmp_path, None, FieldStore(tmp_path))
    method.on_epoch_start(0, context)
    list(method.objectives(none, START))
    told = "no cell of any image reaches hint_threshold 0.9 in the hints"
    with pytest.raises(SeedbedError, match=told):
        method.on_epoch_start(1, context)
    with pytest.raises(SeedbedError, match=told):
        method.facts(Photographs(()), "cpu")
    again = hinted()
    again.load_state({"hinted": torch.tensor(3)})
    again.on_epoch_start(1, context)
    assert again.state()["hinted"] == 0


def test_a_batch_without_the_input_is_refused():
    with pytest.raises(ValueError, match="the batch has no hints; give the stage CAMs as the input hints"):
        list(hinted().objectives(batch(), START))


class Photographs:
    """Grey levels by image."""

    def __init__(self, levels):
        self.levels = dict(enumerate(levels))
        self.ids = [str(k) for k in self.levels]
        self.read = []

    def image(self, image_id):
        self.read.append(image_id)
        return Image.fromarray(np.full((64, 64, 3), self.levels[int(image_id)], np.uint8))


class Level(nn.Module):
    """Logits of four by four cells, by the brightness of the image, at the border."""

    def __init__(self, sign):
        super().__init__()
        self.sign = sign

    def saliency_logits(self, images):
        level = images.mean((1, 2, 3), keepdim=True)
        found = self.sign * level.expand(-1, 1, 4, 4).clone()
        found[:, :, 1:3, 1:3] = 0
        return found


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_half_that_the_border_shows_less_of_is_salient(sign):
    """Bright images (normalised level above 0): σ at the border is above 1/2 with sign 1, so low logits are salient."""
    method = plain()
    method.saliency_network = Level(sign)
    facts = method.facts(Photographs((220, 240)), "cpu")[POLARITY]
    assert facts["inverted"] is (sign > 0)
    assert (facts["border_mean"] > 0.5) == (sign > 0)
    assert (facts["rule"], facts["images"]) == ("border mean", 2)


def test_images_of_the_polarity_are_spread_evenly():
    method, photographs = plain(polarity_images=3), Photographs(range(1, 11))
    method.saliency_network = Level(1.0)
    assert method.facts(photographs, "cpu")[POLARITY]["images"] == 3
    assert photographs.read == ["0", "3", "6"]


def test_hints_need_no_border():
    method = hinted()
    method.load_state({"hinted": torch.tensor(1)})
    assert method.facts(Photographs(()), "cpu") == {POLARITY: {"inverted": False, "rule": "hints"}}
