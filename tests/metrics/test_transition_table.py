import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.metrics.transition_table import TransitionTable

GRID = [0.05, 0.2, 0.5, 0.8]
PAIRS = [(bg, fg) for bg in GRID for fg in GRID if bg <= fg]


def states(cam, bg, fg):
    """Background 0, foreground 1, neutral 2, written out."""
    score = cam.max(0) if len(cam) else np.full(cam.shape[1:], -np.inf)
    return np.where(score >= np.float32(fg), 1, np.where(score <= np.float32(bg), 0, 2))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(1, 2))
def test_every_pair_equals_the_plain_loop(seed, maps, number):
    rng = np.random.default_rng(seed)
    table = TransitionTable.empty(GRID)
    expected = np.zeros((len(PAIRS), 4), np.int64)
    pixels = 0
    for _ in range(number):
        shape = (2, maps, *rng.integers(1, 9, 2))
        on_threshold = rng.choice(np.array([*GRID, 0, 1], np.float32), shape)
        cams = np.where(rng.random(shape) < 0.6, on_threshold, rng.random(shape, np.float32)).astype(
            np.float32
        )
        table.add(*cams)
        pixels += shape[2] * shape[3]
        for p, pair in enumerate(PAIRS):
            before, after = states(cams[0], *pair), states(cams[1], *pair)
            moved = [((before == 2) & (after == state)).sum() for state in (0, 1)]
            expected[p] += [(before == 2).sum(), (after == 2).sum(), *moved]
    found = table.transitions(PAIRS)
    assert found.total == pixels
    assert np.array_equal(found.neutral_initial, expected[:, 0])
    assert np.array_equal(found.neutral_refined, expected[:, 1])
    assert np.array_equal(found.neutral_to_background, expected[:, 2])
    assert np.array_equal(found.neutral_to_foreground, expected[:, 3])


def test_by_hand():
    initial = np.array([[[0.3, 0.3, 0.3, 0.9, 0.0]]], np.float32)
    refined = np.array([[[0.2, 0.5, 0.4, 0.4, 0.4]]], np.float32)
    table = TransitionTable.empty([0.2, 0.5])
    table.add(initial, refined)
    found = table.transitions([(0.2, 0.5), (0.5, 0.5)])
    assert found.neutral_initial.tolist() == [3, 0]
    assert found.neutral_refined.tolist() == [3, 0]
    assert found.neutral_to_background.tolist() == [1, 0]
    assert found.neutral_to_foreground.tolist() == [1, 0]


def test_merging():
    rng = np.random.default_rng(0)
    parts = [TransitionTable.empty(GRID) for _ in range(2)]
    whole = TransitionTable.empty(GRID)
    for part in parts:
        cams = rng.random((2, 2, 7, 5), np.float32)
        part.add(*cams)
        whole.add(*cams)
    again = parts[0] + parts[1]
    assert np.array_equal(again.counts, whole.counts)
    assert again.transitions(PAIRS).total == 70


def test_errors():
    table = TransitionTable.empty(GRID)
    cam = np.zeros((1, 2, 2), np.float32)
    with pytest.raises(
        ValueError, match=r"expected initial and refined CAMs of one shape, got \(1, 2, 2\) and \(2, 2, 2\)"
    ):
        table.add(cam, np.zeros((2, 2, 2), np.float32))
    with pytest.raises(ValueError, match=r"expected refined as float32.*, got float64"):
        table.add(cam, cam.astype(np.float64))
    for broken in ((cam * np.nan, cam), (cam, cam * np.nan)):
        with pytest.raises(ValueError, match="hold NaN"):
            table.add(*broken)
    assert not table.counts.any()
    with pytest.raises(ValueError, match="4 and 1 thresholds do not add up"):
        table + TransitionTable.empty([0.5])
    with pytest.raises(ValueError, match="expected bg_threshold ≤ fg_threshold"):
        table.transitions([(0.5, 0.2)])
