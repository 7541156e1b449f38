"""Background that walks: its scores and the classes' shares."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.refine.background import background_scores, shares


def test_background_by_hand():
    """1 − 0.5 and 1 − 1, to the power 2."""
    cams = np.array([[[0.5, 0.0]], [[0.25, 1.0]]], np.float32)
    np.testing.assert_allclose(background_scores(cams, 2.0), [[[0.25, 0.0]]])


def test_shares_by_hand():
    """0.6 of 0.6 + 0.2, and its rival 0.2 of the same; nothing at all has no share; what is below 0 counts as 0."""
    walked = np.array([[[0.2, 0.0, -1e-6]], [[0.6, 0.0, 0.5]], [[0.2, 0.0, -1e-6]]], np.float32)
    np.testing.assert_allclose(shares(walked), [[[0.75, 0, 1]], [[0.25, 0, 0]]], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=9, max_size=9))
def test_one_half_decides_as_an_argmax_over_background_and_classes(values):
    walked = np.array(values, np.float32).reshape(3, 1, 3)
    found = shares(walked)
    assert ((found >= 0) & (found <= 1)).all()
    for x in range(3):
        background, classes = float(walked[0, 0, x]), walked[1:, 0, x]
        clear = abs(float(classes.max()) - background) > 1e-6 * max(background, 1e-30)
        if clear:
            assert (found[:, 0, x].max() > 0.5) == (classes.max() > background)
        assert found[int(classes.argmax()), 0, x] == found[:, 0, x].max()
