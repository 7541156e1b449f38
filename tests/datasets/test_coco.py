"""COCO's JSON: labels and masks by hand, against pycocotools, and every kind of fault in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as rle
from pycocotools.coco import COCO

from coco_files import COCO_IDS, convert_yolo, write_coco
from seedbed.datasets import Dataset, DatasetDeclaration, SplitDeclaration, open_dataset
from seedbed.datasets.coco_masks import region_mask
from seedbed.datasets.index import IndexedDataset, build_index
from seedbed.errors import SeedbedError

NAMES = {7: "cow", 3: "cat", 90: "dog"}
"""In no order and with gaps: classes are cat, cow, dog."""


def square(x: int, y: int, side: int) -> list[list[int]]:
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def open_coco(root: Path, splits: dict[str, Any] | None = None, **options: Any) -> Dataset:
    raw = {"kind": "coco", "splits": splits or {"train": {"list": "train2017"}}, "with": options}
    return open_dataset("mine", DatasetDeclaration.model_validate(raw), root)


def small(root: Path, *annotations: dict[str, Any], size: tuple[int, int] = (6, 4)) -> Path:
    own = [{"image_id": "a.jpg", "category_id": 3, "segmentation": square(0, 0, 2)}, *annotations]
    return write_coco(root, "train2017", {"a.jpg": size, "b.jpg": (5, 5)}, own, NAMES)


def test_ids_classes_and_labels(tmp_path):
    small(tmp_path, {"image_id": "a.jpg", "category_id": 90, "segmentation": square(3, 1, 2)})
    data = open_coco(tmp_path)
    assert isinstance(data, Dataset)
    assert data.faults() == []
    assert data.classes == ("cat", "cow", "dog")
    assert list(data.image_ids("train")) == ["a", "b"]
    assert data.labels("a").tolist() == [True, False, True]
    assert data.labels("b").tolist() == [False] * 3
    assert data.mask("a").tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 3, 3, 0],
        [0, 0, 0, 3, 3, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert data.mask("b").tolist() == [[0] * 5] * 5
    indexed = IndexedDataset(data, build_index(data, {"train": SplitDeclaration()}))
    assert (indexed.mask("a") == data.mask("a")).all()


@pytest.mark.parametrize(
    ("overlap", "row"),
    [("smaller", [1, 2, 2, 1, 0, 0]), ("later", [1, 1, 1, 1, 0, 0]), ("void", [1, 255, 255, 1, 0, 0])],
)
def test_where_objects_overlap(tmp_path, overlap, row):
    cow = {"image_id": "a.jpg", "category_id": 7, "segmentation": square(1, 0, 2)}
    cat = {"image_id": "a.jpg", "category_id": 3, "segmentation": square(0, 0, 4)}
    write_coco(tmp_path, "train2017", {"a.jpg": (6, 4)}, [cow, cat], NAMES)
    assert open_coco(tmp_path, overlap=overlap).mask("a")[0].tolist() == row


def test_objects_of_one_class_do_not_void_each_other(tmp_path):
    small(tmp_path, {"image_id": "a.jpg", "category_id": 3, "segmentation": square(1, 0, 2)})
    assert open_coco(tmp_path, overlap="void").mask("a")[0].tolist() == [1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(("crowd", "value"), [("class", 2), ("void", 255), ("background", 0)])
def test_a_crowd_lies_below_single_objects_and_is_a_label(tmp_path, crowd, value):
    runs = {"size": [4, 6], "counts": [0, 8, 16]}  # two columns of four pixels
    small(tmp_path, {"image_id": "a.jpg", "category_id": 7, "iscrowd": 1, "segmentation": runs})
    data = open_coco(tmp_path, crowd=crowd)
    assert data.faults() == []
    assert data.mask("a")[1].tolist() == [1, 1, 0, 0, 0, 0]
    assert data.mask("a")[2].tolist() == [value, value, 0, 0, 0, 0]
    assert data.labels("a").tolist() == [True, True, False]


def test_degenerate_polygons_are_labels_without_pixels(tmp_path):
    point, line, nothing = [[1, 1]], [[0, 0, 5, 3]], []
    flat = [[0, 0, 5, 0, 2, 0]]
    small(
        tmp_path,
        *({"image_id": "b.jpg", "category_id": 90, "segmentation": s} for s in (point, line, nothing, flat)),
        {"image_id": "b.jpg", "category_id": 7, "segmentation": [*line, *square(0, 0, 1)]},
    )
    data = open_coco(tmp_path)
    assert data.faults() == []
    assert data.labels("b").tolist() == [False, True, True]
    assert data.mask("b")[0].tolist() == [2, 0, 0, 0, 0]
    assert not data.mask("b")[1:].any()
    assert any("3 objects have polygons of fewer than three points" in note for note in data.notes())


def test_a_photograph_of_one_pixel(tmp_path):
    one = {"image_id": "a.png", "category_id": 7, "segmentation": square(0, 0, 1)}
    write_coco(tmp_path, "train2017", {"a.png": (1, 1)}, [one], NAMES)
    data = open_coco(tmp_path)
    assert data.faults() == []
    assert data.mask("a").tolist() == [[2]]


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_run_lengths_are_those_of_pycocotools(height, width, data):
    pixels = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    truth = np.array(pixels, np.uint8).reshape(height, width)
    packed = rle.encode(np.asfortranarray(truth))
    found = region_mask({"size": [height, width], "counts": packed["counts"].decode()}, height, width)
    assert (found == truth).all()
    flat = truth.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges.tolist(), flat.size]).tolist()
    unpacked = {"size": [height, width], "counts": [0, *runs] if flat[0] else runs}
    assert (region_mask(unpacked, height, width) == truth).all()


def test_coco128_has_the_labels_and_pixels_that_pycocotools_finds(tmp_path, test_data, capsys):
    path = convert_yolo(test_data / "coco128-seg", tmp_path, "train2017", 12)
    data, oracle = open_coco(tmp_path), COCO(str(path))
    assert data.faults() == []
    assert len(data.classes) == 80
    shown = 0
    for number, image in oracle.imgs.items():
        image_id = Path(image["file_name"]).stem
        mask, label = data.mask(image_id), data.labels(image_id)
        found = oracle.loadAnns(oracle.getAnnIds(number))
        assert np.flatnonzero(label).tolist() == sorted({COCO_IDS.index(a["category_id"]) for a in found})
        union = np.zeros(mask.shape, bool)
        for one in sorted(found, key=lambda a: -int(oracle.annToMask(a).sum())):
            union |= oracle.annToMask(one).astype(bool)
        assert ((mask > 0) == union).all()
        for c in np.flatnonzero(label):
            of_class = [a for a in found if COCO_IDS.index(a["category_id"]) == c]
            drawn = np.any([oracle.annToMask(a) for a in of_class], axis=0)
            assert not ((mask == c + 1) & ~drawn).any()
        shown += int(union.any())
    assert shown >= 10


A = {"image_id": "a.jpg", "category_id": 3, "segmentation": square(0, 0, 2)}


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (A | {"category_id": 8}, "annotation 1: there is no category with id 8 (known: 3, 7, 90, …)"),
        (A | {"category_id": True}, "there is no category with id True"),
        (A | {"image_id": 5}, "annotation 1: there is no image with id 5"),
        (A | {"iscrowd": 2}, "expected `iscrowd` 0 or 1, got 2"),
        (A | {"segmentation": None}, "annotation 1 of image 'a' has no segmentation; add it, or declare"),
        (
            A | {"segmentation": [[1, 2, 3, 4, 5, 6, 7]]},
            "expected pairs of finite numbers x, y for a polygon, got 7",
        ),
        (A | {"segmentation": [[0, 0, 1, 1, 2, float("nan")]]}, "expected pairs of finite numbers"),
        (
            A | {"segmentation": [[0, 0, 1e9, 1, 2, 3]]},
            "a polygon on an image of 6x4, got numbers from 0 to 1e+09",
        ),
        (A | {"segmentation": [["x", 0]]}, "expected polygons as lists of numbers"),
        (
            A | {"segmentation": {"size": [6, 4], "counts": [24]}},
            "expected run lengths of size [4, 6], got [6, 4]",
        ),
        (
            A | {"segmentation": {"size": [4, 6], "counts": [3, 4]}},
            "expected run lengths of 24 pixels, got 7",
        ),
        (A | {"segmentation": {"size": [4, 6], "counts": [-1, 25]}}, "as a list of whole numbers"),
        (A | {"segmentation": {"size": [4, 6], "counts": "~"}}, "got the character '~'"),
        (A | {"segmentation": {"size": [4, 6], "counts": "Q"}}, "ends within a number"),
        (A | {"segmentation": 5}, "expected polygons or run lengths, got int"),
        ({"image_id": "a.jpg"}, "expected annotations with `image_id` and `category_id`"),
    ],
)
def test_what_is_wrong_with_an_annotation_is_one_line(tmp_path, annotation, message):
    path = small(tmp_path, annotation)
    (fault,) = open_coco(tmp_path).faults()
    assert message in fault
    assert str(path) in fault
    assert "\n" not in fault


def changed(path: Path, key: str, value: Any) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {key: value}))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "annotations",
            None,
            "with the lists images, annotations, categories, but 'annotations' is null; correct",
        ),
        (
            "categories",
            {"1": "cat"},
            "annotations, categories, but 'categories' is a mapping; correct the file",
        ),
        ("images", "a.jpg", "but 'images' is a text; correct the file"),
        ("categories", [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}], "category 1 ('b') is there twice"),
        ("categories", [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], "category 2 ('a') is there twice"),
        ("categories", [{"id": "1", "name": "a"}], "expected categories with a whole number `id`"),
        ("categories", [{"id": 1, "name": "=a"}], "a spreadsheet runs as a formula"),
        ("categories", [], "expected 1 to 253 categories, got 0"),
    ],
)
def test_a_file_whose_classes_are_not_known_is_not_opened(tmp_path, key, value, message):
    changed(small(tmp_path), key, value)
    with pytest.raises(SeedbedError) as told:
        open_coco(tmp_path)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([{"id": 1, "file_name": "../a.jpg"}], "leads out of the folder of images"),
        ([{"id": 1, "file_name": ""}], "image id 1: expected the photograph's `file_name`, got ''"),
        ([{"id": 1, "file_name": "."}], "image id 1: expected the photograph's `file_name`, got '.'"),
        ([{"id": 1, "file_name": "a.j\0g"}], "holds a control character"),
        (
            [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "a.png"}],
            "the same name but for their ending",
        ),
        ([{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}], "image id 1 is there twice"),
        (
            [{"id": 1, "file_name": "a.jpg", "width": 0, "height": 3}],
            "expected width and height in pixels, got 0 and 3",
        ),
        (
            [{"id": 1, "file_name": "a.jpg", "width": 7, "height": 3}],
            "photograph's size 6x4, but it says 7x3",
        ),
        ([{"file_name": "a.jpg"}], "expected images with `id` and `file_name`"),
    ],
)
def test_what_is_wrong_with_an_image_is_one_line(tmp_path, images, message):
    path = small(tmp_path)
    changed(path, "images", images)
    changed(path, "annotations", [])
    faults = open_coco(tmp_path).faults()
    assert any(message in fault for fault in faults), faults
    assert not any("\n" in fault for fault in faults)


def test_files_that_are_missing_or_differ(tmp_path):
    small(tmp_path)
    two = {"train": {"list": "train2017"}, "val": {"list": "val2017"}}
    with pytest.raises(SeedbedError, match=r"no such file; in this folder: instances_train2017.json"):
        open_coco(tmp_path, two)
    path = write_coco(tmp_path, "val2017", {"c.jpg": (3, 3)}, [], NAMES | {90: "wolf"})
    with pytest.raises(SeedbedError, match="but they differ in dog, wolf"):
        open_coco(tmp_path, two)
    path.write_text("{")
    with pytest.raises(SeedbedError, match="not readable JSON"):
        open_coco(tmp_path, two)


def test_own_files(tmp_path):
    small(tmp_path)
    (tmp_path / "annotations/instances_train2017.json").rename(tmp_path / "mine.json")
    (tmp_path / "train2017").rename(tmp_path / "photos")
    data = open_coco(tmp_path, {"all": {"list": "mine"}}, annotations="{list}.json", images="photos")
    assert data.faults() == []
    assert data.mask("a").sum() == 4


def test_an_image_in_two_splits_and_a_missing_photograph(tmp_path):
    small(tmp_path)
    write_coco(tmp_path, "val2017", {"a.jpg": (6, 4), "c.jpg": (3, 3)}, [], NAMES)
    (tmp_path / "train2017/b.jpg").unlink()
    faults = open_coco(tmp_path, {"train": {"list": "train2017"}, "val": {"list": "val2017"}}).faults()
    assert any("'a' is in split 'val' and in split 'train'" in fault for fault in faults)
    assert any("b.jpg: expected a photograph, but there is no such file" in fault for fault in faults)


def test_annotations_of_a_refused_image_are_no_faults(tmp_path):
    path = small(tmp_path)
    content = json.loads(path.read_text())
    bad = content["images"][0]
    changed(path, "images", [{**bad, "width": "6"}, *content["images"][1:]])
    (fault,) = open_coco(tmp_path).faults()
    assert "expected width and height in pixels" in fault


def test_a_file_of_which_no_image_is_understood_has_one_kind_of_fault(tmp_path):
    path = small(tmp_path)
    changed(
        path, "images", [{"id": i["id"], "filename": "x"} for i in json.loads(path.read_text())["images"]]
    )
    faults = open_coco(tmp_path).faults()
    assert faults
    assert all("expected images with `id` and `file_name`" in fault for fault in faults)


@pytest.mark.parametrize("option", ["annotations", "images"])
def test_a_path_of_this_machine_is_refused(tmp_path, option):
    small(tmp_path)
    with pytest.raises(SeedbedError, match=rf"with.{option}: expected a path relative to the root, got '/x'"):
        open_coco(tmp_path, **{option: "/x"})
