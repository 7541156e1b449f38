"""Scores of saliency by hand."""

import numpy as np
import pytest

from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.saliency import f_measure, saliency_counts, saliency_scores, with_true_classes
from seedbed.metrics.segmentation import mean_iou

TRUTH = np.array([[1, 2, 2, 0, 0, 0, 255]], np.uint8)
SALIENT = np.array([[1, 1, 0, 1, 0, 0, 1]], bool)


def test_by_hand():
    """Of 3 salient pixels 2 are found, with 1 false one; background has 2 of 3."""
    counts = saliency_counts(TRUTH, SALIENT)
    assert counts.tolist() == [[2, 1, 0], [1, 2, 0]]
    found = saliency_scores(counts)
    assert found["precision"] == found["recall"] == found["f1"] == found["f_beta"] == pytest.approx(2 / 3)
    assert found["mean_iou"] == pytest.approx(1 / 2)
    assert found["f1_all_salient"] == pytest.approx(2 / 3)  # P 1/2, R 1


def test_f_with_weights():
    """P 1/2, R 1: 1.3 · 0.5 / (0.3 · 0.5 + 1)."""
    assert f_measure(0.5, 1.0, 0.3) == pytest.approx(0.65 / 1.15)
    assert f_measure(0.0, 0.0, 1.0) == 0


@pytest.mark.parametrize(
    ("truth", "salient", "f1"), [(0, False, None), (0, True, 0.0), (1, False, 0.0), (1, True, 1.0)]
)
def test_one_colour(truth, salient, f1):
    shape = (2, 2)
    scores = saliency_scores(saliency_counts(np.full(shape, truth, np.uint8), np.full(shape, salient)))
    assert scores["f1"] == f1
    assert (scores["f1_all_salient"] is None) == (truth == 0)


def test_true_classes_as_the_prior():
    """Class 1: 1 of 1. Class 2: 1 of 2. Background: 2 of 3, and a salient pixel of class 2 predicted as background."""
    label_map = with_true_classes(TRUTH, SALIENT)
    assert label_map.tolist() == [[1, 2, 0, 255, 0, 0, 255]]
    counts = confusion_counts(TRUTH, label_map, 3)
    assert mean_iou(counts, neutral="missed") == pytest.approx((1 + 1 / 2 + 2 / 4) / 3)
