"""Label maps by hand, pixel by pixel; refinement by a callable that stands for the CRF."""

import numpy as np
import pytest

from seedbed.refine.confident_regions import (
    alpha_regions,
    decide_argmax,
    decide_refined,
    decide_same_pair,
    salient_regions,
    threshold_regions,
)
from seedbed.refine.crf.refiners import sharpen_label_map

# Classes 4 and 7: clear class, clear class, uncertain, clear background, exactly bg, exactly fg.
CAMS = np.array([[[0.9, 0.2, 0.2, 0.0, 0.1, 0.4]], [[0.5, 0.8, 0.3, 0.05, 0.0, 0.1]]], dtype=np.float32)
IDS = (4, 7)


def test_thresholds_by_hand():
    assert threshold_regions(CAMS, IDS, 0.1, 0.4).tolist() == [[5, 8, 255, 0, 0, 5]]


def test_equal_thresholds_leave_nothing_neutral_and_ties_are_foreground():
    assert threshold_regions(CAMS, IDS, 0.4, 0.4).tolist() == [[5, 8, 0, 0, 0, 5]]


def test_maps_are_refined_apart_and_combined():
    seen = []

    def refine(labels, n_labels):
        seen.append((labels.tolist(), n_labels))
        # The refined maps: first that of sure foreground, then that of sure background.
        return np.array([[0, 2, 0, 1, 0, 0]] if len(seen) == 1 else [[1, 0, 2, 0, 0, 0]])

    result = threshold_regions(CAMS, IDS, 0.1, 0.4, refine)
    assert seen == [([[1, 2, 0, 0, 0, 1]], 3), ([[1, 2, 2, 0, 0, 1]], 3)]
    # Neutral where only the background map has a class; a class of the first map stays; 0 where both are 0.
    assert result.tolist() == [[255, 8, 255, 5, 0, 0]]


SALIENCY = np.array([[0.9, 0.05, 0.11, 0.0, 0.1, 0.3]], dtype=np.float32)


def test_salient_regions_by_hand():
    """The second pixel's class lies outside what is salient; the fifth is exactly bg, the sixth exactly fg."""
    assert salient_regions(CAMS, IDS, SALIENCY, 0.1, 0.4).tolist() == [[5, 0, 255, 0, 0, 5]]
    # The thresholds are of different maps, so they need no order.
    assert salient_regions(CAMS, IDS, SALIENCY, 0.5, 0.4).tolist() == [[5, 0, 0, 0, 0, 0]]


def test_salient_regions_pixel_by_pixel():
    rng = np.random.default_rng(0)
    cams, saliency = rng.random((2, 5, 7), np.float32), rng.random((5, 7), np.float32)
    found = salient_regions(cams, IDS, saliency, 0.3, 0.6)
    for y in range(5):
        for x in range(7):
            a, b = cams[:, y, x]
            expected = 255 if max(a, b) < 0.6 else (8 if b > a else 5)
            assert found[y, x] == (0 if saliency[y, x] <= 0.3 else expected)
    assert set(np.unique(found)) == {0, 5, 8, 255}


def test_saliency_is_refined_before_the_classes_within_it():
    seen = []

    def refine(labels, n_labels):
        seen.append((labels.tolist(), n_labels))
        # Salient: the first three and the last; then a class that the CRF spreads beyond what is salient.
        return np.array([[1, 1, 1, 0, 0, 1]] if len(seen) == 1 else [[1, 0, 0, 2, 0, 0]])

    result = salient_regions(CAMS, IDS, SALIENCY, 0.1, 0.4, refine)
    assert seen == [([[1, 0, 1, 0, 0, 1]], 2), ([[1, 2, 0, 0, 0, 1]], 3)]
    assert result.tolist() == [[5, 255, 255, 8, 0, 255]]


def test_without_a_class_salient_regions_are_neutral():
    none = np.zeros((0, 2, 2), np.float32)
    assert salient_regions(none, (), np.ones((2, 2), np.float32), 0.1, 0.4).tolist() == [[255, 255]] * 2


def test_constant_saliency():
    """All salient: no background; nothing salient: all background."""
    everything, nothing = np.ones((1, 6), np.float32), np.zeros((1, 6), np.float32)
    assert salient_regions(CAMS, IDS, everything, 0.1, 0.4).tolist() == [[5, 8, 255, 255, 255, 5]]
    assert salient_regions(CAMS, IDS, nothing, 0.1, 0.4).tolist() == [[0] * 6]


@pytest.mark.parametrize(
    ("saliency", "message"),
    [
        (np.ones((6, 1), np.float32), "expected saliency of the CAMs' size 6x1, got 1x6"),
        (255 * SALIENCY, r"expected saliency in \[0, 1\], got 0 to 229.5; divide it"),
        (SALIENCY - 1, r"expected saliency in \[0, 1\], got -1 to"),
        (np.full((1, 6), np.nan, np.float32), r"expected saliency in \[0, 1\], got nan"),
    ],
)
def test_saliency_that_does_not_fit_is_refused(saliency, message):
    with pytest.raises(ValueError, match=message):
        salient_regions(CAMS, IDS, saliency, 0.1, 0.4)


