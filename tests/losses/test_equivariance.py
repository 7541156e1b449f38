"""SEAM's losses by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.cam.normalisation import by_min_max
from seedbed.losses.equivariance import (
    cross_equivariance_loss,
    equivariance_loss,
    minimum_pooling_loss,
    resized,
    stretched,
)


def row(*values):
    """Maps of one image, one row of cells each."""
    return torch.tensor([[[list(v)] for v in values]])


def test_corners_keep_their_values():
    """With aligned corners 0 and 2 have 1 in the middle; without, the first of four would be 0.25."""
    assert resized(row([0.0, 2.0]), (1, 3)).flatten().tolist() == [0, 1, 2]
    assert resized(row([0.0, 3.0]), (1, 4)).flatten().tolist() == pytest.approx([0, 1, 2, 3])
    assert resized(row([0.0, 1.0, 2.0, 3.0]), (1, 2)).flatten().tolist() == [0, 3]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-5, 5, width=32), min_size=6, max_size=6))
def test_stretching_is_that_of_inference(values):
    maps = np.array(values, np.float32).reshape(2, 1, 3)
    np.testing.assert_allclose(
        stretched(torch.from_numpy(maps)[None])[0].numpy(), by_min_max(maps), atol=1e-6
    )


def test_stretching_by_hand():
    """ReLU first: extremes 0 and 4, and 1 and 3; a constant map becomes 0."""
    found = stretched(row([-2.0, 1.0, 4.0], [1.0, 2.0, 3.0], [5.0, 5.0, 5.0]))
    torch.testing.assert_close(found, row([0, 0.25, 1.0], [0, 0.5, 1.0], [0, 0, 0.0]), atol=2e-5, rtol=0)


def test_equivariance_by_hand():
    """|differences| 0.5, 0, 0 of the first class, 0.25, 0.75, 0 of the second, over 6 entries."""
    first, second = row([1.0, 0, 0], [0.5, 0, 1]), row([0.5, 0, 0], [0.25, 0.75, 1])
    assert equivariance_loss(first, second).item() == pytest.approx(1.5 / 6)


PLAIN = row([1.0, 0.5, 0, 0, 0.25])
REFINED = row([0.0, 0, 1, 0, 0.75], [0.9, 0.5, 0, 0.2, 0.25])


def test_the_largest_fifth_of_entries_or_of_pixels():
    """Background's goal is 0, 0.5, 1, 1, 0.75: it misses by 0.5 at the second and 1 at the fourth pixel; the class by
    0.1 and 0.2 at the first and the fourth. Two of ten entries: (1 + 0.5)/2. One of five pixels: (1 + 0.2)/2."""
    assert cross_equivariance_loss(PLAIN, REFINED).item() == pytest.approx(0.75)
    assert cross_equivariance_loss(PLAIN, REFINED, hardest="pixels").item() == pytest.approx(0.6)
    assert cross_equivariance_loss(PLAIN, REFINED, share=1.0).item() == pytest.approx(0.18)


@pytest.mark.parametrize(("hardest", "expected"), [("entries", 1.8 / 5), ("pixels", 1.2 / 5)])
def test_outputs_that_are_not_there_are_zero_in_both(hardest, expected):
    """2 of 5 outputs, and the same with the other 3 written out. Five of 25 entries: 1, 0.5, 0.2, 0.1 and a 0."""
    empty = torch.zeros(1, 3, *PLAIN.shape[2:])
    outputs = REFINED.shape[1] + 3
    whole = cross_equivariance_loss(
        torch.cat([PLAIN, empty], 1), torch.cat([REFINED, empty], 1), hardest=hardest
    )
    found = cross_equivariance_loss(PLAIN, REFINED, hardest=hardest, outputs=outputs)
    assert found.item() == pytest.approx(expected)
    assert whole.item() == pytest.approx(expected)
    assert found < cross_equivariance_loss(PLAIN, REFINED, hardest=hardest)


def test_more_counted_outputs_than_there_are_by_hand():
    """One pixel: differences 0.5 and 0.5 of 2 outputs, as for 10 outputs, all of which count: their mean is 0.1."""
    found = cross_equivariance_loss(row([0.5]), row([0.0], [0.0]), share=1.0, outputs=10)
    assert found.item() == pytest.approx(0.1)


def test_the_largest_are_those_of_each_image():
    """The second image is perfect: over both images the largest fifth would all be the first one's."""
    plain = torch.cat([PLAIN, PLAIN])
    perfect = torch.cat([1 - PLAIN, PLAIN], 1)
    refined = torch.cat([REFINED, perfect])
    assert cross_equivariance_loss(plain, refined).item() == pytest.approx(0.75 / 2)


def test_a_goal_keeps_each_pixels_strongest_class():
    """Goals: background 0.4 and 0.7, the first class 0.6 and 0, the second 0 and 0.3."""
    goal = row([0.4, 0.7], [0.6, 0], [0, 0.3])
    assert cross_equivariance_loss(row([0.6, 0.2], [0.4, 0.3]), goal, share=1.0).item() == pytest.approx(
        0, abs=1e-7
    )


def test_the_target_gets_no_gradient():
    plain, refined = PLAIN.clone().requires_grad_(), REFINED.clone().requires_grad_()
    cross_equivariance_loss(plain, refined).backward()
    assert plain.grad is None
    # Two entries count, each with ±1/2: background's fourth and second pixel, both too small.
    expected = torch.zeros_like(REFINED)
    expected[0, 0, 0, [1, 3]] = -0.5
    torch.testing.assert_close(refined.grad, expected)


def test_lowest_quarter_of_the_strongest_class():
    """Strongest: 0.1, 0.9, 0.4, 0.8, 0.3, 0.7, 0.6, 0.5; the lowest two of eight are 0.1 and 0.3."""
    maps = row([0.1, 0.9, 0.2, 0.8, 0.3, 0, 0, 0], [0, 0.1, 0.4, 0, 0, 0.7, 0.6, 0.5])
    assert minimum_pooling_loss(maps).item() == pytest.approx(0.2)
    assert minimum_pooling_loss(torch.cat([maps, 0 * maps])).item() == pytest.approx(0.1)


def test_single_pixels_count_whole():
    assert minimum_pooling_loss(row([0.5])).item() == 0.5
    assert cross_equivariance_loss(row([0.5]), row([0.0], [0.0])).item() == 0.5
