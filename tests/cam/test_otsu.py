"""Otsu's threshold by hand and against scikit-image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu

from seedbed.cam.otsu import BINS, otsu_threshold, score_histogram

CENTRES = (np.arange(BINS) + 0.5) / BINS


def histogram(*counts):
    return np.array(counts, np.int64)


def test_threshold_by_hand():
    # Bins 0 … 3 hold 1, 1, 1, 2 scores. ω₀ ω₁ (μ₁ − μ₀)² · 25, split after bin
    #   0: 1 · 4 · (9/4 − 0)² = 20.25;  1: 2 · 3 · (8/3 − 1/2)² = 28.17;  2: 3 · 2 · (3 − 1)² = 24.
    assert otsu_threshold(histogram(1, 1, 1, 2)) == 1.5 / 4
    # Weighed otherwise: 0: 4 · 3 · (2 − 0)² = 48;  1: 5 · 2 · (2.5 − 0.2)² = 52.9;  2: 6 · 1 · (3 − 0.5)² = 37.5.
    assert otsu_threshold(histogram(4, 1, 1, 1)) == 1.5 / 4


def test_first_of_equal_bins_between_two_peaks():
    assert otsu_threshold(histogram(0, 3, 0, 0, 5, 0)) == 1.5 / 6


def test_histogram_by_hand():
    scores = np.array([[0.0, 0.24], [0.25, 1.0]], np.float32)
    assert score_histogram(scores, bins=4).tolist() == [2, 1, 0, 1]
    assert score_histogram(scores).sum() == 4
    assert score_histogram(scores[:0]).tolist() == [0] * BINS


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (40,), elements=st.floats(0, 1, width=32)))
def test_histogram_against_numpy(scores):
    assert score_histogram(scores).tolist() == np.histogram(scores, BINS, (0, 1))[0].tolist()


@settings(max_examples=100, deadline=None)
@given(arrays(np.int64, BINS, elements=st.integers(0, 1000)), st.integers(0, 200), st.integers(0, 50))
def test_threshold_against_scikit_image(counts, start, end):
    counts[:start], counts[BINS - end :] = 0, 0
    if np.count_nonzero(counts) >= 2:
        assert otsu_threshold(counts) == pytest.approx(threshold_otsu(hist=(counts, CENTRES)), abs=1e-12)


def test_threshold_of_two_classes_of_pixels():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.2, 0.05, 3000), rng.normal(0.7, 0.1, 1000)]).clip(0, 1)
    scores = scores.astype(np.float32)
    # scikit-image spreads its bins over the range of the scores, here 0.03 to 1: at most two bins' width apart.
    assert otsu_threshold(score_histogram(scores)) == pytest.approx(threshold_otsu(scores), abs=2 / BINS)


def test_histograms_of_shards_add_up():
    rng = np.random.default_rng(0)
    shards = [rng.beta(2, 5, (3, 7)).astype(np.float32), rng.beta(5, 2, (4, 2)).astype(np.float32)]
    pooled = score_histogram(np.concatenate([shard.ravel() for shard in shards]))
    assert (score_histogram(shards[0]) + score_histogram(shards[1])).tolist() == pooled.tolist()


def test_counts_of_a_whole_data_set_do_not_overflow():
    counts = np.array([1, 1, 1, 2], np.int64)
    assert otsu_threshold(counts * 10**12) == otsu_threshold(counts)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: score_histogram(np.array([0.5, np.nan], np.float32)), "expected scores in .0, 1., got nan"),
        (lambda: score_histogram(np.array([0.5, 1.5], np.float32)), "got 0.5 to 1.5; normalise them first"),
        (lambda: score_histogram(np.array([-0.5], np.float32)), "got -0.5 to -0.5"),
        (lambda: score_histogram(np.zeros(3, np.float32), bins=1), "expected at least 2 bins, got 1"),
        (lambda: otsu_threshold(histogram(0, 9, 0)), "at least 2 bins of the histogram, got 1"),
        (lambda: otsu_threshold(histogram(0, 0)), "at least 2 bins of the histogram, got 0"),
    ],
)
def test_refuses_what_has_no_threshold(call, message):
    with pytest.raises(ValueError, match=message):
        call()
