import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, f1_score

from seedbed.metrics import classification


def test_average_precision_by_hand():
    labels = np.array([True, False, True, False])
    assert classification.average_precision(labels, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx(
        1 / 2 * 1 + 1 / 2 * 2 / 3
    )
    # all equal: one step, precision 2/4
    assert classification.average_precision(labels, np.full(4, 0.5)) == pytest.approx(0.5)
    assert math.isnan(classification.average_precision(np.zeros(2, bool), np.array([0.1, 0.2])))


@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 12))
def test_average_precision_with_ties_against_scikit_learn(data, n):
    labels = data.draw(arrays(np.bool_, n))
    probabilities = data.draw(arrays(np.float32, n, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    if labels.any():
        expected = average_precision_score(labels, probabilities)
        assert classification.average_precision(labels, probabilities) == pytest.approx(expected)


def test_means_against_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.random((60, 5)) < 0.3
    labels[:, 4] = False
    probabilities = (0.5 * labels + rng.random((60, 5))).clip(0, 1).round(1)
    expected = average_precision_score(labels[:, :4], probabilities[:, :4], average="macro")
    names = ("a", "b", "c", "d", "e")
    assert classification.scores(labels, probabilities, names)["mean_average_precision"] == pytest.approx(
        expected
    )
    some = labels.any(1)
    expected = average_precision_score(labels[some], probabilities[some], average="samples")
    assert classification.image_average_precision(labels, probabilities) == pytest.approx(expected)
    micro, macro, each = classification.f1_scores(labels, probabilities)
    predicted = probabilities >= 0.5
    assert micro == pytest.approx(f1_score(labels, predicted, average="micro"))
    assert macro == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))
    assert each == pytest.approx(f1_score(labels, predicted, average=None, zero_division=0))


def test_f1_by_hand():
    labels = np.array([[True, False, False], [True, True, False]])
    probabilities = np.array([[0.5, 0.6, 0.1], [0.4, 0.9, 0.2]])
    micro, macro, each = classification.f1_scores(labels, probabilities)
    assert each == pytest.approx([2 / 3, 2 / 3, np.nan], nan_ok=True)  # 0.5 counts as predicted
    assert macro == pytest.approx(2 / 3)
    assert micro == pytest.approx(4 / 6)


def test_scores_are_json():
    labels = np.array([[True, False], [False, False]])
    result = classification.scores(labels, np.array([[0.9, 0.2], [0.1, 0.3]], np.float32), ("cat", "dog"))
    json.dumps(result, allow_nan=False)
    assert result["images"] == 2
    assert result["mean_average_precision"] == 1
    assert result["image_average_precision"] == 1
    assert result["absent"] == ["dog"]
    assert result["per_class"]["dog"] == {"average_precision": None, "f1": None, "images": 0}


def test_errors():
    labels = np.zeros((2, 3), bool)
    with pytest.raises(
        ValueError, match=r"expected labels and probabilities of one shape .* got \(2, 3\) and \(3, 2\)"
    ):
        classification.image_average_precision(labels, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="class 1 in image 0 is not finite"):
        classification.f1_scores(labels, np.array([[0, np.nan, 0], [0, 0, 0]]))
    with pytest.raises(ValueError, match="a name per column of the labels, 3, got 1"):
        classification.scores(labels, np.zeros((2, 3)), ("cat",))
