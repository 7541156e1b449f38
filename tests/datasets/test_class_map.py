"""`class_map`: classes joined and dropped, against lists worked out by hand."""

import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets.class_map import ClassMap, vocabulary
from seedbed.datasets.index import IndexedDataset, build_index
from seedbed.errors import SeedbedError
from seedbed.plan.config import parse_config

OWN = ("cat", "cow", "dog", "person")
MASK = np.array([[0, 1, 2], [3, 4, 255]], np.uint8)


def declared(class_map: dict[str, Any] | None, **more: Any) -> DatasetDeclaration:
    raw = {
        "kind": "folder",
        "splits": {"train": {}},
        "with": {"masks": "masks"},
        "class_map": class_map,
        **more,
    }
    return DatasetDeclaration.model_validate(raw)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "masks").mkdir()
    for name in ("a", "b"):
        Image.fromarray(np.zeros((2, 3, 3), np.uint8) + ord(name)).save(tmp_path / f"{name}.png")
        Image.fromarray(MASK if name == "a" else np.zeros_like(MASK)).save(tmp_path / "masks" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("image_id,cat,cow,dog,person\na,1,1,1,1\nb,0,0,0,1\n")
    return tmp_path


def open_mapped(folder, class_map: dict[str, Any] | None, **more: Any) -> Dataset:
    return open_dataset("mine", declared(class_map, **more), folder)


def test_breeds_for_labels_and_pet_for_masks(folder):
    data = open_mapped(folder, {"masks": {"pet": ["cat", "dog"], "background": ["cow"], "void": "person"}})
    assert data.classes == OWN
    assert data.mask_classes == ("pet",)
    assert data.labels("a").tolist() == [True] * 4
    assert data.mask("a").tolist() == [[0, 1, 0], [1, 255, 255]]
    assert data.mask_lookup[[0, 1, 2, 3, 4, 255]].tolist() == [0, 1, 0, 1, 255, 255]


def test_a_step_of_the_labels_is_one_of_the_masks_too(folder):
    data = open_mapped(folder, {"labels": {"person": "person", "animal": "*"}})
    assert data.classes == data.mask_classes == ("animal", "person")
    assert data.labels("a").tolist() == [True, True]
    assert data.labels("b").tolist() == [False, True]
    assert data.mask("a").tolist() == [[0, 1, 1], [1, 2, 255]]


def test_two_steps(folder):
    labels = {"pet": ["cat", "dog"], "cow": "cow", "void": "person"}
    data = open_mapped(folder, {"labels": labels, "masks": {"animal": ["cow", "pet"]}})
    assert data.classes == ("pet", "cow")
    assert data.labels("b").tolist() == [False, False]
    assert data.mask_classes == ("animal",)
    assert data.mask("a").tolist() == [[0, 1, 1], [1, 255, 255]]


def test_a_subset_is_what_is_not_dropped(folder):
    data = open_mapped(folder, {"labels": {"dog": "dog", "cat": "cat", "background": "*"}})
    assert data.classes == ("cat", "dog")
    assert data.mask("a").tolist() == [[0, 1, 0], [2, 0, 255]]


def test_the_index_has_the_classes_of_the_labels(folder):
    data = open_mapped(folder, {"masks": {"pet": "*"}}, longest=32)
    index = build_index(data, declared(None).splits)
    indexed = IndexedDataset(pickle.loads(pickle.dumps(data)), index)
    assert index.classes == OWN
    assert indexed.mask_classes == ("pet",)
    assert indexed.mask("a").tolist() == [[0, 1, 1], [1, 1, 255]]
    assert indexed.in_mask_classes(MASK).tolist() == indexed.mask("a").tolist()
    assert indexed.mask_class_ids("a") == [0]
    assert not data.faults()


def test_without_a_map_masks_have_the_classes_of_the_labels(folder):
    data = open_mapped(folder, None)
    indexed = IndexedDataset(data, build_index(data, declared(None).splits))
    assert indexed.mask_classes == OWN
    assert (indexed.in_mask_classes(MASK) == MASK).all()


def test_the_order_of_the_map_means_nothing():
    one = declared({"labels": {"a": ["x", "y"], "b": "z"}})
    other = declared({"labels": {"b": ["z"], "a": ["y", "x"]}})
    dumps = [json.dumps(d.model_dump(mode="json", exclude_defaults=True)) for d in (one, other)]
    assert dumps[0] == dumps[1]
    assert "class_map" not in json.dumps(declared(None).model_dump(mode="json", exclude_defaults=True))


@pytest.mark.parametrize(
    ("class_map", "message"),
    [
        (
            {"masks": {"pet": ["cat", "dog"], "other": ["dog"]}},
            "'dog' is joined into 'pet', too; name it once",
        ),
        ({"masks": {"pet": ["cat", "dog", "cat"]}}, "'pet': 'cat' is joined twice; name it once"),
        ({"masks": {"pet": "*", "void": "*"}}, r"'\*' is joined into 'pet', too"),
        ({"labels": {"background": "*"}}, "expected a class besides background and void"),
        ({"labels": {}}, "expected a class besides background and void, got none"),
        ({"labels": {"pet": []}}, "expected at least 1"),
        ({"labels": {"=pet": ["cat"]}}, "a spreadsheet runs as a formula"),
        ({"label": {"pet": ["cat"]}}, "unknown key 'label'; did you mean labels"),
    ],
)
def test_what_is_wrong_whatever_the_data_set_holds_is_told_with_params_yaml(class_map, message):
    data_set = {"kind": "folder", "splits": {"train": {}}, "class_map": class_map}
    raw = {"dataset": "mine", "recipes": ["psa"], "datasets": {"mine": data_set}}
    with pytest.raises(SeedbedError, match=message) as told:
        parse_config(raw)
    assert str(told.value).startswith("params.yaml: datasets.mine.class_map")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("class_map", "message"),
    [
        (
            {"masks": {"pet": ["cat", "dog"]}},
            "class_map.masks leaves out 'cow', 'person'; name each class once",
        ),
        (
            {"labels": {"pet": ["cat", "dgo"], "background": "*"}},
            "class_map.labels.pet: unknown class 'dgo'; did you",
        ),
        (
            {"labels": {"pet": "*"}, "masks": {"pet": "pet", "x": "cat"}},
            "class_map.masks.x: unknown class 'cat'",
        ),
        ({"labels": {"pet": list(OWN), "void": "*"}}, r"'\*' stands for no class"),
        ({"labels": {"background": list(OWN), "pet": "*"}}, r"'\*' stands for no class"),
    ],
)
def test_what_does_not_fit_the_data_set_is_told_when_it_is_opened(folder, class_map, message):
    with pytest.raises(SeedbedError, match=message) as told:
        open_mapped(folder, class_map)
    assert "\n" not in str(told.value)


