"""What the published code of Puzzle-CAM, OC-CSE and P-NOC does otherwise, as named choices: both sides by hand."""

import math

import pytest
import torch
from pydantic import ValidationError

from methods.puzzle_erasing_toys import (
    ADVERSARY,
    ERASING,
    PUZZLE,
    QUARTER,
    TINY,
    batch,
    by_hand,
    method_of,
    striped,
    train,
)
from seedbed.errors import SeedbedError
from seedbed.losses.class_choice import ChoiceHistory
from seedbed.losses.erasing import class_maps
from seedbed.methods.base import Progress
from seedbed.methods.puzzle_erasing import PuzzleErasingParameters
from seedbed.recipes import RecipeBook


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
    """Class 1 of `by_hand` has rows -2 and 1: the third row is 3/4 · 1, or 3/4 · 1 - 1/4 · 2, of a maximum of 1."""
    method = by_hand(**ERASING, mask_order=order)
    images = []
    method.ordinary_classifier.register_forward_hook(lambda _, inputs, out: images.append(inputs[0]))
    list(method.objectives(striped([0.0, 1.0]), QUARTER))
    assert images[0][0, 1, 2, 0].item() == pytest.approx(seen, abs=1e-4)


@pytest.mark.parametrize(
    ("mean", "factors"),
    [("all", (0.1, 0.1)), ("present", (0.1, 1.0)), ("per_image", (0.1, 1.0))],
)
def test_losses_of_a_rate_for_twenty_classes(mean, factors):
    """Two classes, not 20: what is a mean over classes shrinks tenfold, what is one over present maps does not."""
    settings = PUZZLE | ERASING | ADVERSARY | {"adversary_threshold": 0.5, "reconstruction_mean": mean}
    plain, scaled = (
        list(by_hand(**settings, loss_classes=classes).objectives(striped([1.0, 0.0]), QUARTER))
        for classes in (None, 20)
    )
    for name, part in plain[0].parts.items():
        factor = factors[name == "reconstruction"]
        assert scaled[0].parts[name].item() == pytest.approx(factor * part.item(), rel=1e-5), name
    assert scaled[1].loss.item() == pytest.approx(0.1 * plain[1].loss.item(), rel=1e-5)


@pytest.mark.parametrize(("phase", "steps"), [("first", [0, 3, 6]), ("last", [2, 5, 8])])
def test_phase_of_the_adversary(phase, steps):
    method = by_hand(**ERASING, **ADVERSARY, adversary_every=3, adversary_phase=phase)
    taken = [
        step
        for step in range(9)
        if len(list(method.objectives(striped([1.0, 0.0]), Progress(step, 9, 0, 1)))) == 2
    ]
    assert taken == steps


ALL = torch.tensor([[1.0, 1.0, 0.0]])


def history(times, hardness=(1.0, 1.0, 1.0)):
    return ChoiceHistory(torch.tensor(times), torch.tensor(hardness))


@pytest.mark.parametrize(("uniform", "first"), [(0.0, 0), (0.74, 0), (0.76, 1), (0.999, 1)])
def test_balanced_choice_by_hand(uniform, first):
    """1 / times is 1 and 1/3: three quarters for class 0. The absent class, never erased, has no share."""
    chosen, after = history([1.0, 3.0, 1.0]).choose(ALL, torch.tensor([uniform]), "balanced")
    assert chosen.tolist() == [first]
    assert after.times.tolist() == [1 + (first == 0), 3 + (first == 1), 1]


def test_least_chosen_by_hand():
    """Image by image: times (2, 1, 1), (2, 2, 1): a tie, which the first class wins; nothing to erase in the last."""
    labels = torch.cat([ALL, ALL, torch.zeros(1, 3)])
    chosen, after = history([2.0, 1.0, 1.0]).choose(labels, torch.rand(3), "least_chosen")
    assert chosen.tolist() == [1, 0, -1]
    assert after.times.tolist() == [3, 2, 1]


@pytest.mark.parametrize(("uniform", "expected"), [(0.0, 0), (0.19, 0), (0.21, 1), (0.999, 1)])
def test_focal_choice_by_hand(uniform, expected):
    chosen, _ = history([1.0, 9.0, 1.0], (0.1, 0.4, 9.0)).choose(ALL, torch.tensor([uniform]), "focal")
    assert chosen.tolist() == [expected]


def test_hardness_by_hand():
    """Class 0, erased in the first of the two images that show it: t = (0, 1), p = (0.5, 0.8): 0.25 + 0.04 over 2.

    Class 1 is in one image, where it was erased: t = (0, 0), p = (0.1, 0.2): 0.01 + 0.04 over 1. Class 2 is absent.
    """
    labels = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    left = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    probabilities = torch.tensor([[0.5, 0.1, 0.9], [0.8, 0.2, 0.9]])
    after = history([1.0, 1.0, 1.0], (1.0, 0.5, 0.3)).judged(labels, left, probabilities)
    assert after.hardness.tolist() == pytest.approx([0.9 + 0.1 * 0.29 / 2, 0.45 + 0.1 * 0.05, 0.3])


def test_the_choice_is_erased_and_remembered_over_a_resumption(tmp_path):
    """`by_hand` images show both classes in turn: class 0 is erased first, then class 1, and so on."""
    method = by_hand(**ERASING, class_choice="least_chosen")
    for _ in range(3):
        list(method.objectives(striped([1.0, 1.0]), QUARTER))
    assert method.state()["times"].tolist() == [3, 2]
    again = by_hand(**ERASING, class_choice="focal")
    list(again.objectives(striped([1.0, 1.0]), QUARTER))
    assert (again.state()["hardness"] < 1).all()
    other = by_hand(**ERASING, class_choice="focal")
    other.load_state_dict(again.state_dict())
    assert torch.equal(other.history.hardness, again.history.hardness)
    assert by_hand(**ERASING).state() == {}


def test_a_choice_without_erasing_is_refused():
    with pytest.raises(ValidationError, match="class_choice has no effect where nothing is erased"):
        PuzzleErasingParameters(**TINY, class_choice="focal")


@pytest.mark.parametrize(
    ("crop", "fits"), [(152, False), (184, False), (160, True), (192, True), (24, False)]
)
def test_tiles_have_their_cells_on_those_of_the_whole_crop(tmp_path, crop, fits):
    """152 and 184 merge to as many cells as the whole has, but half a cell aside."""
    (tmp_path / "r.yaml").write_text(
        "nodes:\n  classifier: {stage: train_classifier, with: {method: puzzle_erasing, weights: none,\n"
        f"    reconstruction_weight: [0, 4], augmentation: {{crop: {crop}}}}}}}\n"
    )
    node = RecipeBook(tmp_path)["r"].nodes["classifier"]
    if fits:
        assert node.parameters({}, "r").augmentation.crop == crop
        return
    near = {152: "128 or 160", 184: "160 or 192", 24: "32"}[crop]
    with pytest.raises(SeedbedError, match=f"multiple of 2 x 16 = 32 pixels.*got {crop}; choose {near}$"):
        node.parameters({}, "r")


def test_tiles_whose_cells_lie_elsewhere_are_refused_in_training():
    """Whatever started it. 152 pixels have 10 cells, tiles of 76 pixels 5, but at other places."""
    message = (
        r"merge to \(10, 10\) cells, but those of the whole 152 x 152 crop have \(10, 10\) that lie elsewhere"
    )
    with pytest.raises(ValueError, match=message):
        list(method_of("puzzle").objectives(batch(size=1, pixels=152), QUARTER))
