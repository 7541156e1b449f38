"""Hand-worked values of the multi-label loss and of pixel cross-entropy."""

import math

import pytest
import torch

from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels
from seedbed.losses.segmentation import pixel_cross_entropy


def test_soft_margin_by_hand():
    # σ(0) = 1/2; σ(ln 3) = 3/4. Terms: -log(1/2), -log(1 - 3/4), -log(3/4), -log(1/2).
    logits = torch.tensor([[0.0, math.log(3)], [math.log(3), 0.0]])
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    expected = (math.log(2) + math.log(4) + math.log(4 / 3) + math.log(2)) / 4
    assert multilabel_soft_margin(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_soft_margin_is_torchs_multilabel_soft_margin():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 4, generator=generator)
    labels = (torch.rand(5, 4, generator=generator) > 0.5).float()
    theirs = torch.nn.functional.multilabel_soft_margin_loss(logits, labels)
    assert multilabel_soft_margin(logits, labels).item() == pytest.approx(theirs.item(), rel=1e-6)


def test_soft_margin_of_a_hopeless_logit_is_finite():
    loss = multilabel_soft_margin(torch.tensor([[-1000.0]]), torch.tensor([[1.0]]))
    assert loss.item() == pytest.approx(1000.0)


def test_smoothing_by_hand():
    # a = 0.1: 1 -> 0.95, 0 -> 0.05, 0.5 stays.
    smoothed = smooth_labels(torch.tensor([1.0, 0.0, 0.5]), 0.1)
    torch.testing.assert_close(smoothed, torch.tensor([0.95, 0.05, 0.5]))


@pytest.mark.parametrize("amount", [-0.1, 1.0])
def test_smoothing_refuses(amount):
    with pytest.raises(ValueError, match=r"expected label smoothing in \[0, 1\)"):
        smooth_labels(torch.tensor([1.0]), amount)


def test_cross_entropy_by_hand_leaves_out_unlabelled_pixels():
    # Three pixels, two outputs: logits (0, ln 3) -> p = (1/4, 3/4); (0, 0) -> (1/2, 1/2); the third is 255.
    logits = torch.tensor([[[[0.0, 0.0, 9.0]], [[math.log(3), 0.0, -9.0]]]])
    labels = torch.tensor([[[1, 0, 255]]])
    expected = (math.log(4 / 3) + math.log(2)) / 2
    assert pixel_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_pools_pixels_over_the_batch():
    # One labelled pixel in the first image (log 2), three in the second (log 4/3 each): mean of four.
    logits = torch.zeros(2, 2, 1, 3)
    logits[1, 1] = math.log(3)
    labels = torch.tensor([[[0, 255, 255]], [[1, 1, 1]]])
    expected = (math.log(2) + 3 * math.log(4 / 3)) / 4
    assert pixel_cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_without_a_label_is_zero_with_zero_gradient():
    logits = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = pixel_cross_entropy(logits, torch.full((1, 2, 2), 255))
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_cross_entropy_names_wrong_labels():
    with pytest.raises(ValueError, match=r"expected labels from 0 to 2, or 255 for none, got \[7\]"):
        pixel_cross_entropy(torch.zeros(1, 3, 1, 2), torch.tensor([[[7, 1]]]))


def test_generalised_cross_entropy_by_hand():
    """p = 3/4 and 1/2 of the labels, q = 1/2: (1 - √p) · 2; the third pixel has no label."""
    logits = torch.tensor([[[[0.0, 0.0, 9.0]], [[math.log(3), 0.0, -9.0]]]])
    labels = torch.tensor([[[1, 0, 255]]])
    expected = ((1 - math.sqrt(0.75)) + (1 - math.sqrt(0.5))) * 2 / 2
    assert pixel_cross_entropy(logits, labels, robustness=0.5).item() == pytest.approx(expected, rel=1e-6)
    assert pixel_cross_entropy(logits, labels, robustness=1.0).item() == pytest.approx(0.375, rel=1e-6)


def test_generalised_cross_entropy_of_a_small_q_is_cross_entropy():
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(2, 4, 3, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (2, 3, 3), generator=generator)
    plain = pixel_cross_entropy(logits, labels)
    assert pixel_cross_entropy(logits, labels, robustness=1e-7).item() == pytest.approx(
        plain.item(), rel=1e-6
    )


def test_generalised_cross_entropy_doubts_labels_that_the_network_does():
    """Its gradient is p^q times that of cross-entropy (Zhang & Sabuncu 2018, eq. 7)."""
    gradients = []
    for q in (0.0, 0.7):
        logits = torch.tensor([[[[0.0]], [[math.log(3)]]]], requires_grad=True)
        pixel_cross_entropy(logits, torch.tensor([[[0]]]), robustness=q).backward()
        assert logits.grad is not None
        gradients.append(logits.grad)
    assert torch.allclose(gradients[1], gradients[0] * 0.25**0.7)


def test_generalised_cross_entropy_without_a_label_is_zero_with_zero_gradient():
    logits = torch.randn(1, 3, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = pixel_cross_entropy(logits, torch.full((1, 2, 2), 255), robustness=0.7)
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()
