"""ψ in its published forms, by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedbed.cam.normalisation import NORMALISATIONS, normalise

CAMS = np.array([[[-1.0, 1.0], [2.0, 4.0]], [[0.5, 0.5], [1.0, 0.75]]], dtype=np.float32)
E = 1e-5


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "max",
            [[[0, 1 / (4 + E)], [2 / (4 + E), 4 / (4 + E)]], [[0.5, 0.5], [1.0, 0.75]] / np.array(1 + E)],
        ),
        (
            "puzzle",
            [
                [[0, (1 - E) / (4 + E)], [(2 - E) / (4 + E), (4 - E) / (4 + E)]],
                [[0.5 - E, 0.5 - E], [1 - E, 0.75 - E]] / np.array(1 + E),
            ],
        ),
        (
            "min_max",
            [
                [[0, (1 - E) / (4 + E)], [(2 - E) / (4 + E), (4 - E) / (4 + E)]],
                [[0, 0], [(0.5 - E) / (0.5 + E), (0.25 - E) / (0.5 + E)]],
            ],
        ),
        ("global_max", [[[0, 0.25], [0.5, 1.0]], [[0.125, 0.125], [0.25, 0.1875]]]),
        ("none", [[[0, 1], [1, 1]], [[0.5, 0.5], [1.0, 0.75]]]),
    ],
)
def test_forms_by_hand(form, expected):
    assert np.allclose(normalise(CAMS, form), np.array(expected), rtol=0, atol=1e-7)


def test_maxima_tell_the_epsilon():
    # A map of maximum 1e-5 becomes 1/2: the ε of the field is no guard against 0 alone.
    assert normalise(np.full((1, 1, 1), 1e-5, np.float32))[0, 0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("form", NORMALISATIONS)
def test_dead_maps_and_no_classes(form):
    assert (normalise(np.full((2, 3, 4), -1.0, np.float32), form) == 0).all()
    assert normalise(np.zeros((0, 3, 4), np.float32), form).shape == (0, 3, 4)


@settings(max_examples=25, deadline=None)
@given(
    cams=arrays(np.float32, (2, 3, 4), elements=st.floats(-10, 10, width=32)),
    form=st.sampled_from(sorted(NORMALISATIONS)),
)
def test_range_and_order(cams, form):
    psi = normalise(cams, form)
    assert psi.dtype == np.float32
    assert psi.min() >= 0
    assert psi.max() <= 1
    order = np.argsort(cams.reshape(2, -1), axis=1)
    assert (np.diff(np.take_along_axis(psi.reshape(2, -1), order, axis=1)) >= 0).all()


def test_unknown_form_is_answered_with_near_names():
    with pytest.raises(ValueError, match=r"unknown normalisation 'minmax'; did you mean min_max"):
        normalise(CAMS, "minmax")
