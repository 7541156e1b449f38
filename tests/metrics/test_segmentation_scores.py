import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from seedbed.metrics import segmentation
from seedbed.metrics.confusion import confusion_counts

# background, cat, cow, dog: dog occurs nowhere, cow only in the prediction.
COUNTS = np.array(
    [
        [6, 1, 1, 0, 2],  # background: 6 right, 1 called cat, 1 called cow, 2 neutral
        [3, 4, 0, 0, 1],  # cat: 4 right, 3 called background, 1 neutral
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
)
NAMES = ("cat", "cow", "dog")
# dropped: background 6/(8+9-6) = 6/11, cat 4/(7+5-4) = 4/8, cow 0/1
# missed: background 6/(10+9-6) = 6/13, cat 4/(8+5-4) = 4/9, cow 0/1


def test_class_scores_by_hand():
    nan = np.nan
    assert segmentation.class_iou(COUNTS) == pytest.approx([6 / 11, 1 / 2, 0, nan], nan_ok=True)
    assert segmentation.class_iou(COUNTS, "missed") == pytest.approx([6 / 13, 4 / 9, 0, nan], nan_ok=True)
    assert segmentation.class_precision(COUNTS) == pytest.approx([6 / 9, 4 / 5, 0, nan], nan_ok=True)
    assert segmentation.class_recall(COUNTS) == pytest.approx([6 / 8, 4 / 7, nan, nan], nan_ok=True)
    assert segmentation.class_recall(COUNTS, "missed") == pytest.approx(
        [6 / 10, 4 / 8, nan, nan], nan_ok=True
    )
    assert segmentation.class_f1(COUNTS) == pytest.approx([12 / 17, 8 / 12, 0, nan], nan_ok=True)
    assert segmentation.pixel_accuracy(COUNTS) == pytest.approx(10 / 15)
    assert segmentation.pixel_accuracy(COUNTS, "missed") == pytest.approx(10 / 18)
    assert segmentation.neutral_ratio(COUNTS) == pytest.approx(3 / 18)


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("present", (6 / 11 + 1 / 2 + 0) / 3),
        ("all", (6 / 11 + 1 / 2 + 0 + 0) / 4),
        ("truth", (6 / 11 + 1 / 2) / 2),
    ],
)
def test_definitions_of_the_mean_by_hand(definition, expected):
    assert segmentation.mean_iou(COUNTS, definition) == pytest.approx(expected)


def test_every_definition_has_an_expected_value():
    marks = test_definitions_of_the_mean_by_hand.pytestmark
    assert {case[0] for case in marks[0].args[1]} == set(segmentation.DEFINITIONS)


def test_twenty_classes_missed_cannot_hide():
    """SC-CAM's thread 16: all is background, and the mean over classes in the truth reads 27 %."""
    counts = np.zeros((3, 4), np.int64)
    counts[:, 0] = [80, 20, 0]
    assert segmentation.mean_iou(counts, "truth") == pytest.approx(0.4)
    assert segmentation.mean_iou(counts, "all") == pytest.approx(0.8 / 3)


def test_activation_errors_by_hand():
    over, under = segmentation.activation_errors(COUNTS)
    assert over == pytest.approx(
        (1 / 8 + 1 / 1) / 2
    )  # cat: 5 predicted, 4 right, union 8; cow: 1 predicted, union 1
    assert under == pytest.approx((3 / 8 + 0) / 2)


def test_nothing_labelled():
    empty = np.zeros((2, 3), np.int64)
    assert math.isnan(segmentation.mean_iou(empty))
    assert segmentation.mean_iou(empty, "all") == 0
    result = segmentation.scores(empty, ("pet",))
    assert result["mean_iou"] is None
    assert result["neutral_ratio"] is None
    assert result["over_activation"] is None
    assert result["absent"] == ["background", "pet"]
    json.dumps(result, allow_nan=False)


def test_everything_neutral():
    counts = np.array([[0, 0, 5], [0, 0, 3]])
    assert math.isnan(segmentation.mean_iou(counts))
    assert segmentation.mean_iou(counts, "present", "missed") == 0
    assert segmentation.neutral_ratio(counts) == 1


