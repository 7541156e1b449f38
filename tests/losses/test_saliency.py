"""PoolNet's loss by hand: summed over pixels, averaged over images, without padding."""

import math

import pytest
import torch

from seedbed.losses.saliency import summed_cross_entropy


def test_by_hand():
    """σ(ln 3) = 3/4; the last column of the first image is padding."""
    logits = torch.full((2, 1, 1, 3), math.log(3), requires_grad=True)
    targets = torch.tensor([[[[1.0, 0.0, 1.0]]], [[[0.5, 1.0, 1.0]]]])
    valid = torch.tensor([[[True, True, False]], [[True, True, True]]])
    yes, no = -math.log(3 / 4), -math.log(1 / 4)
    loss = summed_cross_entropy(logits, targets, valid)
    assert loss.item() == pytest.approx((yes + no + (yes + no) / 2 + 2 * yes) / 2, rel=1e-6)
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope[0, 0, 0, 2] == 0


@pytest.mark.parametrize("wrong", [255.0, -0.1])
def test_other_ranges_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected saliency in \[0, 1\]"):
        summed_cross_entropy(
            torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), wrong), torch.ones(1, 1, 1).bool()
        )


def test_rounding_is_no_fault():
    """A resized map of ones may lie a little above 1."""
    one, above = (
        summed_cross_entropy(
            torch.zeros(1, 1, 1, 1), torch.full((1, 1, 1, 1), value), torch.ones(1, 1, 1).bool()
        )
        for value in (1.0, 1.0000002)
    )
    assert one == above
