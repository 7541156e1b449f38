"""Presence of labelled classes, agreement of views, areas and regrets: by hand, and against slow loops."""

import numpy as np
import pytest

from seedbed.metrics.label_presence import LabelPresence
from seedbed.metrics.regret import nearest, only_highest, regret
from seedbed.metrics.threshold_tables import ThresholdTable
from seedbed.metrics.view_agreement import ViewAgreement

GRID = [0.0, 0.25, 0.5, 0.75]
TWO = np.array([[[1.0, 0.6, 0.0]], [[0.5, 0.75, 0.0]]], np.float32)
"""The first class wins the first pixel with 1.0, the second the second with 0.75; the third is a tie at 0."""


def test_presence_by_hand() -> None:
    """The second class keeps its pixel below 0.75; at 0.75 the score does not exceed it."""
    presence = LabelPresence.empty(GRID)
    presence.add(TWO)
    presence.add(np.zeros((0, 1, 3), np.float32))
    assert (presence.labels, presence.lacking.tolist()) == (2, [0, 0, 0, 1])
    beaten = np.stack([np.full((2, 2), 0.5), np.full((2, 2), 0.25)]).astype(np.float32)
    presence.add(beaten)
    assert (presence.labels, presence.lacking.tolist()) == (4, [1, 1, 2, 3])


def test_areas_by_hand() -> None:
    table = ThresholdTable.empty(GRID, 4)
    assert np.isnan(table.areas()).all()
    table.add(TWO, np.array([2, 0]))
    table.add(np.zeros((0, 1, 3), np.float32), np.array([], np.int64), np.array([[0, 1, 255]], np.uint8))
    sixth = 1 / 6
    assert table.areas().tolist() == [[sixth, 0, sixth]] * 3 + [[0, 0, sixth]]


def test_areas_are_those_of_the_label_maps() -> None:
    random = np.random.default_rng(0)
    table, scores = ThresholdTable.empty(GRID, 4), random.random((2, 5, 7), np.float32)
    table.add(scores, np.array([0, 2]), random.integers(0, 4, (5, 7)).astype(np.uint8))
    slow = [[np.mean((scores.max(0) > t) & (scores.argmax(0) == place)) for place in (0, 1)] for t in GRID]
    assert table.areas()[:, [0, 2]].tolist() == slow
    assert not table.areas()[:, 1].any()


def label_map(scores: np.ndarray, class_ids: np.ndarray, threshold: float) -> np.ndarray:
    return np.where(scores.max(0) > np.float32(threshold), class_ids[scores.argmax(0)] + 1, 0)


def test_agreement_is_that_of_the_label_maps() -> None:
    """Against label maps at each threshold, over images with other classes; scores on thresholds among them."""
    random = np.random.default_rng(1)
    agreement = ViewAgreement.empty(GRID, 4)
    images = []
    for class_ids in (np.array([2, 0]), np.array([1]), np.array([0, 1, 2])):
        pair = (np.round(random.random((2, len(class_ids), 6, 5)) * 8) / 8).astype(np.float32)
        images.append((class_ids, *pair))
        agreement.add(*pair, class_ids)
    for place, threshold in enumerate(GRID):
        iou = []
        for c in range(4):
            both = either = 0
            for class_ids, whole, view in images:
                first, second = (label_map(scores, class_ids, threshold) == c for scores in (whole, view))
                both, either = both + (first & second).sum(), either + (first | second).sum()
            iou.append(both / either)
        assert agreement.curve()[place] == pytest.approx((iou[0] + np.mean(iou[1:])) / 2, abs=1e-12)


def test_agreement_is_undefined_without_background_or_without_a_class() -> None:
    agreement = ViewAgreement.empty([0.0, 0.5, 0.9], 3)
    agreement.add(*(np.array([[[0.6, 0.2]]], np.float32) for _ in range(2)), np.array([1]))
    curve = agreement.curve()
    assert np.isnan(curve).tolist() == [True, False, True]
    assert curve[1] == 1


def test_regrets_by_hand() -> None:
    values = np.array([0.25, np.nan, 0.75, 0.5])
    assert [regret(values, place) for place in (0, 2, 3)] == [0.5, 0, 0.25]
    assert np.isnan(regret(values, 1))
    assert [nearest(GRID, choice) for choice in (0.3, 0.4, 0.375, 0.99)] == [1, 2, 1, 3]
    assert only_highest(values) == 2
    assert only_highest(np.array([0.5, 0.5, 0.25])) is None
    assert only_highest(np.array([np.nan])) is None
