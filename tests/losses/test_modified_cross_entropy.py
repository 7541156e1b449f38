"""ISIM's modified cross-entropy, by hand in both readings."""

import math

import pytest
import torch

from seedbed.labels import IGNORE
from seedbed.losses.modified_cross_entropy import has_foreground, modified_cross_entropy

THREE = math.log(3)
LOGITS = torch.tensor([[[[0.0, 0.0]], [[THREE, 0.0]]], [[[0.0, 0.0]], [[THREE, THREE]]]])
"""Two images of two pixels; where class 1 has log 3, softmax gives (1/4, 3/4), and else (1/2, 1/2)."""
LABELS = torch.tensor([[[1, 0]], [[0, 0]]])
"""The second image is all background."""
OWN = (-math.log(0.75), math.log(2))
"""Cross-entropy of the first image's two pixels."""


@pytest.mark.parametrize(
    ("reading", "expected"), [("zeroed", (sum(OWN) + 2 * math.log(2)) / 4), ("dropped", sum(OWN) / 2)]
)
def test_both_readings_by_hand(reading, expected):
    found = modified_cross_entropy(LOGITS, LABELS, reading)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_an_all_background_image_has_no_gradient_and_counts_in_the_mean_of_one_reading_only():
    gradients = {}
    for reading in ("zeroed", "dropped"):
        logits = LOGITS.clone().requires_grad_()
        modified_cross_entropy(logits, LABELS, reading).backward()
        assert logits.grad[1].abs().sum() == 0
        gradients[reading] = logits.grad[0]
    assert gradients["zeroed"].abs().sum() > 0
    # d CE / d logit = p - y, over 4 pixels: the first has p = (1/4, 3/4) and y = (0, 1).
    assert gradients["zeroed"][:, 0, 0].tolist() == pytest.approx([0.25 / 4, -0.25 / 4])
    torch.testing.assert_close(gradients["dropped"], 2 * gradients["zeroed"])


@pytest.mark.parametrize(("reading", "value"), [("zeroed", math.log(2)), ("dropped", 0.0)])
def test_a_batch_without_foreground_teaches_nothing(reading, value):
    logits = LOGITS.clone().requires_grad_()
    loss = modified_cross_entropy(logits, torch.zeros_like(LABELS), reading)
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-6)
    assert logits.grad.abs().sum() == 0


def test_pixels_without_label_are_no_foreground_and_do_not_count():
    labels = torch.tensor([[[1, IGNORE]], [[0, IGNORE]]])
    assert has_foreground(labels).tolist() == [True, False]
    expected = {"zeroed": (OWN[0] + math.log(2)) / 2, "dropped": OWN[0]}
    for reading, value in expected.items():
        assert modified_cross_entropy(LOGITS, labels, reading).item() == pytest.approx(value, abs=1e-6)


def test_a_label_without_an_output_is_refused():
    with pytest.raises(ValueError, match="expected labels from 0 to 1"):
        modified_cross_entropy(LOGITS, torch.full_like(LABELS, 2))
