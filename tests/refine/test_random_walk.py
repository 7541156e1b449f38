"""The walk against dense float64 powers of the transition matrix, formed pixel by pixel."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.refine import random_walk_torch
from seedbed.refine.affinity_labels import pair_offsets
from seedbed.refine.random_walk import walk
from seedbed.refine.random_walk_torch import walk_arrays, walk_torch
from seedbed.refine.walk_arguments import METHODS, chebyshev_expansion


def transition_matrix(affinity, offsets, beta):
    """T = A D⁻¹ with A symmetric, its diagonal 1, D its column sums; plain loops in float64."""
    _, h, w = affinity.shape
    matrix = np.eye(h * w)
    for k, (dy, dx) in enumerate(offsets):
        for y in range(h):
            for x in range(w):
                if y + dy < h and 0 <= x + dx < w:
                    i, j = y * w + x, (y + dy) * w + x + dx
                    matrix[i, j] = matrix[j, i] = float(affinity[k, y, x]) ** beta
    return matrix / matrix.sum(axis=0, keepdims=True)


def dense_walk(scores, affinity, offsets, beta, steps):
    transition = np.linalg.matrix_power(transition_matrix(affinity, offsets, beta), steps)
    return (scores.reshape(len(scores), -1).astype(np.float64) @ transition).reshape(scores.shape)


def example(h, w, radius, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    offsets = pair_offsets(radius)
    return (
        rng.random((classes, h, w), dtype=np.float32),
        rng.random((len(offsets), h, w), dtype=np.float32),
        offsets,
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("beta", "steps"), [(8.0, 256), (10.0, 64), (1.0, 7), (2.5, 1)])
def test_equals_dense_powers(method, beta, steps):
    scores, affinity, offsets = example(12, 16, 5)
    expected = dense_walk(scores, affinity, offsets, beta, steps)
    result = walk(scores, affinity, offsets, beta=beta, steps=steps, method=method)
    assert np.abs(result - expected).max() <= 2e-6 * expected.max()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0.93, 0.99, 1.0])
def test_even_areas_do_not_drift(method, level):
    # Rounded weights err alike in an even area, which 256 steps add up: a plain sum was 7e-6 off.
    scores, affinity, offsets = example(20, 24, 5)
    affinity[:] = level
    expected = dense_walk(scores, affinity, offsets, 8.0, 256)
    assert np.abs(walk(scores, affinity, offsets, method=method) - expected).max() <= 1e-6 * expected.max()


@pytest.mark.parametrize("method", METHODS)
def test_nearly_lone_groups_do_not_drift(method):
    # Six pixels tied to one another and hardly to the rest; on a photograph a plain sum was 5e-5 off.
    scores, affinity, offsets = example(20, 24, 5)
    group = np.zeros((20, 24), dtype=bool)
    group[9:12, 12:14] = True
    for k, (dy, dx) in enumerate(offsets):
        affinity[k] = np.where(group == np.roll(group, (-dy, -dx), (0, 1)), 0.97, 0.2)
    expected = dense_walk(scores, affinity, offsets, 8.0, 256)
    assert np.abs(walk(scores, affinity, offsets, method=method) - expected).max() <= 5e-6 * expected.max()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (3, 2), (2, 7)])
@pytest.mark.parametrize("method", METHODS)
def test_grids_smaller_than_the_radius(size, method):
    scores, affinity, offsets = example(*size, 5)
    expected = dense_walk(scores, affinity, offsets, 2.0, 16)
    assert np.allclose(
        walk(scores, affinity, offsets, beta=2.0, steps=16, method=method), expected, atol=3e-6
    )


def test_two_pixels_by_hand():
    # a² = 1/4 beside a self-loop of 1: T = [[4, 1], [1, 4]] / 5; [1, 0] T = [4, 1]/5, [1, 0] T² = [17, 8]/25.
    scores = np.array([[[1.0, 0.0]]], dtype=np.float32)
    affinity = np.full((1, 1, 2), 0.5, dtype=np.float32)
    once, twice = (walk(scores, affinity, ((0, 1),), beta=2.0, steps=n, method="power") for n in (1, 2))
    assert np.allclose(once, [[[0.8, 0.2]]])
    assert np.allclose(twice, [[[0.68, 0.32]]])


def test_columns_are_normalised_by_hand():
    # Three pixels in a row, all affinities 1: column sums 2, 3, 2. x = [1, 0, 0]: x T = [1/2, 1/3, 0].
    # Normalised rows would give [1/2, 1/2, 0].
    scores = np.array([[[1.0, 0.0, 0.0]]], dtype=np.float32)
    affinity = np.ones((1, 1, 3), dtype=np.float32)
    assert np.allclose(walk(scores, affinity, ((0, 1),), steps=1), [[[1 / 2, 1 / 3, 0]]])


def test_no_pair_leaves_the_grid():
    # The affinity stored at the right end of each row belongs to no pair; a wrapped walk would mix rows.
    scores = np.array([[[0.0, 0.0], [1.0, 1.0]]], dtype=np.float32)
    affinity = np.ones((1, 2, 2), dtype=np.float32)
    assert np.allclose(walk(scores, affinity, ((0, 1),), steps=32), scores, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    h=st.integers(1, 12),
    w=st.integers(1, 12),
    radius=st.integers(2, 5),
    steps=st.sampled_from([1, 3, 64, 256]),
    method=st.sampled_from(METHODS),
    seed=st.integers(0, 99),
)
def test_constants_stay_and_outputs_are_convex_combinations(h, w, radius, steps, method, seed):
    scores, affinity, offsets = example(h, w, radius, seed=seed)
    scores[0] = 0.7
    result = walk(scores, affinity, offsets, beta=1.0, steps=steps, method=method)
    assert np.allclose(result[0], 0.7, atol=1e-6)
    assert result[1].min() >= scores[1].min() - 1e-6
    assert result[1].max() <= scores[1].max() + 1e-6


@pytest.mark.parametrize(("products", "printed"), [(52, 8.9e-4), (70, 8.0e-6), (84, 8.3e-8)])
def test_tail_bounds_the_error_in_the_weighted_norm(products, printed):
    tail = chebyshev_expansion(256, products).tail
    assert tail == pytest.approx(printed, rel=0.01)
    scores, affinity, offsets = example(12, 16, 5)
    degree = np.ones((12, 16))
    for k, (dy, dx) in enumerate(offsets):
        pairs = affinity[k, : 12 - dy, max(0, -dx) : min(16, 16 - dx)].astype(np.float64) ** 8
        degree[: 12 - dy, max(0, -dx) : min(16, 16 - dx)] += pairs
        degree[dy:, max(0, dx) : min(16, 16 + dx)] += pairs
    error = walk(scores, affinity, offsets, products=products) - dense_walk(scores, affinity, offsets, 8, 256)
    weighted = np.linalg.norm(error * np.sqrt(degree)) / np.linalg.norm(scores * np.sqrt(degree))
    rounding = 1e-6
    assert weighted <= tail + rounding


def test_expansion_of_small_powers_by_hand():
    # x² = (T₀ + T₂)/2; x³ = (3 T₁ + T₃)/4; x⁴ = (3 T₀ + 4 T₂ + T₄)/8.
    assert chebyshev_expansion(2, 9).coefficients.tolist() == [1 / 2, 0, 1 / 2]
    assert chebyshev_expansion(3, 9).coefficients.tolist() == [0, 3 / 4, 0, 1 / 4]
    cut = chebyshev_expansion(4, 2)
    assert cut.coefficients.tolist() == [3 / 8, 0, 4 / 8]
    assert cut.tail == float(Fraction(1, 8))


def test_classes_do_not_influence_one_another():
    scores, affinity, offsets = example(9, 11, 4, classes=3)
    whole = walk(scores, affinity, offsets)
    assert np.array_equal(whole[1:2], walk(scores[1:2], affinity, offsets))


def test_background_only_image():
    scores, affinity, offsets = example(5, 6, 3, classes=0)
    assert walk(scores, affinity, offsets).shape == (0, 5, 6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [(12, 16), (1, 7), (2, 3)])
def test_torch_form_equals_dense_powers(method, size):
    scores, affinity, offsets = example(*size, 5)
    other_scores, other_affinity, _ = example(*size, 5, seed=1)
    result = walk_torch(
        torch.from_numpy(np.stack([scores, other_scores])),
        torch.from_numpy(np.stack([affinity, other_affinity])),
        offsets,
        method=method,
    ).numpy()
    for got, s, a in ((result[0], scores, affinity), (result[1], other_scores, other_affinity)):
        expected = dense_walk(s, a, offsets, 8, 256)
        assert np.abs(got - expected).max() <= 2e-6 * expected.max()


@pytest.mark.parametrize("method", METHODS)
def test_torch_form_of_one_image_agrees_with_the_compiled_form(method):
    scores, affinity, offsets = example(30, 40, 5, classes=3)
    scores.setflags(write=False)
    arguments = {"beta": 10.0, "steps": 64, "method": method, "products": 40}
    result = walk_arrays(scores, affinity, offsets, "cpu", **arguments)
    assert result.dtype == np.float32
    assert np.abs(result - walk(scores, affinity, offsets, **arguments)).max() <= 1e-4


def test_other_devices_walk_in_torch_and_the_cpu_does_not(monkeypatch):
    calls = []

    def recorded(scores, affinity, offsets, device, **arguments):
        calls.append((device, offsets, arguments))
        return scores + 1

    monkeypatch.setattr(random_walk_torch, "walk_arrays", recorded)
    scores, affinity, offsets = example(4, 5, 2)
    arguments = {"beta": 10.0, "steps": 64, "method": "power", "products": 40}
    assert np.array_equal(walk(scores, affinity, offsets, device="cuda:1", **arguments), scores + 1)
    assert calls == [("cuda:1", offsets, arguments)]
    walk(scores, affinity, offsets, device="cpu", **arguments)
    assert len(calls) == 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_walk_on_a_gpu():
    scores, affinity, offsets = example(30, 40, 5)
    expected = walk(scores, affinity, offsets, method="power")
    result = walk(scores, affinity, offsets, device="cuda")
    assert np.abs(result - expected).max() <= 2e-6 * expected.max()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"offsets": ((0, 1),)}, r"expected affinities of shape \(1, 4, 4\).*got \(2, 4, 4\)"),
        ({"offsets": ((0, 1), (0, -1))}, r"half plane.*got \[\(0, -1\)\]"),
        ({"offsets": ((0, 1), (0, 1))}, "expected different offsets"),
        ({"beta": 0.0}, "expected beta > 0, got 0.0"),
        ({"steps": 0}, "expected at least 1 step and 1 product, got 0"),
    ],
)
def test_refuses_what_does_not_fit(change, message):
    arguments = {"offsets": ((0, 1), (1, 0)), "beta": 8.0, "steps": 4} | change
    scores, affinity = np.zeros((1, 4, 4), np.float32), np.ones((2, 4, 4), np.float32)
    with pytest.raises(ValueError, match=message):
        walk(scores, affinity, **arguments)
    with pytest.raises(ValueError, match=message):
        walk_torch(torch.from_numpy(scores)[None], torch.from_numpy(affinity)[None], **arguments)


def test_unknown_method_is_answered_with_near_names():
    scores, affinity, offsets = example(4, 4, 2)
    with pytest.raises(ValueError, match=r"unknown walk method 'chebishev'; did you mean chebyshev\?"):
        walk(scores, affinity, offsets, method="chebishev")


@pytest.mark.parametrize("bad", [-0.5, np.nan, np.inf])
def test_refuses_affinities_that_are_none(bad):
    scores, affinity = np.zeros((1, 2, 2), np.float32), np.ones((1, 2, 2), np.float32)
    affinity[0, 0, 0] = bad
    for beta in (1.0, 8.0):  # an even power hides a sign
        with pytest.raises(ValueError, match="expected finite affinities of at least 0"):
            walk(scores, affinity, ((0, 1),), beta=beta)
    with pytest.raises(ValueError, match="expected finite affinities of at least 0"):
        walk_torch(torch.from_numpy(scores)[None], torch.from_numpy(affinity)[None], ((0, 1),), beta=1.0)
