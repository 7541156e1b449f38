import numpy as np
import pytest

from metrics.pnoc_table3 import BETWEEN_PROPERTIES, CORRELATIONS, IOU, MEANS, OVERALL, PROPERTIES
from seedbed.metrics.class_groups import (
    VOC_CLASSES,
    VOC_GROUPS,
    class_properties,
    group_scores,
    property_correlations,
)

PUZZLE = "Puzzle-CAM"


def numbers(text):
    return np.array(text.split(), float)


@pytest.mark.parametrize("method", IOU)
def test_printed_means(method):
    """To the rounding of entries and means; singletons only with cat and cow, which the printed list omits."""
    result = group_scores(numbers(IOU[method]))
    printed = {(kind, group): mean for kind, means in MEANS[method].items() for group, mean in means.items()}
    assert len(printed) == 11
    computed = {(kind, group): result[kind][group] for kind, group in printed}
    assert computed == pytest.approx(printed, abs=0.11)
    assert (result["overall_mean"], result["overall_std"]) == pytest.approx(OVERALL[method], abs=0.11)


def test_singletons_hold_cat_and_cow():
    value = dict(zip(("background", *VOC_CLASSES), numbers(IOU[PUZZLE]), strict=True))
    listed = [value[name] for name in VOC_GROUPS["group"]["singleton"] if name not in ("cat", "cow")]
    assert np.mean(listed) == pytest.approx(65.6, abs=0.1)
    assert MEANS[PUZZLE]["group"]["singleton"] == 69.3


@pytest.mark.parametrize("method", IOU)
def test_printed_correlations(method):
    """In per cent; the properties are printed with two or three digits."""
    properties = {name: numbers(values) for name, values in PROPERTIES.items()}
    found = property_correlations(numbers(IOU[method])[1:], properties)
    assert {name: 100 * value for name, value in found.items()} == pytest.approx(
        CORRELATIONS[method], abs=0.6
    )


def test_printed_correlations_between_the_properties():
    """L is printed with two digits, which alone moves its coefficients by up to two per cent."""
    properties = {name: numbers(values) for name, values in PROPERTIES.items()}
    for name, printed in BETWEEN_PROPERTIES.items():
        found = property_correlations(properties[name], properties)
        assert {key: 100 * value for key, value in found.items()} == pytest.approx(printed, abs=2.0)


def test_properties_by_hand():
    """Three images: cat; cat and dog; dog, cat and cow. Cats fill 0.6 of a mean image in all; no image has a sheep."""
    labels = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]], bool)
    found = class_properties(labels, np.array([0.6, 0.5, 0.25, 0.0]))
    assert found["occurrence"].tolist() == [3, 2, 1, 0]
    expected = {
        "co_occurrence": [2 / 3, 1, 1, np.nan],
        "cardinality": [2, 2.5, 3, np.nan],
        "size": [0.2, 0.25, 0.25, np.nan],
    }
    for name, values in expected.items():
        assert found[name].tolist() == pytest.approx(values, nan_ok=True)
    assert "size" not in class_properties(labels)


def test_correlations_that_are_not_defined():
    iou = np.array([0.1, 0.2, np.nan, 0.4])
    properties = {
        "line": np.array([1.0, 2.0, 9.0, 4.0]),
        "constant": np.ones(4),
        "two": np.array([1.0, 2.0, 3.0, np.nan]),
    }
    found = property_correlations(iou, properties)
    assert found == {"line": pytest.approx(1.0), "constant": None, "two": None}


def test_own_groups():
    """Of another data set; a class that is not scored does not count."""
    groups = {"place": {"indoors": ("chair", "lamp"), "outdoors": ("tree",)}}
    result = group_scores(np.array([0.9, 0.5, 0.7]), ("chair", "lamp"), groups)
    assert result["place"] == {"indoors": pytest.approx(0.6), "outdoors": None}
    assert "size" not in result


def test_each_kind_is_a_partition():
    for groups in VOC_GROUPS.values():
        assert sorted(name for members in groups.values() for name in members) == sorted(VOC_CLASSES)


def test_subset_and_absent_classes():
    result = group_scores(np.array([0.9, 0.5, np.nan]), ("cat", "dog"))
    assert result["overall_mean"] == pytest.approx(0.7)
    assert result["overall_std"] is None
    assert result["group"] == {
        "singleton": 0.5,
        "person": None,
        "animal": None,
        "room": None,
        "traffic": None,
    }


def test_errors():
    with pytest.raises(ValueError, match="2 classes, 3 values; got 2"):
        group_scores(np.array([0.9, 0.5]), ("cat", "dog"))
    with pytest.raises(ValueError, match="unknown class of PASCAL VOC 'zebra'"):
        group_scores(np.array([0.9, 0.5]), ("zebra",))