def test_against_scikit_learn():
    """Independent oracle, where nothing is neutral and every class occurs."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 5, (40, 50)).astype(np.uint8)
    prediction = np.where(rng.random((40, 50)) < 0.6, truth, rng.integers(0, 5, (40, 50))).astype(np.uint8)
    counts = confusion_counts(truth, prediction, 5)
    flat = truth.ravel(), prediction.ravel()
    assert segmentation.class_iou(counts) == pytest.approx(jaccard_score(*flat, average=None))
    assert segmentation.class_precision(counts) == pytest.approx(precision_score(*flat, average=None))
    assert segmentation.class_recall(counts) == pytest.approx(recall_score(*flat, average=None))
    assert segmentation.class_f1(counts) == pytest.approx(f1_score(*flat, average=None))
    assert segmentation.pixel_accuracy(counts) == pytest.approx(accuracy_score(*flat))


@settings(max_examples=30, deadline=None)
@given(arrays(np.int64, (4, 5), elements=st.integers(0, 9)))
def test_scores_are_json_and_consistent(counts):
    result = segmentation.scores(counts, NAMES)
    json.dumps(result, allow_nan=False)
    ious = [row["iou"] for row in result["per_class"].values()]
    defined = [iou for iou in ious if iou is not None]
    assert len(defined) + len(result["absent"]) == 4
    if defined:
        assert result["mean_iou"] == pytest.approx(sum(defined) / len(defined))
    foreground = [iou for iou in ious[1:] if iou is not None]
    if foreground:
        share = sum(foreground) / len(foreground)
        assert share + result["over_activation"] + result["under_activation"] == pytest.approx(1)
    many = segmentation.mean_ious(np.stack([counts, 2 * counts]))
    expected = np.nan if result["mean_iou"] is None else result["mean_iou"]
    assert many == pytest.approx([expected, expected], nan_ok=True)


def test_scores_by_hand():
    result = segmentation.scores(COUNTS, NAMES)
    assert result["labelled_pixels"] == 18
    assert result["absent"] == ["dog"]
    assert (
        result["mean_iou"]
        == result["mean_iou_by_definition"]["present"]
        == pytest.approx((6 / 11 + 1 / 2) / 3)
    )
    assert result["mean_iou_by_neutral"]["missed"] == pytest.approx((6 / 13 + 4 / 9) / 3)
    assert result["mean_recall"] == pytest.approx((6 / 8 + 4 / 7) / 2)
    assert result["per_class"]["cow"] == {
        "iou": 0.0,
        "precision": 0.0,
        "recall": None,
        "f1": 0.0,
        "truth_pixels": 0,
        "predicted_pixels": 1,
    }


def test_collapse_by_hand():
    counts = np.array([[5, 1, 0, 2, 1], [0, 3, 2, 0, 1], [1, 1, 4, 0, 0], [2, 0, 0, 6, 3]])
    merged, classes = segmentation.collapse(
        counts, ("beagle", "boxer", "sofa"), {"beagle": "pet", "boxer": "pet"}
    )
    assert classes == ("pet", "sofa")
    assert merged.tolist() == [[5, 1, 2, 1], [1, 10, 0, 1], [2, 0, 6, 3]]


def test_collapse_equals_counting_collapsed_masks():
    rng = np.random.default_rng(5)
    truth, prediction = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (2, 20, 20))
    merged, classes = segmentation.collapse(
        confusion_counts(truth, prediction, 4), ("a", "b", "c"), {"c": "a"}
    )
    lookup = np.arange(256, dtype=np.uint8)
    lookup[3] = 1
    assert classes == ("a", "b")
    assert np.array_equal(merged, confusion_counts(lookup[truth], lookup[prediction], 3))


def test_unknown_names():
    with pytest.raises(ValueError, match="unknown definition of mean IoU 'presnt'; did you mean present"):
        segmentation.mean_iou(COUNTS, "presnt")
    with pytest.raises(ValueError, match="unknown reading of neutral pixels 'drop'; did you mean dropped"):
        segmentation.class_iou(COUNTS, "drop")
    with pytest.raises(ValueError, match="unknown class in class_map 'cta'; did you mean cat"):
        segmentation.collapse(COUNTS, NAMES, {"cta": "pet"})
    with pytest.raises(
        ValueError, match="expected the names of 3 foreground classes, as the counts have, got 2"
    ):
        segmentation.scores(COUNTS, NAMES[:2])


def test_import_is_light():
    folder = Path(segmentation.__file__).parent
    modules = [path.stem for path in folder.glob("[a-z]*.py")]
    code = f"""
import sys
{"".join(f"import seedbed.metrics.{module}; " for module in modules)}
print([heavy for heavy in ("torch", "numba", "sklearn", "scipy") if heavy in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(folder.parents[1])},
    )
    assert result.stdout.strip() == "[]"


def test_predictions_are_joined_by_hand():
    counts = np.array([[5, 1, 2, 3, 4], [6, 7, 8, 9, 10], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    lookup = np.full(256, 255, np.uint8)
    lookup[:4] = 0, 1, 0, 255  # class 1 stays, class 2 is background, class 3 has no label
    assert segmentation.join_predictions(counts, lookup).tolist() == [[7, 1, 7], [14, 7, 19]]
    assert segmentation.join_predictions(np.stack([counts, counts]), lookup).shape == (2, 2, 3)
    unchanged = np.arange(256, dtype=np.uint8)
    assert (segmentation.join_predictions(counts, unchanged) == counts).all()
