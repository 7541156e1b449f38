import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.threshold_tables import ThresholdTable

GRID = [0.05, 0.1, 0.3, 0.3000001, 0.7, 0.9]
PAIRS = [(bg, fg) for bg in GRID for fg in GRID if bg <= fg]
K = 6


def label_plainly(cam, class_ids, bg, fg):
    """The published rule, written out: a mask under one pair."""
    if len(cam) == 0:
        return np.zeros(cam.shape[1:], np.uint8)
    score = cam.max(0)
    mask = np.full(score.shape, 255, np.uint8)
    mask[score <= np.float32(bg)] = 0
    foreground = score >= np.float32(fg)
    mask[foreground] = (class_ids[cam.argmax(0)] + 1)[foreground]
    return mask


@st.composite
def images(draw):
    """CAMs that often lie on a threshold, or one float32 beside it, or outside [0, 1]; masks with 255."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    class_ids = rng.permutation(K - 1)[: draw(st.integers(0, 3))]
    near = np.array([*GRID, 0, 1, -0.5, 1.5], np.float32)
    near = np.concatenate([near, np.nextafter(near, np.float32(-9)), np.nextafter(near, np.float32(9))])
    cam = rng.choice(near, (len(class_ids), height, width))
    cam = np.where(rng.random(cam.shape) < 0.7, cam, rng.random(cam.shape, np.float32)).astype(np.float32)
    truth = rng.choice(np.array([*range(K), 255], np.uint8), (height, width))
    return cam, class_ids, truth


@settings(max_examples=60, deadline=None)
@given(st.lists(images(), min_size=1, max_size=3))
def test_every_pair_equals_the_plain_loop(several):
    table = ThresholdTable.empty(GRID, K)
    expected = np.zeros((len(PAIRS), K, K + 1), np.int64)
    neutral = np.zeros(len(PAIRS))
    pixels = 0
    for cam, class_ids, truth in several:
        table.add(cam, class_ids, truth)
        pixels += truth.size
        for p, (bg, fg) in enumerate(PAIRS):
            mask = label_plainly(cam, class_ids, bg, fg)
            expected[p] += confusion_counts(truth, mask, K)
            neutral[p] += (mask == 255).sum()
    assert np.array_equal(table.confusion(PAIRS), expected)
    assert np.array_equal(table.neutral_ratio(PAIRS), neutral / pixels)


@settings(max_examples=30, deadline=None)
@given(images())
def test_curve_equals_arg_max_with_a_constant_background(image):
    cam, class_ids, truth = image
    table = ThresholdTable.empty(GRID, K)
    table.add(cam, class_ids, truth)
    for counts, threshold in zip(table.curve(), table.thresholds, strict=True):
        stack = np.concatenate([np.full((1, *truth.shape), threshold, np.float32), cam])
        mask = np.concatenate([[0], class_ids + 1])[stack.argmax(0)].astype(np.uint8)
        assert np.array_equal(counts, confusion_counts(truth, mask, K))


def test_by_hand():
    cam = np.array([[[0.1, 0.3, 0.2, 0.0]], [[0.0, 0.3, 0.4, 0.05]]], np.float32)
    truth = np.array([[0, 5, 255, 5]], np.uint8)
    table = ThresholdTable.empty([0.3, 0.1, 0.3], K)
    table.add(cam, np.array([4, 1]), truth)
    (counts,) = table.confusion([(0.1, 0.3)])
    # scores: .1 (on the threshold: background), .3 (first of equals: class 4, value 5), .4 (unlabelled), .05
    assert counts[0, 0] == 1
    assert counts[5, 5] == 1
    assert counts[5, 0] == 1
    assert counts.sum() == 3
    (equal,) = table.confusion([(0.3, 0.3)])
    assert equal[5, 5] == 1  # a score on both thresholds is foreground
    assert table.curve()[1][5, 0] == 2  # but on the single threshold it is background


def test_float32_edge():
    """0.3 as float64 lies below float32(0.3): a comparison in float64 would leave the pixel neutral."""
    cam = np.full((1, 1, 1), 0.3, np.float32)
    assert float(cam[0, 0, 0]) > 0.3
    table = ThresholdTable.empty([0.3, 0.5], K)
    table.add(cam, np.array([0]), np.zeros((1, 1), np.uint8))
    assert table.neutral_ratio([(0.3, 0.5)]).tolist() == [0.0]


def test_without_truth():
    rng = np.random.default_rng(0)
    cam = rng.random((2, 50, 60), np.float32)
    table = ThresholdTable.empty(GRID, K)
    table.add(cam, np.array([0, 3]))
    assert not table.confusion(PAIRS).any()
    share = ((cam.max(0) > np.float32(0.1)) & (cam.max(0) < np.float32(0.7))).mean()
    assert table.neutral_ratio([(0.1, 0.7)]) == pytest.approx([share])
    assert share > 0.1


def test_merging():
    rng = np.random.default_rng(1)
    whole, first, second = (ThresholdTable.empty(GRID, K) for _ in range(3))
    for part in (first, second):
        cam, truth = rng.random((2, 9, 11), np.float32), rng.integers(0, K, (9, 11)).astype(np.uint8)
        part.add(cam, np.array([2, 0]), truth)
        whole.add(cam, np.array([2, 0]), truth)
    again = first + second
    assert np.array_equal(again.confusion(PAIRS), whole.confusion(PAIRS))
    assert np.array_equal(again.thresholds, whole.thresholds)


def test_many_thresholds_in_one_cell():
    """Thresholds far closer than the cells of the search, and all scores on or beside them."""
    grid = np.linspace(0.5, 0.50001, 60, dtype=np.float32)
    cam = np.concatenate([grid, np.nextafter(grid, np.float32(0)), np.nextafter(grid, np.float32(1))])[
        None, None
    ]
    truth = np.zeros(cam.shape[1:], np.uint8)
    table = ThresholdTable.empty(grid.tolist(), 2)
    table.add(cam, np.array([0]), truth)
    assert table.thresholds.size > 50
    for counts, threshold in zip(table.curve(), table.thresholds, strict=True):
        assert counts[0].tolist() == [(cam <= threshold).sum(), (cam > threshold).sum(), 0]


def test_empty_table_has_no_ratio():
    assert np.isnan(ThresholdTable.empty(GRID, K).neutral_ratio(PAIRS)).all()


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("expected cam as float32.*, got float64", {"cam": np.zeros((1, 2, 2))}),
        ("the CAM holds NaN", {"cam": np.array([[[0.1, np.nan], [0, 0]]], np.float32)}),
        (r"expected truth of the CAM's size \(2, 2\), got \(3, 2\)", {"truth": np.zeros((3, 2), np.uint8)}),
        ("expected truth from 0 to 5, or 255, got 6", {"truth": np.full((2, 2), 6, np.uint8)}),
        (r"expected distinct classes from 0 to 4, got \[5\]", {"class_ids": np.array([5])}),
        (r"got \[-1\]", {"class_ids": np.array([-1])}),
        (r"got \[1, 1\]", {"class_ids": np.array([1, 1]), "cam": np.zeros((2, 2, 2), np.float32)}),
    ],
)
def test_refused_images(message, change):
    table = ThresholdTable.empty(GRID, K)
    image = {
        "cam": np.zeros((1, 2, 2), np.float32),
        "class_ids": np.array([0]),
        "truth": np.zeros((2, 2), np.uint8),
    }
    with pytest.raises(ValueError, match=message):
        table.add(**(image | change))
    assert not table.counts.any()


def test_nan_behind_a_greater_score():
    cam = np.array([[[0.9]], [[np.nan]]], np.float32)
    with pytest.raises(ValueError, match="NaN"):
        ThresholdTable.empty(GRID, K).add(cam, np.array([0, 1]))


def test_refused_questions():
    table = ThresholdTable.empty(GRID, K)
    with pytest.raises(ValueError, match=r"expected bg_threshold ≤ fg_threshold, got 0.7 and 0.3"):
        table.confusion([(0.1, 0.3), (0.7, 0.3)])
    with pytest.raises(ValueError, match=r"threshold 0\.25 is not among the table's 6"):
        table.neutral_ratio([(0.1, 0.25)])
    with pytest.raises(ValueError, match="finite thresholds, got"):
        ThresholdTable.empty([], K)
    with pytest.raises(ValueError, match="finite thresholds, got"):
        ThresholdTable.empty([0.1, float("nan")], K)
    with pytest.raises(ValueError, match="expected 2 to 255 classes with background, got 1"):
        ThresholdTable.empty(GRID, 1)
    with pytest.raises(
        ValueError, match="6 thresholds and 6 classes and a table of 1 thresholds and 6 classes"
    ):
        table + ThresholdTable.empty([0.1], K)
