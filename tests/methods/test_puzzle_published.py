"""What the published code of Puzzle-CAM, OC-CSE and P-NOC does otherwise, as named choices: both sides by hand."""

import math

import pytest
import torch
from pydantic import ValidationError

from methods.puzzle_erasing_toys import ADVERSARY, ERASING, QUARTER, TINY, by_hand, striped, train
from seedbed.losses.erasing import class_maps
from seedbed.methods.puzzle_erasing import PuzzleErasingParameters


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


class OneBatch:
    def __len__(self):
        return 1

    def epoch(self, epoch, start=0):
        yield striped([1.0, 0.0])


@pytest.mark.parametrize("gradient", ["own", "published"])
def test_the_adversarys_gradient_by_hand(gradient, tmp_path):
    """One step of plain SGD at rate 1 from the judge of `by_hand`, with λ_cse = 1/2 and λ_noc = 1.

    dℓ/dW_ck = (σ(z_c) - t_c) / 2 · mean x_k. The hard mask leaves means (0, 1/2, 0), scored (0, 3/2), for labels
    (1, 0). The soft one leaves (1/24, 1/3, 0), scored (1, 1), for labels (0, 0).
    """
    method = by_hand(
        erasing_weight=(0.5, 0.5),
        adversary_weight=(1.0, 1.0),
        adversary_threshold=0.5,
        adversary_gradient=gradient,
    )
    before = method.adversary.weights.detach().clone()
    training = {"epochs": 1, "batch_size": 1, "lr": 1.0, "head_lr_factor": 1.0}
    training |= {"momentum": 0.0, "weight_decay": 0.0, "poly_power": 0.0}
    train(method, tmp_path, OneBatch(), training)
    own = [[0, (sigmoid(0) - 1) / 2 / 2, 0], [0, sigmoid(1.5) / 2 / 2, 0]]
    erasing = [[0.5 * sigmoid(1) / 2 * mean for mean in (1 / 24, 1 / 3, 0)]] * 2
    expected = torch.tensor(own) + torch.tensor(erasing) * (gradient == "published")
    torch.testing.assert_close(before - method.adversary.weights, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ERASING, "adversary_gradient has no effect without an adversary"),
        (ERASING | ADVERSARY | {"adversary_every": 2}, "which no checkpoint holds; set adversary_every: 1"),
    ],
)
def test_a_published_gradient_that_makes_no_sense_is_refused(settings, message):
    with pytest.raises(ValidationError, match=message):
        PuzzleErasingParameters(**TINY, **settings, adversary_gradient="published")


@pytest.mark.parametrize(
    ("order", "expected"), [("relu_first", [4, 3, 1, 0]), ("resize_first", [4, 2, 0, 0])]
)
def test_order_of_relu_and_resizing_by_hand(order, expected):
    """Cells 4 and -4 to four pixels, bilinear: weights 1, 3/4, 1/4, 0 of the left one, of 4 and 0 or of 4 and -4."""
    logits = torch.tensor([[[[4.0, -4.0]]], [[[9.0, 9.0]]]])
    maps = class_maps(logits, torch.tensor([0, -1]), (1, 4), order)
    assert maps[0, 0].tolist() == [expected]
    assert maps[1].abs().sum() == 0


@pytest.mark.parametrize(("order", "seen"), [("relu_first", 1 / 4), ("resize_first", 3 / 4)])
def test_the_methods_mask_follows_the_order(order, seen):
    """Class 1 of `by_hand` has rows -2 and 1: the mask's third row is 3/4 · 1, or 3/4 · 1 - 1/4 · 2, of a maximum of 1."""
    method = by_hand(**ERASING, mask_order=order)
    images = []
    method.ordinary_classifier.register_forward_hook(lambda _, inputs, out: images.append(inputs[0]))
    list(method.objectives(striped([0.0, 1.0]), QUARTER))
    assert images[0][0, 1, 2, 0].item() == pytest.approx(seen, abs=1e-4)
