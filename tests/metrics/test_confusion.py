import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedbed.metrics.confusion import confusion_counts


def plain_counts(truth, prediction, classes):
    """The definition, pixel by pixel."""
    counts = np.zeros((classes, classes + 1), np.int64)
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t != 255:
            counts[t, classes if p == 255 else p] += 1
    return counts


def test_by_hand():
    truth = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    prediction = np.array([[0, 1, 1], [255, 0, 2]], np.uint8)
    expected = [
        [1, 1, 0, 0],  # two background pixels: one right, one called 1
        [0, 1, 0, 1],  # two of class 1: one right, one neutral
        [1, 0, 0, 0],  # one of class 2, called background; the unlabelled pixel is in no cell
    ]
    assert confusion_counts(truth, prediction, 3).tolist() == expected


values = st.sampled_from([0, 1, 2, 4, 255])


@settings(max_examples=30, deadline=None)
@given(st.data(), st.integers(0, 5), st.integers(1, 5))
def test_equals_the_definition(data, height, width):
    truth = data.draw(arrays(np.uint8, (height, width), elements=values))
    prediction = data.draw(arrays(np.uint8, (height, width), elements=values))
    assert np.array_equal(confusion_counts(truth, prediction, 5), plain_counts(truth, prediction, 5))


def test_adds_up_over_parts():
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 21, (2, 37, 41)).astype(np.uint8)
    whole = confusion_counts(truth, prediction, 21)
    parts = sum(
        confusion_counts(truth[rows], prediction[rows], 21) for rows in (slice(0, 10), slice(10, None))
    )
    assert np.array_equal(whole, parts)
    assert whole.sum() == truth.size


def test_memory_order_does_not_matter():
    rng = np.random.default_rng(1)
    truth, prediction = rng.integers(0, 3, (2, 8, 9)).astype(np.uint8)
    assert np.array_equal(
        confusion_counts(np.asfortranarray(truth), prediction[:, ::1], 3), plain_counts(truth, prediction, 3)
    )


def test_most_classes():
    mask = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(confusion_counts(mask, mask, 255), np.eye(255, 256, dtype=np.int64))


def test_different_shapes():
    with pytest.raises(ValueError, match="expected truth and prediction of one size, got 2×3 and 3×2"):
        confusion_counts(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8), 2)


@pytest.mark.parametrize("name", ["truth", "prediction"])
def test_foreign_value(name):
    masks = {"truth": np.zeros((4, 4), np.uint8), "prediction": np.zeros((4, 4), np.uint8)}
    masks[name][1, 1:3] = 7
    with pytest.raises(ValueError, match=f"{name} holds the value 7 in 2 pixels; expected 0 to 1, or 255"):
        confusion_counts(masks["truth"], masks["prediction"], 2)


def test_foreign_prediction_under_unlabelled_truth():
    with pytest.raises(ValueError, match="prediction holds the value 9"):
        confusion_counts(np.full((1, 1), 255, np.uint8), np.full((1, 1), 9, np.uint8), 2)


def test_too_many_classes():
    with pytest.raises(ValueError, match="expected 1 to 255 classes with background, got 256"):
        confusion_counts(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), 256)
