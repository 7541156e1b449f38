"""Names that are not those of classes, and classes that a person would take for one, in every kind of data set."""

import json

import pytest
from PIL import Image

from seedbed.datasets.class_map import ClassMap
from seedbed.datasets.class_names import alike_faults, class_fault, refuse_classes, reserved_fault
from seedbed.datasets.coco_json import read_instances
from seedbed.datasets.coco_masks import region_mask
from seedbed.datasets.label_csv import read_label_csv
from seedbed.errors import SeedbedError


@pytest.mark.parametrize(
    "name", ["", "a\u200bb", "ca\u00adt", "\u202ecat", "cow\u2028", "a\tb", "\ue000", " cat", "cat "]
)
def test_names_that_are_not_those_of_classes(name):
    assert "\n" not in (class_fault(name) or "\n")


@pytest.mark.parametrize("name", ["cat", "hot dog", "vaché", "猫", "🐈", "T-shirt", "7", "bg"])
def test_names_of_classes(name):
    assert class_fault(name) is None
    assert reserved_fault(name) is None


@pytest.mark.parametrize("name", ["background", "Background", "__background__", "void", "VOID", "*"])
def test_reserved_names(name):
    assert "is not a class" in (reserved_fault(name) or "")
    with pytest.raises(SeedbedError, match="is not a class"):
        refuse_classes(("cat", name), "data set 'toy'")


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("cat", "Cat", "'cat' and 'Cat' differ only in case"),
        ("vach\u00e9", "vache\u0301", r"'vach\xe9' and 'vache\u0301' differ only in spaces"),
        ("big cow", "big\u00a0cow", r"'big cow' and 'big\xa0cow' differ only in spaces"),
        ("big cow", "big  cow", "'big cow' and 'big  cow' differ only in spaces"),
    ],
)
def test_classes_that_are_alike(one, other, told):
    (fault,) = alike_faults("labels.csv", [one, "dog", other])
    assert told in fault
    with pytest.raises(SeedbedError, match="differ only"):
        refuse_classes((one, other), "data set 'toy'")
    with pytest.raises(ValueError, match="differ only"):
        ClassMap(labels={one: ["a"], other: ["b"]})


@pytest.mark.parametrize("name", ["Background", "*", "Void", "a\u200b"])
def test_new_classes_of_a_class_map(name):
    with pytest.raises(ValueError, match="class"):
        ClassMap(labels={"pet": ["cat"], name: ["dog"]})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "image_id,split,labels,cow,dog\na,train,0,0,1\nb,train,1,1,0\n",
            "'cow', 'dog' of 0 and 1 would not be read",
        ),
        (
            "image_id,labels\na,cat|dog\nb,cat\n",
            "line 2: expected names separated by ';', got 'cat|dog'; write 'cat;dog'",
        ),
        (
            "image_id,labels\na,nan\nb,cat\n",
            "line 2: 'nan' is not a class of a label file; leave the cell empty",
        ),
        ("image_id,labels\na,void\nb,cat\n", "line 2: 'void' is not a class"),
        ("image_id,void,cat\na,1,0\n", "'void' is not a class"),
        ("image_id,labels\na,vach\u00e9\nb,vache\u0301\n", "line 3: the classes"),
        ("image_id,labels\na,Cat\nb,cat;dog\n", "line 3: the classes"),
    ],
)
def test_label_files(tmp_path, text, told):
    (tmp_path / "labels.csv").write_text(text)
    faults = read_label_csv(tmp_path / "labels.csv").faults
    assert any(told in fault for fault in faults), faults


@pytest.mark.parametrize("names", [("cat", "background"), ("cat", "*"), ("dog", "Dog"), ("dog", "d\u200bog")])
def test_categories_of_coco(tmp_path, names):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 8, "height": 8}],
        "annotations": [],
        "categories": [{"id": k, "name": name} for k, name in enumerate(names, 1)],
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(SeedbedError, match="class"):
        read_instances(tmp_path / "x.json")


@pytest.mark.parametrize(
    "numbers", [["1", "1", "5", "1", "5", "5"], [True, 1, 5, 1, 5, 5], "115155", [10**400] * 6]
)
def test_polygons_of_something_else(numbers):
    with pytest.raises(ValueError, match="polygon"):
        region_mask([numbers], 8, 8)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image_id:cat\na:1\n", "got the separator ':'; write commas"),
        ("image_id cat\na 1\n", "got the separator space; write commas"),
        (
            "Image_ID,cat\na,1\n",
            "line 1: expected a column 'image_id', but it is called 'Image_ID'; rename it",
        ),
        ("sep=,\nimage_id,cat\na,1\n", "line 1: expected a column 'image_id', but the header comes after it"),
        ("# mine\nimage_id,cat\na,1\n", "but the header comes after it; remove this line"),
        ("\ufeff\ufeffimage_id,cat\na,1\n", r"but it is called '\ufeffimage_id'; rename it"),
        ("name,cat\na,1\n", "but the columns are name, cat"),
    ],
)
def test_headers(tmp_path, text, told):
    (tmp_path / "labels.csv").write_text(text)
    (fault,) = read_label_csv(tmp_path / "labels.csv").faults
    assert told in fault
