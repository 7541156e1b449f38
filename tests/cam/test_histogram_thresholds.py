"""Thresholds of histograms against values worked out by hand and slow definitions."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.cam.histogram_thresholds import (
    entropy_threshold,
    expected_iou_threshold,
    isodata_threshold,
    li_threshold,
)

METHODS = (isodata_threshold, li_threshold, entropy_threshold, expected_iou_threshold)
histograms = (
    st.lists(st.integers(0, 9), min_size=4, max_size=12)
    .filter(lambda h: sum(c > 0 for c in h) > 1)
    .map(np.array)
)


def parts(histogram: np.ndarray) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Every threshold that separates scores, with the scores up to it and those above."""
    centres = (np.arange(len(histogram)) + 0.5) / len(histogram)
    scores = np.repeat(centres, histogram)
    split = ((t, scores[scores <= t], scores[scores > t]) for t in centres)
    return [(t, low, high) for t, low, high in split if len(low) and len(high)]


def test_two_peaks_by_hand() -> None:
    """Four bins, centres 1/8 to 7/8. The means are 1/8 and 7/8, their middle 1/2 lies in [3/8, 3/8 + 1/4)."""
    two = np.array([4, 0, 0, 4])
    assert isodata_threshold(two) == 3 / 8
    assert li_threshold(two) == pytest.approx((6 / 8) / log(7), abs=1e-12)
    # E[IoU] is the same wherever the two peaks are apart, so the first threshold is taken.
    assert expected_iou_threshold(two) == entropy_threshold(two) == 1 / 8


def test_even_scores_by_hand() -> None:
    """Entropies of 1 + 3, 2 + 2 and 3 + 1 bins: ln 3, 2 ln 2, ln 3."""
    assert entropy_threshold(np.array([2, 2, 2, 2])) == 3 / 8


def test_expected_iou_by_hand() -> None:
    """Scores 1/4, 1/4, 3/4. Only t = 1/4 separates. Six scores in four bins: 3 at 1/8, 2 at 5/8, 1 at 7/8.

    t = 1/8: foreground 17/8 of 3 + 3/8, background 21/8 of 3 + 7/8: 0.630 + 0.677 = 1.307.
    t = 5/8: foreground 7/8 of 1 + 13/8, background 27/8 of 5 + 1/8: 0.333 + 0.659 = 0.992.
    """
    assert expected_iou_threshold(np.array([2, 1])) == 1 / 4
    assert expected_iou_threshold(np.array([3, 0, 2, 1])) == 1 / 8
    assert expected_iou_threshold(np.array([0, 3, 0, 0, 0, 2, 1, 0])) == 3 / 16


@settings(max_examples=60, deadline=None)
@given(histograms)
def test_each_agrees_with_its_definition(histogram: np.ndarray) -> None:
    width = 1 / len(histogram)
    split = parts(histogram)
    middles = {t: (low.mean() + high.mean()) / 2 for t, low, high in split}
    near = 1e-9
    found = isodata_threshold(histogram)
    assert -near <= middles[found] - found < width + near
    assert not [t for t in middles if t < found and near < middles[t] - t < width - near]

    def entropy(scores: np.ndarray) -> float:
        share = np.unique(scores, return_counts=True)[1] / len(scores)
        return float(-(share * np.log(share)).sum())

    entropies = {t: entropy(low) + entropy(high) for t, low, high in split}
    assert entropies[entropy_threshold(histogram)] == pytest.approx(max(entropies.values()), abs=1e-9)
    expected = {
        t: high.sum() / (len(high) + low.sum()) + (1 - low).sum() / (len(low) + (1 - high).sum())
        for t, low, high in split
    }
    assert expected[expected_iou_threshold(histogram)] == pytest.approx(max(expected.values()), abs=1e-9)
    li = li_threshold(histogram)
    scores = np.concatenate(split[0][1:])
    low, high = (part.mean() for part in (scores[scores <= li], scores[scores > li]))
    assert li == pytest.approx((high - low) / log(high / low), abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_one_bin_separates_nothing(method) -> None:
    with pytest.raises(ValueError, match="at least 2 bins of the histogram, got 1"):
        method(np.array([0, 5, 0]))
