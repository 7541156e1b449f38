"""The reconstruction loss by hand."""

import pytest
import torch

from seedbed.losses.puzzle import reconstruction_loss

# Two images, two classes, maps of 1 x 2 cells.
WHOLE = torch.tensor([[[[1.0, -2.0]], [[5.0, 5.0]]], [[[0.0, 1.0]], [[2.0, 2.0]]]])
MERGED = torch.tensor([[[[0.0, 1.0]], [[0.0, 0.0]]], [[[1.0, 1.0]], [[2.0, 4.0]]]])
# Distances: [1, 3], [5, 5]; [1, 0], [0, 2]. Negative scores count as they are: no ReLU.


@pytest.mark.parametrize(
    ("labels", "mean", "expected"),
    [
        ([[1, 0], [1, 1]], "all", (4 + 1 + 2) / 8),
        ([[1, 0], [1, 1]], "present", (4 + 1 + 2) / 6),
        ([[1, 0], [1, 1]], "per_image", (4 / 2 + 3 / 4) / 2),
        ([[1, 0], [0, 0]], "per_image", (4 / 2 + 0) / 2),
        ([[1, 1], [1, 1]], "all", 17 / 8),
        ([[1, 1], [1, 1]], "present", 17 / 8),
        ([[0, 0], [0, 0]], "all", 0),
        ([[0, 0], [0, 0]], "present", 0),
    ],
)
def test_by_hand(labels, mean, expected):
    loss = reconstruction_loss(WHOLE, MERGED, torch.tensor(labels, dtype=torch.float), mean)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_gradient_reaches_both_maps_of_present_classes_only():
    whole, merged = WHOLE.clone().requires_grad_(), MERGED.clone().requires_grad_()
    reconstruction_loss(whole, merged, torch.tensor([[1.0, 0.0], [0.0, 0.0]])).backward()
    assert whole.grad is not None
    assert whole.grad[0, 0].tolist() == [[1 / 8, -1 / 8]]
    assert torch.equal(whole.grad, -merged.grad)
    assert whole.grad[0, 1].abs().sum() + whole.grad[1].abs().sum() == 0
