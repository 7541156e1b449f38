"""Votes of superpixels and the majority filter, by hand and against slow references."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.segmentation import slic

from seedbed.refine.superpixels import majority_filter, majority_vote, superpixels

LABELS = np.array([[1, 1, 0, 2, 2], [0, 255, 0, 2, 255], [1, 1, 0, 0, 255]], np.uint8)
SEGMENTS = np.array([[0, 0, 1, 2, 2], [0, 0, 1, 2, 3], [4, 4, 4, 4, 3]])
# Superpixel 0 has votes 1, 1, 0; 1 has 0, 0; 2 has 2, 2, 2; 3 has none; 4 has 1, 1, 0, 0.


@pytest.mark.parametrize(
    ("ties", "last"), [("lowest", [0, 0, 0, 0]), ("highest", [1, 1, 1, 1]), ("unchanged", [1, 1, 0, 0])]
)
def test_a_vote_by_hand(ties, last):
    found = majority_vote(LABELS, SEGMENTS, ties)
    assert found.tolist() == [[1, 1, 0, 2, 2], [1, 255, 0, 2, 255], [*last, 255]]


def test_all_neutral_stays():
    neutral = np.full((2, 3), 255, np.uint8)
    assert (majority_vote(neutral, np.zeros((2, 3), np.int64), "lowest") == 255).all()
    assert (majority_filter(neutral, 3) == 255).all()


maps = arrays(
    np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.sampled_from([0, 1, 2, 253, 255])
)


@settings(max_examples=60)
@given(maps, st.data(), st.sampled_from(["lowest", "highest", "unchanged"]))
def test_votes_are_those_of_a_slow_reference(labels, data, ties):
    segments = data.draw(arrays(np.int64, labels.shape, elements=st.integers(0, 4)))
    expected = labels.copy()
    for segment in np.unique(segments):
        votes = Counter(labels[(segments == segment) & (labels != 255)].tolist())
        if not votes:
            continue
        leading = sorted(label for label, n in votes.items() if n == max(votes.values()))
        if ties == "unchanged" and len(leading) > 1:
            continue
        expected[(segments == segment) & (labels != 255)] = leading[-1 if ties == "highest" else 0]
    found = majority_vote(labels, segments, ties)
    assert (found == expected).all()
    assert ((found == 255) == (labels == 255)).all()


@settings(max_examples=60)
@given(maps, st.sampled_from([1, 3, 5]))
def test_the_filter_is_that_of_a_slow_reference(labels, side):
    around, expected = side // 2, labels.copy()
    for y, x in np.argwhere(labels != 255):
        square = labels[max(0, y - around) : y + around + 1, max(0, x - around) : x + around + 1]
        votes = Counter(square[square != 255].tolist())
        leading = sorted(label for label, n in votes.items() if n == max(votes.values()))
        expected[y, x] = labels[y, x] if labels[y, x] in leading else leading[0]
    assert (majority_filter(labels, side) == expected).all()


def test_superpixels_are_scikit_images():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    image[:, 12:] //= 4
    for colours in ("lab", "rgb"):
        expected = slic(image, 12, 0.01, sigma=1, convert2lab=colours == "lab", start_label=0)
        assert (superpixels(image, 12, 0.01, 1.0, colours) == expected).all()


def test_superpixels_keep_to_an_edge():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, 8:] = (200, 40, 10)
    segments = superpixels(image, 4, 0.001, 0.0, "lab")
    assert not set(segments[:, :8].ravel()) & set(segments[:, 8:].ravel())


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 2)])
def test_photographs_smaller_than_their_superpixels(size):
    image = np.full((*size, 3), 7, np.uint8)
    segments = superpixels(image, 100, 0.001, 0.0, "lab")
    assert segments.shape == size
    assert segments.min() == 0


def test_what_is_refused():
    with pytest.raises(ValueError, match="expected an odd side of the square, got 2"):
        majority_filter(LABELS, 2)
