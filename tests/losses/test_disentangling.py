"""C²AM's losses by hand and by double loops; their signs; hints that are absent."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.losses.disentangling import attraction, hint_loss, rank_weights, repulsion, similarities


def vectors(count, channels, seed=0):
    return torch.rand(count, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cosine(a, b):
    inner = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    lengths = math.sqrt(sum(float(x) ** 2 for x in a)) * math.sqrt(sum(float(y) ** 2 for y in b))
    return min(max(inner / lengths, 0.0005), 0.9995)


def slow_attraction(found, alpha):
    """Equation 7, with the minus sign: ranks among the other images, from 0."""
    n, total = len(found), 0.0
    for i in range(n):
        row = {j: cosine(found[i], found[j]) for j in range(n) if j != i}
        for j, s in row.items():
            rank = sum(other > s or (other == s and k < j) for k, other in row.items())
            total -= math.exp(-alpha * rank) * math.log(s)
    return total / (n * (n - 1))


def slow_repulsion(foreground, background):
    pairs = [cosine(f, b) for f in foreground for b in background]
    return -sum(math.log(1 - s) for s in pairs) / len(pairs)


def test_three_images_by_hand():
    """Angles of 0, 60 and 90 degrees: s01 = 1/2, s02 = 0 (clamped), s12 = √3/2.

    Row 0: 1 has rank 0, 2 rank 1. Row 1: 2 has rank 0, 0 rank 1. Row 2: 1 has rank 0, 0 rank 1.
    """
    found = torch.tensor([[1.0, 0.0], [0.5, math.sqrt(3) / 2], [0.0, 2.0]], dtype=torch.float64)
    w, half, none, near = math.exp(-0.25), math.log(0.5), math.log(0.0005), math.log(math.sqrt(3) / 2)
    expected = -((half + w * none) + (near + w * half) + (near + w * none)) / 6
    assert attraction(found, 0.25).item() == pytest.approx(expected, rel=1e-9)
    weights = rank_weights(similarities(found, found), 0.25)
    torch.testing.assert_close(weights, torch.tensor([[0, 1, w], [w, 0, 1], [w, 1, 0]], dtype=torch.float64))


@pytest.mark.parametrize("alpha", [0.0, 0.25, 2.0])
@pytest.mark.parametrize("count", [2, 5, 9])
def test_attraction_is_the_double_loop(count, alpha):
    found = vectors(count, 4)
    assert attraction(found, alpha).item() == pytest.approx(slow_attraction(found, alpha), rel=1e-9)


def test_equal_similarities_are_ranked_by_their_place():
    found = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    weights = rank_weights(similarities(found, found), math.log(2))
    assert weights[0].tolist() == pytest.approx([0, 1, 1 / 2, 1 / 4])


def test_repulsion_is_the_double_loop():
    foreground, background = vectors(4, 3), vectors(4, 3, seed=1)
    assert repulsion(foreground, background).item() == pytest.approx(slow_repulsion(foreground, background))
    right_angle = repulsion(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    assert right_angle.item() == pytest.approx(-math.log(1 - math.sqrt(1 / 2)), rel=1e-6)


@given(seed=st.integers(0, 1000), count=st.integers(2, 6), factor=st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_all_terms_are_positive_and_do_not_depend_on_lengths_or_order(seed, count, factor):
    one, other = vectors(count, 5, seed), vectors(count, 5, seed + 1)
    losses = attraction(one, 0.25), repulsion(one, other)
    assert all(0 < loss.item() < 8 for loss in losses)
    again = attraction(factor * one.flip(0), 0.25), repulsion(factor * one, other.flip(0))
    torch.testing.assert_close(again, losses)


def test_a_step_down_makes_likes_more_alike_and_unlikes_less():
    """The signs: equations 7 and 11 as printed would push foregrounds apart."""
    one, other = vectors(4, 5).requires_grad_(), vectors(4, 5, seed=1).requires_grad_()
    (slope,) = torch.autograd.grad(attraction(one, 0.25), one)
    before, after = (similarities(v, v).sum() for v in (one, one - 0.01 * slope))
    assert after > before
    (slope,) = torch.autograd.grad(repulsion(one, other), one)
    assert similarities(one - 0.01 * slope, other).sum() < similarities(one, other).sum()


def test_a_single_image_is_refused():
    with pytest.raises(ValueError, match="expected at least 2 images to compare, got 1; raise batch_size"):
        attraction(vectors(1, 3), 0.25)


@pytest.mark.parametrize(("smoothing", "target"), [(0.0, 1.0), (0.1, 0.95)])
def test_hints_by_hand(smoothing, target):
    """σ(ln 3) = 3/4 and σ(0) = 1/2 are hinted at; the third cell is not."""
    logits = torch.tensor([[[[math.log(3), 0.0, 50.0]]]], requires_grad=True)
    loss = hint_loss(logits, torch.tensor([[[[True, True, False]]]]), smoothing)
    expected = -target * math.log(3 / 4) - (1 - target) * math.log(1 / 4) + math.log(2)
    assert loss.item() == pytest.approx(expected / 2, rel=1e-6)
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope[0, 0, 0, 2] == 0
    assert slope[0, 0, 0, 1] < 0


def test_without_a_hint_the_loss_and_its_gradient_are_0():
    logits = torch.full((2, 1, 3, 3), 4.0, requires_grad=True)
    loss = hint_loss(logits, torch.zeros(2, 1, 3, 3, dtype=torch.bool))
    (slope,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not slope.any()
