"""AffinityNet's loss, worked out by hand."""

from math import log

import pytest
import torch

from seedbed.losses.affinity import affinity_loss


def chosen(*indices):
    mask = torch.zeros(1, 1, 2, 3, dtype=torch.bool)
    mask.view(-1)[list(indices)] = True
    return mask


def test_by_hand():
    affinity = torch.tensor([[[[0.5, 0.25, 0.125], [0.75, 0.5, 0.9]]]])
    loss = affinity_loss(affinity, chosen(0, 1), chosen(2), chosen(3, 4))
    # In units of ln 2: bg (1 + 2)/2, fg 3, neg (−log₂ ¼ − log₂ ½)/2 = (2 + 1)/2; the sixth pair is in no set.
    background, foreground, negative = 1.5 * log(2), 3 * log(2), 1.5 * log(2)
    assert loss.background.item() == pytest.approx(background, abs=2e-4)
    assert loss.foreground.item() == pytest.approx(foreground, abs=2e-4)
    assert loss.negative.item() == pytest.approx(negative, abs=2e-4)
    assert loss.total.item() == pytest.approx((1.5 / 4 + 3 / 4 + 1.5 / 2) * log(2), abs=2e-4)


def test_irn_writes_the_same_sum():
    affinity = torch.rand(1, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    loss = affinity_loss(affinity, chosen(0, 1), chosen(2), chosen(3, 4))
    positive = loss.background / 2 + loss.foreground / 2
    assert torch.isclose(loss.total, (positive + loss.negative) / 2)


def test_each_set_counts_by_its_own_number():
    affinity = torch.full((1, 1, 2, 3), 0.5)
    few = affinity_loss(affinity, chosen(0), chosen(1), chosen(2))
    many = affinity_loss(affinity, chosen(0, 3, 4, 5), chosen(1), chosen(2))
    assert torch.isclose(few.total, many.total, atol=1e-4)


def test_empty_sets_and_certain_pairs_stay_finite():
    affinity = torch.tensor([[[[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]]], requires_grad=True)
    loss = affinity_loss(affinity, chosen(), chosen(0), chosen(1))
    assert loss.background.item() == 0
    # −log(1e-5) where the affinity is exactly wrong.
    assert loss.foreground.item() == pytest.approx(-log(1e-5), rel=1e-3)
    assert loss.negative.item() == pytest.approx(-log(1e-5), rel=1e-2)
    loss.total.backward()
    assert torch.isfinite(affinity.grad).all()
