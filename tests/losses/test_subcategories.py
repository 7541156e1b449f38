"""Labels of sub-categories, by hand."""

import pytest
import torch

from seedbed.losses.subcategories import subcategory_labels


def test_labels_by_hand():
    """Two classes of three sub-categories; the second image has the second class alone."""
    clusters = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    assert subcategory_labels(clusters, 3).tolist() == [[0, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1]]


def test_an_image_without_a_class_has_no_subcategory():
    assert not subcategory_labels(torch.full((1, 4), -1.0), 5).any()


def test_an_image_has_as_many_subcategories_as_classes():
    clusters = torch.tensor([[0.0, 3.0, -1.0, 2.0]])
    labels = subcategory_labels(clusters, 4).view(4, 4)
    assert labels.sum(1).tolist() == [1, 1, 0, 1]


def test_a_number_beyond_the_outputs_is_refused():
    with pytest.raises(
        ValueError, match=r"expected sub-categories from 0 to 1, got 2; the table was made with another K"
    ):
        subcategory_labels(torch.tensor([[2.0]]), 2)