def test_of_many_classes_that_are_left_out_the_first_are_named():
    with pytest.raises(SeedbedError, match="leaves out 'c1', 'c2', 'c3', 'c4', 'c5', …; name"):
        vocabulary([f"c{k}" for k in range(9)], {"pet": ("c0",)}, "here")


@given(st.lists(st.sampled_from(["p", "q", "background", "void"]), min_size=1, max_size=20), st.data())
def test_every_index_goes_where_its_class_goes(targets, data):
    classes = tuple(f"c{k}" for k in range(len(targets)))
    joined: dict[str, tuple[str, ...]] = {}
    for name, target in zip(classes, targets, strict=True):
        joined[target] = (*joined.get(target, ()), name)
    if not set(targets) & {"p", "q"}:
        with pytest.raises(SeedbedError if targets else ValueError):
            vocabulary(classes, joined, "here")
        return
    checked = ClassMap.model_validate({"labels": joined}).labels
    new, lookup = vocabulary(classes, checked, "here")
    assert set(new) == set(targets) - {"background", "void"}
    for c, target in enumerate(targets):
        expected = {"background": 0, "void": 255}.get(target)
        assert lookup[c + 1] == (new.index(target) + 1 if expected is None else expected)
    assert (lookup[0], lookup[255]) == (0, 255)


def test_own_classes_with_reserved_names_stay_where_no_step_is_declared():
    classes, lookup = vocabulary(("cat", "void", "background"), None, "class_map.labels")
    assert classes == ("cat", "void", "background")
    assert lookup[:5].tolist() == [0, 1, 2, 3, 255]