def test_alphas_by_hand():
    # (1 − max)^α for α = 1, 3 against max: 0.6 → 0.4, 0.064: class 4 twice; 0.3 → 0.7, 0.343: background;
    # 0.4 → 0.6, 0.216: background for the low α only, so neutral.
    cams = np.array([[[0.6, 0.0, 0.4]], [[0.1, 0.3, 0.1]]], dtype=np.float32)
    assert alpha_regions(cams, IDS, 1.0, 3.0).tolist() == [[5, 0, 255]]


def test_scores_of_alphas_are_refined():
    cams = np.array([[[0.5, 0.25]]], dtype=np.float32)
    seen = []

    def refine(scores):
        seen.append(scores.copy())
        # Low α: foreground everywhere; high α: background at the second pixel, which wins.
        return np.array([[[0, 0]], [[1, 1]]] if len(seen) == 1 else [[[0, 1]], [[1, 0]]], dtype=np.float32)

    assert alpha_regions(cams, [0], 1.0, 2.0, refine).tolist() == [[1, 0]]
    assert np.allclose(seen[0], [[[0.5, 0.75]], [[0.5, 0.25]]])
    assert np.allclose(seen[1], [[[0.25, 0.5625]], [[0.5, 0.25]]])


def test_argmax_by_hand():
    assert decide_argmax(CAMS, IDS, 0.3).tolist() == [[5, 8, 0, 0, 0, 5]]
    background = np.array([[0.95, 0.1, 0.3, 0.0, 0.2, 0.39]], dtype=np.float32)
    assert decide_argmax(CAMS, IDS, background).tolist() == [[0, 8, 0, 8, 0, 5]]


def test_same_pair_keeps_the_neutral_pixels():
    assert decide_same_pair(CAMS, IDS, 0.1, 0.4).tolist() == [[5, 8, 255, 0, 0, 5]]


def test_images_of_background_only_ask_no_crf():
    def refine(*_):
        raise AssertionError("a CRF of one label divides by 0")

    empty = np.zeros((0, 2, 1), np.float32)
    for result in (
        threshold_regions(empty, [], 0.1, 0.4, refine),
        alpha_regions(empty, [], 4.0, 24.0, refine),
        decide_argmax(empty, [], 0.3),
        decide_same_pair(empty, [], 0.1, 0.4),
    ):
        assert result.dtype == np.uint8
        assert result.tolist() == [[0], [0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: threshold_regions(CAMS, IDS, 0.4, 0.1), "≤ fg_threshold, got 0.4 and 0.1; swap them"),
        (lambda: decide_same_pair(CAMS, IDS, 0.4, 0.1), "≤ fg_threshold, got 0.4 and 0.1; swap them"),
        (lambda: alpha_regions(CAMS, IDS, 24.0, 4.0), "low alpha ≤ high alpha, got 24 and 4; swap them"),
        (lambda: decide_argmax(CAMS, [4], 0.3), "expected one class id per map, got 1 ids for 2 maps"),
        (lambda: decide_argmax(CAMS, [4, 254], 0.3), r"class ids from 0 to 253, got \[254\]"),
    ],
)  # fmt: skip
def test_refuses_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_labels_of_a_crf_are_those_found_or_all_that_are_present():
    """Classes 2 and 4 are present, but only 4 has pixels; 255 stays."""
    label_map = np.array([[0, 5, 255]], np.uint8)
    asked = []

    def second(labels, n):
        asked.append((labels.tolist(), n))
        return np.full(labels.shape, 1)

    assert sharpen_label_map(label_map, second).tolist() == [[5, 5, 255]]
    assert sharpen_label_map(label_map, second, (2, 4)).tolist() == [[3, 3, 255]]
    assert asked == [([[0, 1, 2]], 3), ([[0, 2, 3]], 4)]


def test_a_crf_on_scores_gets_shares_of_background_and_classes():
    """Scores 0.2 and 0.6 beside a background score of 0.2 are shares of 0.2, 0.2 and 0.6; the CRF has the last word."""
    scores = np.array([[[0.2]], [[0.6]]], np.float32)
    seen = []

    def first_class(shares):
        seen.append(shares)
        return np.array([[[0.1]], [[0.8]], [[0.1]]], np.float32)

    assert decide_refined(scores, [4, 7], 0.2, first_class).tolist() == [[5]]
    assert seen[0].ravel() == pytest.approx([0.2, 0.2, 0.6])
    assert decide_refined(scores, [4, 7], 0.2, lambda shares: shares).tolist() == [[8]]
    assert decide_refined(np.zeros((0, 1, 2), np.float32), [], 0.2, first_class).tolist() == [[0, 0]]
    nothing = np.zeros((2, 1, 1), np.float32)
    assert decide_refined(nothing, [4, 7], 0.0, lambda shares: shares).tolist() == [[0]]
