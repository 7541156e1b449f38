"""Class-specific erasing by hand."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.losses.erasing import (
    EPSILON,
    class_maps,
    erase_softly,
    kept_pixels,
    labels_without,
    normalise_maps,
    pick_present_class,
)

LABELS = torch.tensor([[0.0, 1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("uniform", "expected"), [(0.0, 1), (0.33, 1), (0.34, 3), (0.66, 3), (0.67, 4), (0.999, 4)]
)
def test_thirds_of_the_unit_interval_pick_the_three_present_classes(uniform, expected):
    assert pick_present_class(LABELS, torch.full((3,), uniform)).tolist() == [expected, 0, -1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True, width=32))
def test_only_present_classes_are_picked(present, uniform):
    labels = torch.tensor([present], dtype=torch.float)
    (chosen,) = pick_present_class(labels, torch.tensor([uniform], dtype=torch.float32)).tolist()
    assert chosen == -1 if not any(present) else present[chosen]


def test_labels_lose_the_chosen_class():
    left = labels_without(LABELS, torch.tensor([3, 0, -1]))
    assert left.tolist() == [[0, 1, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_map_of_the_chosen_class_is_clipped_then_upsampled():
    """Bilinear from 1 x 2 to 1 x 4 cells: weights 1, 3/4, 1/4, 0 of the left one."""
    logits = torch.tensor([[[[9.0, 9.0]], [[4.0, -4.0]]], [[[7.0, 7.0]], [[7.0, 7.0]]]])
    maps = class_maps(logits, torch.tensor([1, -1]), (1, 4))
    assert maps[0, 0].tolist() == [[4, 3, 1, 0]]
    assert maps[1].abs().sum() == 0


def test_maximum_of_batch_or_image():
    maps = torch.tensor([[[[4.0, 2.0]]], [[[1.0, 0.0]]], [[[0.0, 0.0]]]])
    batch, image = normalise_maps(maps, "batch"), normalise_maps(maps, "image")
    torch.testing.assert_close(
        batch.flatten(1), torch.tensor([[1, 0.5], [0.25, 0], [0, 0]]), atol=2 * EPSILON, rtol=0
    )
    torch.testing.assert_close(
        image.flatten(1), torch.tensor([[1, 0.5], [1, 0], [0, 0]]), atol=2 * EPSILON, rtol=0
    )


def test_soft_erasure_goes_to_the_mean_colour():
    images = torch.tensor([[[[2.0, -4.0]], [[1.0, 1.0]], [[0.0, 8.0]]]])
    erased = erase_softly(images, torch.tensor([[[[1.0, 0.25]]]]))
    assert erased.tolist() == [[[[0, -3]], [[0, 0.75]], [[0, 6]]]]


def test_hard_mask_keeps_what_is_not_above_the_threshold():
    """Not the literal reading 1 - psi > delta, which would keep 0.5, too."""
    psi = torch.tensor([[[[0.0, 0.2, 0.21, 0.5, 1.0]]]])
    assert kept_pixels(psi, 0.2).flatten().tolist() == [True, True, False, False, False]


def test_gradient_flows_through_the_mask_into_the_chosen_map_only():
    logits = torch.tensor([[[[3.0, 1.0]], [[4.0, 2.0]]]], requires_grad=True)
    maps = class_maps(logits, torch.tensor([1]), (1, 2))
    erase_softly(torch.ones(1, 3, 1, 2), normalise_maps(maps, "image")).sum().backward()
    # Three channels of -psi: d/dA2 = -3 / max, d/dA1 = +3 A2 / max² (the maximum is A1 itself).
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad[0, 1], torch.tensor([[3 * 2 / 16, -3 / 4]]), atol=1e-4, rtol=0)
    assert logits.grad[0, 0].abs().sum() == 0
