"""A user's own photographs."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError


def open_folder(root: Path, splits: dict | None = None, **options: object) -> Dataset:
    declaration = DatasetDeclaration.model_validate(
        {"kind": "folder", "splits": splits or {"all": {}}, "with": options}
    )
    return open_dataset("mine", declaration, root)


@pytest.fixture
def folder(tmp_path):
    """Four photographs of several formats in sub-folders; names with spaces, dots and umlauts."""
    (tmp_path / "a/deep").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    for name, size in (
        ("a/One 1.JPG", (5, 3)),
        ("a/deep/zwölf.v2.png", (4, 4)),
        ("b/3.webp", (1, 7)),
        ("b/x.bmp", (2, 2)),
    ):
        Image.new("RGB", size, (9, 99, 199)).save(tmp_path / name)
    (tmp_path / "labels.csv").write_text(
        "image_id,split,tea,coffee cup\n"
        "One 1,train,1,0\nzwölf.v2.png,train,0,1\nb/3.webp,val,1,1\nb/x,val,0,0\n",
        encoding="utf-8",
    )
    return tmp_path


SPLITS = {"train": {}, "val": {}}


def test_ids_are_what_the_csv_says(folder):
    data = open_folder(folder, SPLITS)
    assert isinstance(data, Dataset)
    assert data.faults() == []
    assert data.classes == ("tea", "coffee cup")
    assert list(data.image_ids("train")) == ["One 1", "zwölf.v2.png"]
    assert list(data.image_ids("val")) == ["b/3.webp", "b/x"]
    assert [data.source(i).relative_to(folder).as_posix() for s in SPLITS for i in data.image_ids(s)] == [
        "a/One 1.JPG",
        "a/deep/zwölf.v2.png",
        "b/3.webp",
        "b/x.bmp",
    ]
    assert data.image("b/3.webp").size == (1, 7)
    assert data.labels("b/3.webp").tolist() == [True, True]
    assert data.labels("b/x").tolist() == [False, False]
    assert data.mask("One 1") is None


@pytest.mark.parametrize("cell", ["tea;coffee cup", " coffee cup ; tea "])
def test_a_column_of_names(folder, cell):
    (folder / "labels.csv").write_text(f"image_id,labels\nOne 1,{cell}\nb/x,\n3,tea\n")
    data = open_folder(folder)
    assert data.classes == ("coffee cup", "tea")
    assert [data.labels(i).tolist() for i in data.image_ids("all")] == [
        [True, True],
        [False, False],
        [False, True],
    ]


def test_names_separated_by_spaces(folder):
    (folder / "labels.csv").write_text("image_id,labels\nOne 1,tea cake\nb/x,cake\n")
    data = open_folder(folder)
    assert data.classes == ("cake", "tea")
    assert data.labels("One 1").tolist() == [True, True]


def test_a_csv_from_a_spreadsheet_with_byte_order_mark(folder):
    (folder / "labels.csv").write_text("image_id,tea\nb/x,1\n", encoding="utf-8-sig")
    assert open_folder(folder).labels("b/x").tolist() == [True]


def test_a_csv_a_split_and_a_text_list(folder):
    (folder / "train.csv").write_text("image_id,coffee cup,tea\nOne 1,0,1\n")
    (folder / "val.csv").write_text("image_id,tea,coffee cup\n3,0,1\n")
    data = open_folder(folder, {"train": {"list": "train.csv"}, "val": {"list": "val.csv"}})
    assert data.classes == ("coffee cup", "tea")
    assert list(data.image_ids("val")) == ["3"]
    assert data.labels("3").tolist() == [True, False]
    (folder / "some.txt").write_text("b/x\n")
    assert list(open_folder(folder, {"some": {"list": "some.txt"}}).image_ids("some")) == ["b/x"]


def test_masks_mirror_the_images(folder):
    (folder / "masks/a").mkdir(parents=True)
    Image.fromarray(np.array([[0, 1, 2, 255, 0]] * 3, dtype=np.uint8)).save(folder / "masks/a/One 1.png")
    (folder / "labels.csv").write_text("image_id,tea,coffee cup\nOne 1,1,1\n")
    assert open_folder(folder, masks="masks").mask("One 1")[0].tolist() == [0, 1, 2, 255, 0]
    swapped = open_folder(folder, masks="masks", mask_indices={"tea": 2, "coffee cup": 1})
    assert swapped.mask("One 1")[0].tolist() == [0, 2, 1, 255, 0]
    assert open_folder(folder, {"all": {"masks": False}}, masks="masks").mask("One 1") is None


def test_exif_orientation_is_applied(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("RGB", (5, 3)).save(folder / "a/One 1.JPG", exif=exif)
    assert open_folder(folder, SPLITS).image("One 1").size == (3, 5)


def test_every_fault_is_told_at_once(folder):
    (folder / "c").mkdir()
    Image.new("RGB", (2, 2)).save(folder / "c/x.bmp")
    (folder / "b/3.webp").write_bytes(b"RIFF")
    (folder / "masks/a").mkdir(parents=True)
    Image.fromarray(np.full((3, 5), 7, dtype=np.uint8)).save(folder / "masks/a/One 1.png")
    (folder / "labels.csv").write_text(
        "image_id,split,tea\n"
        "One 1,train,1\nzwölf.v2,train,1\nx,val,0\n3,val,2\nabsent,other,1\nOne 1,val,0\n",
        encoding="utf-8",
    )
    (folder / "extra.txt").write_text("3\n")
    faults = open_folder(
        folder,
        SPLITS | {"tset": {}, "extra": {"list": "extra.txt", "masks": False}},
        masks="masks",
    ).faults()
    expected = [
        "labels.csv, line 5: expected 0 or 1 for 'tea', got '2'",
        "labels.csv, line 7: 'One 1' is listed twice",
        "labels.csv: expected ids of the images of split 'tset', got none",
        "masks/a/One 1.png: mask holds unknown index 7",
        "masks: expected a mask for 'a/deep/zwölf.v2.png', but there is no such file",
        "'x' could be b/x.bmp or c/x.bmp; write the path below the folder",
        "labels.csv: no labels for image '3'",
        "b/3.webp: not a readable image",
        "expected a photograph for 'absent', but there is no such file, although the CSV labels it",
    ]
    assert len(faults) == len(expected), faults
    for fault, message in zip(faults, expected, strict=True):
        assert message in fault
        assert "\n" not in fault


@pytest.mark.parametrize(
    ("csv", "options", "message"),
    [
        (None, {}, "expected a CSV of labels, but there is no such file"),
        (
            "id,tea\nb/x,1\n",
            {"classes": ["tea"]},
            "expected a column 'image_id', but the columns are id, tea",
        ),
        ("image_id,tea\nb/x,1\n", {"classes": ["tee"]}, r"unknown class \(column\) 'tee'; did you mean tea"),
        ("image_id,labels\nb/x,te\n", {"classes": ["tea"]}, "unknown class 'te'; did you mean tea"),
    ],
)
def test_faults_of_the_csv(folder, csv, options, message):
    (folder / "labels.csv").unlink() if csv is None else (folder / "labels.csv").write_text(csv)
    try:
        told = "\n".join(open_folder(folder, **options).faults())
    except SeedbedError as error:
        told = str(error)
    assert re.search(message, told), told


def test_a_split_that_nothing_tells(folder):
    (folder / "labels.csv").write_text("image_id,tea\nb/x,1\n")
    with pytest.raises(
        SeedbedError, match="nothing says which images are in split 'val'; add a column `split`"
    ):
        open_folder(folder, SPLITS).image_ids("val")


def test_unknown_class_of_mask_indices(folder):
    with pytest.raises(SeedbedError, match="unknown class 'te'; did you mean tea"):
        open_folder(folder, SPLITS, masks="masks", mask_indices={"te": 4})
