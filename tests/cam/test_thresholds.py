"""Labels of regions: one spelling for each setting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.cam.thresholds import Regions, format_threshold


@pytest.mark.parametrize("value", ["0.3", "0.30", "0.300", ".3", 0.3])
def test_one_spelling_of_a_threshold(value):
    assert format_threshold(value) == "0.30"


@pytest.mark.parametrize(
    ("label", "spelling"),
    [
        ("bg0.10-fg0.40", "bg0.10-fg0.40"),
        ("bg0.1-fg0.4", "bg0.10-fg0.40"),
        (" bg.05-fg.3 ", "bg0.05-fg0.30"),
        ("bg0-fg1", "bg0.00-fg1.00"),
        ("bg0.3-fg0.30", "bg0.30-fg0.30"),
        ("alpha4-24", "alpha4-24"),
        ("alpha04-024", "alpha4-24"),
    ],
)
def test_one_spelling_of_a_setting(label, spelling):
    assert Regions.parse(label).label == spelling
    assert str(Regions.parse(label)) == spelling


def test_values():
    regions = Regions.parse("bg0.05-fg0.3")
    assert (regions.bg_threshold, regions.fg_threshold) == (0.05, 0.3)
    assert Regions("thresholds", 0.05, 0.3) == regions
    alphas = Regions.parse("alpha4-24")
    assert (alphas.kind, alphas.low, alphas.high) == ("alphas", 4, 24)


@given(st.integers(0, 100), st.integers(0, 100))
def test_labels_are_read_back(one, two):
    low, high = sorted((one, two))
    regions = Regions("thresholds", low / 100, high / 100)
    assert Regions.parse(regions.label) == regions
    assert regions.label == f"bg{low // 100}.{low % 100:02d}-fg{high // 100}.{high % 100:02d}"


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("bg0.40-fg0.10", "at most the foreground's, got 'bg0.40-fg0.10'; did you mean bg0.10-fg0.40"),
        ("alpha24-4", "low alpha before the high one, got 'alpha24-4'; did you mean alpha4-24"),
        ("bg0.10-fg1.40", "expected a threshold from 0 to 1, got '1.40'"),
        ("bg0.105-fg0.40", "at most two decimals, got '0.105'"),
        ("alpha0-24", "whole alphas of at least 1, got 0 and 24"),
        ("0.10-0.40", "expected regions like 'bg0.10-fg0.40' or 'alpha4-24', got '0.10-0.40'"),
        ("bg-0.1-fg0.4", "expected a threshold from 0 to 1, got '-0.1'"),
        ("fg0.40-bg0.10", "expected regions like"),
        ("", "expected regions like"),
    ],
)
def test_unreadable_labels(label, message):
    with pytest.raises(ValueError, match=message) as caught:
        Regions.parse(label)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["a", "nan", "inf", -0.1, 1.01, ""])
def test_what_is_no_threshold(value):
    with pytest.raises(ValueError, match="expected a threshold from 0 to 1"):
        format_threshold(value)


def test_alphas_have_no_thresholds():
    with pytest.raises(ValueError, match="expected regions given by two thresholds, got 'alpha4-24'; choose"):
        _ = Regions.parse("alpha4-24").bg_threshold
    with pytest.raises(ValueError, match=r"whole alphas of at least 1, got 1\.5 and 2"):
        Regions("alphas", 1.5, 2.0)
