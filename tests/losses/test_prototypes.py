"""Pixel-to-prototype contrast by hand, and against double loops."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.labels import IGNORE
from seedbed.losses.prototypes import (
    Prototypes,
    cells_inside,
    class_prototypes,
    contrast_loss,
    hard_pixels,
    intra_view_loss,
    pixel_labels,
    pixel_weights,
    semi_hard,
)

TAU = 0.5


def unit(vector):
    length = math.sqrt(sum(v * v for v in vector))
    return [v / length for v in vector] if length else list(vector)


def dot(u, v):
    return sum(a * b for a, b in zip(u, v, strict=True))


def pixels_of(tensor):
    """[batch channels h w] as a list of pixels, images, rows and columns in order."""
    return tensor.permute(0, 2, 3, 1).flatten(0, 2).tolist()


def prototypes_of(*vectors):
    """Vectors, None where there is none."""
    width = len(next(v for v in vectors if v is not None))
    stacked = torch.tensor([unit(v) if v is not None else [0.0] * width for v in vectors])
    return Prototypes(stacked, torch.tensor([v is not None for v in vectors]))


def scene(seed, batch=2, outputs=4, h=3, w=4, width=5):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.rand(batch, width, h, w, generator=generator)
    weights = (torch.rand(batch, outputs, h, w, generator=generator) - 0.3).clamp(min=0)
    labels = torch.randint(0, outputs, (batch, h, w), generator=generator)
    labels[:, 0, 0] = IGNORE
    uniform = torch.rand(batch, h, w, generator=generator)
    return embeddings, weights, labels, uniform


SCORES = torch.tensor([[[[0.9, 0.1, 0.3]], [[0.8, 0.2, 0.6]], [[1.0, 1.0, 1.0]]]])
PRESENT = torch.tensor([[1.0, 1.0, 0.0]])


def test_labels_are_of_present_classes_above_background():
    """0.9 over 0.8; 0.2 is not above 0.2; 0.6 over 0.3; the third class, largest everywhere, is absent."""
    assert pixel_labels(SCORES, PRESENT, 0.2).tolist() == [[[1, 0, 2]]]
    assert pixel_labels(SCORES, torch.zeros(1, 3), 0.2).tolist() == [[[0, 0, 0]]]


def test_weights_leave_absent_classes_out():
    found = pixel_weights(SCORES, PRESENT, 0.2)
    expected = torch.tensor([[[[0.1, 0.8, 0.4]], [[0.9, 0.1, 0.3]], [[0.8, 0.2, 0.6]], [[0, 0, 0]]]])
    torch.testing.assert_close(found, expected)


def test_published_weights_take_absent_classes_and_a_constant_background():
    found = pixel_weights(SCORES, PRESENT, 0.2, "taken", "constant")
    torch.testing.assert_close(found, torch.cat([torch.full((1, 1, 1, 3), 0.2), SCORES], 1))


def test_prototype_by_hand():
    """Weights 3, 1 and 0 of embeddings (2, 0), (0, 2) and (9, 9): (6, 2) of length √40; equal parts: (1, 1)/√2."""
    embeddings = torch.tensor([[[[2.0, 0, 9]], [[0.0, 2, 9]]]])
    weights = torch.tensor([[[[3.0, 1, 0]], [[0.0, 0, 0]], [[0.0, 0, 1]]]])
    found = class_prototypes(embeddings, weights, 2)
    torch.testing.assert_close(found.vectors[0], torch.tensor([6, 2]) / math.sqrt(40))
    assert found.vectors[1].tolist() == [0, 0]
    torch.testing.assert_close(found.vectors[2], torch.tensor([1, 1]) / math.sqrt(2))
    assert found.exists.tolist() == [True, False, True]
    torch.testing.assert_close(
        class_prototypes(embeddings, weights, 2, "unit").vectors[0], torch.tensor([1, 1]) / math.sqrt(2)
    )


def test_pixels_of_equal_weight_are_taken_together():
    """Two images of two pixels, one of them without an embedding; a constant weight takes all, not the first two."""
    embeddings = torch.tensor([[[[1.0, 0]], [[0.0, 1]], [[0.0, 0]]], [[[0.0, 0]], [[0.0, 0]], [[1.0, 0]]]])
    found = class_prototypes(embeddings, torch.full((2, 1, 1, 2), 0.2), 2)
    torch.testing.assert_close(found.vectors[0], torch.tensor([1, 1, 1]) / math.sqrt(3))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 12))
def test_the_order_of_images_and_pixels_makes_no_difference(seed, count):
    """Weights of tenths tie often."""
    embeddings, weights, _, _ = scene(seed, batch=3)
    weights = (10 * weights).round() / 10
    turned = class_prototypes(embeddings.flip(0, 3), weights.flip(0, 3), count)
    found = class_prototypes(embeddings, weights, count)
    torch.testing.assert_close(found.vectors, turned.vectors, atol=1e-6, rtol=1e-5)


def test_cells_of_padding():
    """Cells of 2 x 2 pixels: all, a half and a quarter of them inside."""
    valid = torch.tensor([[[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]]).bool()
    assert cells_inside(valid, (1, 3)).tolist() == [[[True, True, False]]]


def slow_prototypes(embeddings, weights, count, form):
    pixels = pixels_of(embeddings)
    vectors = []
    for output in range(weights.shape[1]):
        of_pixels = weights[:, output].flatten().tolist()
        last = sorted(of_pixels, reverse=True)[:count][-1]
        total = [0.0] * embeddings.shape[1]
        for i in range(len(pixels)):
            weight, vector = (of_pixels[i], pixels[i]) if form == "weighted" else (1.0, unit(pixels[i]))
            if of_pixels[i] >= last and of_pixels[i] > 0:
                total = [t + weight * v for t, v in zip(total, vector, strict=True)]
        vectors.append(unit(total))
    return vectors


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 30), st.sampled_from(["weighted", "unit"]))
def test_prototypes_are_the_double_loop(seed, count, form):
    embeddings, weights, _, _ = scene(seed)
    found = class_prototypes(embeddings, weights, count, form)
    torch.testing.assert_close(
        found.vectors, torch.tensor(slow_prototypes(embeddings, weights, count, form)), atol=1e-5, rtol=1e-5
    )


def test_contrast_by_hand():
    """Two prototypes at right angles; a pixel on the first: −log e² / (e² + 1) at τ = 1/2; labelled as the other,
    −log 1 / (e² + 1)."""
    embeddings = torch.tensor([[[[3.0, 5.0]], [[0.0, 0.0]]]])
    found = contrast_loss(embeddings, torch.tensor([[[0, 1]]]), prototypes_of([1, 0], [0, 1]), TAU)
    by_hand = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert found.item() == pytest.approx(sum(by_hand) / 2, rel=1e-6)


def test_a_class_without_prototype_is_neither_positive_nor_negative():
    """The third prototype does not exist: its pixel is left out, and the sum has two terms, not three."""
    embeddings = torch.tensor([[[[3.0, 5.0]], [[0.0, 0.0]]]])
    found = contrast_loss(embeddings, torch.tensor([[[0, 2]]]), prototypes_of([1, 0], [0, 1], None), TAU)
    assert found.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)


def slow_contrast(embeddings, labels, prototypes):
    vectors, exists = prototypes.vectors.tolist(), prototypes.exists.tolist()
    losses = []
    for pixel, label in zip(pixels_of(embeddings), labels.flatten().tolist(), strict=True):
        if label != IGNORE and exists[label]:
            powers = [math.exp(dot(unit(pixel), v) / TAU) for v, e in zip(vectors, exists, strict=True) if e]
            losses.append(-math.log(math.exp(dot(unit(pixel), vectors[label]) / TAU) / sum(powers)))
    return sum(losses) / max(len(losses), 1)


def slow_intra(embeddings, labels, prototypes, uniform, ranked):
    vectors, exists = prototypes.vectors.tolist(), prototypes.exists.tolist()
    numbers = uniform.flatten().tolist()
    of_class = {}
    for i, (pixel, label) in enumerate(zip(pixels_of(embeddings), labels.flatten().tolist(), strict=True)):
        if label == IGNORE or not exists[label]:
            continue
        similar = [dot(unit(pixel), v) for v in vectors]
        rivals = [k for k, e in enumerate(exists) if e and (ranked == "all" or k != label)]
        rivals.sort(key=lambda k: -similar[k])
        last = math.ceil(0.6 * len(rivals) - 1e-9)
        kept = max(1, math.floor(0.5 * len(rivals))) if rivals else 0
        powers = [math.exp(similar[k] / TAU) for k in rivals[last - kept : last]]
        own = math.exp(similar[label] / TAU)
        loss = -math.log(own / (own + sum(powers)))
        of_class.setdefault(label, []).append((similar[label], numbers[i], loss))
    means = []
    for found in of_class.values():
        half, last = len(found) // 2, int(0.6 * len(found) + 1e-9)
        if half:
            random_half = sorted(found, key=lambda one: one[1])[:half]
            hard_half = sorted(found, key=lambda one: one[0])[:last][-half:]
            means.append(sum(loss for _, _, loss in random_half + hard_half) / (2 * half))
    return sum(means) / max(len(means), 1)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 999),
    st.integers(1, 9),
    st.sampled_from(["negatives", "all"]),
    st.lists(st.booleans(), min_size=9, max_size=9),
)
def test_both_losses_are_the_double_loop(seed, outputs, ranked, exist):
    """Whatever prototypes there are, none included."""
    embeddings, weights, labels, uniform = scene(seed, outputs=outputs)
    full = class_prototypes(embeddings, weights + 0.01, 6)
    exists = full.exists & torch.tensor(exist[:outputs])
    prototypes = Prototypes(full.vectors * exists[:, None], exists)
    assert contrast_loss(embeddings, labels, prototypes, TAU).item() == pytest.approx(
        slow_contrast(embeddings, labels, prototypes), rel=1e-4, abs=1e-5
    )
    found = intra_view_loss(embeddings, labels, prototypes, uniform, TAU, ranked)
    by_loops = slow_intra(embeddings, labels, prototypes, uniform, ranked)
    assert found.item() == pytest.approx(by_loops, rel=1e-4, abs=1e-5)


def test_ranks_of_the_published_21_prototypes():
    """The 13 most similar without the first 3; among 20 negatives, the 12 most similar without the first 2."""
    assert semi_hard(21) == (3, 13)
    assert semi_hard(20) == (2, 12)
    assert [semi_hard(n) for n in range(7)] == [(0, 0), (0, 1), (1, 2), (1, 2), (1, 3), (1, 3), (1, 4)]


def test_own_prototype_may_count_twice_as_published():
    """Similarities 1 (own), 0.8 and 0.6: ranks 1 of 3 make 0.8 the negative. At similarity 0.8 to its own prototype and
    1 to another, the published ranks hold the own one, which then counts twice."""
    prototypes = prototypes_of([1, 0], [0.8, 0.6], [0.6, 0.8])
    embeddings = torch.tensor([[[[0.8, 0.8]], [[0.6, 0.6]]]])
    labels, uniform = torch.zeros(1, 1, 2, dtype=torch.long), torch.zeros(1, 1, 2)
    own, nearer, nearest = 0.8 / TAU, 0.96 / TAU, 1 / TAU
    all_ranked = intra_view_loss(embeddings, labels, prototypes, uniform, TAU, "all")
    assert all_ranked.item() == pytest.approx(math.log(1 + math.exp(nearer - own)), rel=1e-5)
    negatives = intra_view_loss(embeddings, labels, prototypes, uniform, TAU)
    assert negatives.item() == pytest.approx(math.log(1 + math.exp(nearer - own)), rel=1e-5)
    middle = prototypes_of([1, 0], [0.8, 0.6], [0, 1])
    twice = intra_view_loss(embeddings, labels, middle, uniform, TAU, "all")
    assert twice.item() == pytest.approx(math.log(2), rel=1e-5)
    once = intra_view_loss(embeddings, labels, middle, uniform, TAU)
    assert once.item() == pytest.approx(math.log(1 + math.exp(0.6 / TAU - own)), rel=1e-5)
    assert nearest > nearer


def test_half_of_the_pixels_are_random_and_half_are_hard():
    """Ten pixels: the five smallest numbers, then the least similar six without the first."""
    similarity = torch.tensor([0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5, 0.0])
    uniform = torch.tensor([0.0, 0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.5])
    assert hard_pixels(similarity, uniform).tolist() == [0, 2, 4, 6, 8, 1, 3, 5, 7, 8]
    assert hard_pixels(similarity[:3], uniform[:3]).tolist() == [0, 1]
    assert hard_pixels(similarity[:1], uniform[:1]).tolist() == []


def test_gradients_reach_the_embeddings_only():
    embeddings, weights, labels, uniform = scene(5)
    embeddings.requires_grad_()
    scores = weights[:, 1:].clone().requires_grad_()
    made = pixel_weights(scores, torch.ones(2, 3), 0.2)
    prototypes = class_prototypes(embeddings, made, 4)
    assert not made.requires_grad
    assert not prototypes.vectors.requires_grad
    for loss in (
        contrast_loss(embeddings, labels, prototypes),
        intra_view_loss(embeddings, labels, prototypes, uniform),
    ):
        (gradient,) = torch.autograd.grad(loss, embeddings)
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


@pytest.mark.parametrize("exist", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("zero", [True, False])
def test_no_nan_without_prototypes_or_embeddings(exist, zero):
    """A class of no pixels, a batch of one pixel, embeddings that the ReLU has emptied."""
    for size in ((1, 2, 1, 1), (2, 2, 2, 2)):
        embeddings = (torch.zeros if zero else torch.ones)(size, requires_grad=True)
        vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]]) * torch.tensor(exist)[:, None]
        prototypes = Prototypes(vectors, torch.tensor(exist))
        labels = torch.zeros(size[0], *size[2:], dtype=torch.long)
        loss = contrast_loss(embeddings, labels, prototypes)
        loss = loss + intra_view_loss(embeddings, labels, prototypes, torch.rand(labels.shape))
        loss.backward()
        assert loss.isfinite()
        assert embeddings.grad.isfinite().all()
        if not exist[0]:
            assert loss.item() == 0
