"""Votes within superpixels and smoothing: by hand, against a loop over pixels, and what must always hold."""

from collections import Counter
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.refine.superpixels import Ties, majority_vote, slic_superpixels, smooth_labels

N = 255
SUPERPIXELS = np.array([[0, 0, 0, 1, 1, 1, 2, 2, 3, 3]])
LABELS = np.array([[2, 2, 0, 3, N, 1, 5, 0, N, N]], np.uint8)


@pytest.mark.parametrize(
    ("ties", "voted"),
    [
        # Superpixel 0: two of three are 2. 1: 3 and 1 have one vote each, 255 none. 2: 5 and background. 3: no votes.
        ("lowest", [2, 2, 2, 1, N, 1, 0, 0, N, N]),
        ("keep", [2, 2, 2, 3, N, 1, 5, 0, N, N]),
        ("neutral", [2, 2, 2, N, N, N, N, N, N, N]),
    ],
)
def test_a_vote_by_hand(ties, voted):
    assert majority_vote(LABELS, SUPERPIXELS, ties).tolist() == [voted]


def test_without_a_label_nothing_changes():
    empty = np.full((2, 3), N, np.uint8)
    assert (majority_vote(empty, np.zeros((2, 3), np.int64)) == empty).all()
    assert (smooth_labels(empty, 3) == empty).all()


def test_smoothing_by_hand():
    """3 x 3: the 1 in the middle has one vote of 9; the corner keeps its 2, which has two of four, as has 0."""
    labels = np.array([[2, 2, 0, 0], [0, 0, 0, N], [0, 1, 0, 3]], np.uint8)
    # Pixel (0, 1): {2, 2, 0, 0, 0, 0} -> 0. Pixel (2, 3): {0, 3} and 0 of (1, 2): two 0, one 3 -> 0.
    assert smooth_labels(labels, 3).tolist() == [[2, 0, 0, 0], [0, 0, 0, N], [0, 0, 0, 0]]
    assert (smooth_labels(labels, 1) == labels).all()


def voted_slowly(label_map, superpixels, ties):
    result = label_map.copy()
    for number in np.unique(superpixels):
        places = [p for p in np.argwhere(superpixels == number).tolist() if label_map[*p] != N]
        votes = Counter(int(label_map[*p]) for p in places)
        if not votes:
            continue
        best = sorted(label for label, count in votes.items() if count == max(votes.values()))
        for p in places:
            if len(best) == 1 or ties == "lowest":
                result[*p] = best[0]
            elif ties == "neutral":
                result[*p] = N
    return result


def smoothed_slowly(label_map, side):
    result, reach = label_map.copy(), side // 2
    for i, j in np.argwhere(label_map != N).tolist():
        window = label_map[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1]
        votes = Counter(int(v) for v in window.ravel() if v != N)
        best = [label for label, count in votes.items() if count == max(votes.values())]
        result[i, j] = label_map[i, j] if int(label_map[i, j]) in best else min(best)
    return result


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(get_args(Ties)), st.sampled_from([1, 3, 5]))
def test_as_a_loop_over_pixels(seed, ties, side):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 9, 2))
    labels = rng.choice(np.array([0, 1, 2, 254, N], np.uint8), size)
    superpixels = rng.integers(0, 5, size)
    voted = majority_vote(labels, superpixels, ties)
    assert (voted == voted_slowly(labels, superpixels, ties)).all()
    assert ((voted == N) >= (labels == N)).all()
    assert (smooth_labels(labels, side) == smoothed_slowly(labels, side)).all()
    if ties == "lowest":
        assert (majority_vote(voted, superpixels) == voted).all()


def test_superpixels_follow_colours_or_the_grid():
    """Two colours with a slanted border: small compactness follows it, a large one makes squares."""
    rows, columns = np.indices((40, 40))
    image = np.where((columns > 12 + rows // 4)[..., None], np.uint8([200, 40, 40]), np.uint8([20, 60, 200]))
    left = columns <= 12 + rows // 4

    def crossing(**options):
        found = slic_superpixels(image, n_segments=16, **options)
        assert found.shape == (40, 40)
        assert found.min() == 0
        return sum(0 < left[found == k].mean() < 1 for k in range(found.max() + 1))

    assert crossing(compactness=0.01) == 0
    assert crossing(compactness=1000.0) > 3
    assert crossing(compactness=0.01, colour_space="rgb") == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 50)])
def test_tiny_photographs(size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    assert slic_superpixels(image, sigma=1.0).shape == size
    even = np.full((*size, 3), 9, np.uint8)
    assert slic_superpixels(even).shape == size


def test_an_even_square_is_refused():
    with pytest.raises(ValueError, match="odd side of the square, got 4"):
        smooth_labels(LABELS, 4)
