"""Which labels an image can have, and the probabilities of these, by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedbed.refine.present_classes import possible_labels, probabilities_of_labels

LABELS = np.arange(4)


def test_background_and_the_present_classes_are_possible() -> None:
    assert possible_labels(np.array([False, True, False]), None, LABELS).tolist() == [0, 2]
    assert possible_labels(np.zeros(3, bool), None, LABELS).tolist() == [0]


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([True, False, False], [0, 1, 3]),
        ([False, True, False], [0, 1, 3]),
        ([False, False, True], [0, 3]),
        ([False, False, False], [0, 3]),
    ],
)
def test_joined_classes_are_possible_with_either_and_what_no_label_names_always(present, expected) -> None:
    """Cat (1) and dog (2) are pet (1) in the masks, cow (3) is background; the masks have a label 3 of their own."""
    lookup = np.zeros(256, np.uint8)
    lookup[[1, 2]] = 1
    network = np.array([0, 1, 3])
    assert possible_labels(np.array(present), lookup, network).tolist() == expected


def test_the_labels_left_share_the_probability_of_the_others() -> None:
    probabilities = np.array([0.3, 0.5, 0.1, 0.1], np.float32)[:, None, None]
    found = probabilities_of_labels(probabilities, np.array([0, 2]))
    assert found.ravel() == pytest.approx([0.75, 0.25])
    assert probabilities.ravel() == pytest.approx([0.3, 0.5, 0.1, 0.1])


def test_a_crf_sees_the_labels_left_and_is_not_called_for_one() -> None:
    seen = []

    def refine(scores):
        seen.append(scores.shape)
        return scores[::-1]

    probabilities = np.full((4, 2, 3), 0.25, np.float32)
    probabilities_of_labels(probabilities, np.array([0, 3]), refine)
    assert probabilities_of_labels(probabilities, np.array([0]), refine) == pytest.approx(np.ones((1, 2, 3)))
    assert seen == [(2, 2, 3)]


@given(
    arrays(np.float32, (4, 2, 2), elements=st.floats(0, 1, width=32)),
    st.sets(st.integers(1, 3)),
)
def test_the_best_of_the_labels_left_keeps_its_place(probabilities, classes) -> None:
    labels = np.array([0, *sorted(classes)])
    found = probabilities_of_labels(probabilities, labels)
    for y in range(2):
        for x in range(2):
            best = max(labels, key=lambda k: (probabilities[k, y, x], -k))
            top = found[:, y, x].max()
            assert found[list(labels).index(best), y, x] == pytest.approx(top, rel=1e-6, abs=1e-30)
            assert 0 <= top <= 1.0001
