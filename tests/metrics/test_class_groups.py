import numpy as np
import pytest

from seedbed.metrics.class_groups import VOC_CLASSES, VOC_GROUPS, group_scores

# P-NOC, Table 3: IoU of background and the 20 classes (per cent), and the groups' printed means.
PUZZLE_IOU = """
86.0 61.4 38.6 71.4 51.3 56.0 78.4 70.4 83.7 27.2 73.6 39.2 80.8 69.0 73.2 50.3 56.3 75.9 35.5 68.2 33.8
"""
CAM_IOU = """
81.0 47.5 32.2 49.5 40.8 49.0 72.1 62.6 54.8 30.7 55.1 52.5 61.3 55.9 67.8 63.6 46.8 55.3 50.0 63.9 38.6
"""
PUZZLE_GROUPS = {
    **{"small": 51.7, "large": 67.1, "low": 64.5, "mid": 52.9, "high": 64.0},
    **{"singleton": 69.3, "person": 50.3, "animal": 74.9, "room": 41.3, "traffic": 65.1},
}
CAM_GROUPS = {
    **{"small": 42.4, "large": 59.3, "low": 51.9, "mid": 52.0, "high": 53.8},
    **{"singleton": 52.4, "person": 63.6, "animal": 58.6, "room": 44.6, "traffic": 58.7},
}


@pytest.mark.parametrize(
    ("ious", "groups", "overall"),
    [(PUZZLE_IOU, PUZZLE_GROUPS, (61.0, 17.4)), (CAM_IOU, CAM_GROUPS, (53.9, 11.2))],
    ids=["puzzle", "cam"],
)
def test_printed_means(ious, groups, overall):
    result = group_scores(np.array(ious.split(), float))
    computed = result["size"] | result["occurrence"] | result["group"]
    for name, printed in groups.items():
        assert computed[name] == pytest.approx(printed, abs=0.11), name  # rounded entries, rounded mean
    assert (result["overall_mean"], result["overall_std"]) == pytest.approx(overall, abs=0.11)


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
