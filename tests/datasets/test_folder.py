"""A user's own photographs."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets.files import PNGS, named_otherwise
from seedbed.errors import SeedbedError


def open_folder(root: Path, splits: dict | None = None, **options: object) -> Dataset:
    declaration = DatasetDeclaration.model_validate(
        {"kind": "folder", "splits": splits or {"all": {"masks": "masks" in options}}, "with": options}
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


SPLITS = {"train": {"masks": False}, "val": {"masks": False}}
MASKED = {"train": {}, "val": {}}


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
    (folder / "labels.csv").write_text("image_id,labels\nOne 1,tea cake\nb/x,cake\n3,tea\n")
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
        MASKED | {"tset": {}, "extra": {"list": "extra.txt", "masks": False}},
        masks="masks",
    ).faults()
    expected = [
        "labels.csv, line 5: expected 0 or 1 for 'tea', got '2'",
        "labels.csv, line 7: 'One 1' is listed twice (first in line 2)",
        "labels.csv, line 6: unknown split 'other'; known: train, tset, val. Correct it, or declare it in",
        "labels.csv: expected ids of the images of split 'tset', got none",
        "masks/a/One 1.png: mask holds unknown index 7",
        "'x' could be b/x.bmp or c/x.bmp; write the path below the folder",
        "b/3.webp: not a readable image",
        "expected a photograph for 'absent', but there is no such file, although",
        "masks: expected a mask for 'a/deep/zwölf.v2.png', but there is no such file",
        "masks: expected a mask for 'b/3.png', but there is no such file",
    ]
    assert len(faults) == len(expected), "\n".join(faults)
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


@pytest.mark.parametrize("column", ["Split", "SPLIT", "set", "fold"])
@pytest.mark.parametrize("classes", [None, ["tea"]])
@pytest.mark.parametrize("splits", [SPLITS, {"train": {"masks": False}}])
def test_a_column_of_splits_under_another_name(folder, column, classes, splits):
    """With one split and `classes`, all rows would be trained on."""
    (folder / "labels.csv").write_text(f"image_id,{column},tea\nOne 1,train,1\n3,val,0\n")
    options = {"classes": classes} if classes else {}
    assert told(open_folder(folder, splits, **options), folder) == [
        f"labels.csv, line 1: column {column!r} seems to name the splits; call it 'split', or remove it"
    ]
    listed = {"train": {"list": "all.txt", "masks": False}}
    (folder / "all.txt").write_text("One 1\n3\n")
    assert told(open_folder(folder, listed, classes=["tea"]), folder) == []


def test_lists_in_utf_16(folder):
    (folder / "labels.csv").write_text("image_id,tea\nOne 1,1\n3,0\n")
    (folder / "all.txt").write_text("One 1\n3\n", encoding="utf-16")
    (fault,) = told(open_folder(folder, {"train": {"list": "all.txt", "masks": False}}), folder)
    assert fault.startswith(
        "all.txt: not a readable list (it is UTF-16, which spreadsheets call Unicode text"
    )


def test_unknown_class_of_mask_indices(folder):
    faults = open_folder(folder, SPLITS, masks="masks", mask_indices={"te": 4}).faults()
    assert faults == ["datasets.mine.with.mask_indices: unknown class 'te'; did you mean tea?"]


def told(data: Dataset, root: Path) -> list[str]:
    """The faults without the folder."""
    faults = data.faults()
    assert all("\n" not in fault for fault in faults)
    return [fault.replace(f"{root}/", "").replace(str(root), ".") for fault in faults]


def test_rows_of_a_split_that_is_not_declared(folder):
    (folder / "labels.csv").write_text(
        "image_id,split,tea\nOne 1,train,1\nzwölf.v2,val,1\n3,vall,1\nb/x,vall,0\n", encoding="utf-8"
    )
    assert told(open_folder(folder, SPLITS), folder) == [
        "labels.csv, line 4: unknown split 'vall'; did you mean val? Correct it, or declare it in"
        " datasets.mine.splits (2 rows)"
    ]


def test_rows_without_a_split(folder):
    (folder / "labels.csv").write_text("image_id,split,tea\nOne 1,train,1\n3,val,1\nb/x,,0\n")
    assert told(open_folder(folder, SPLITS), folder) == [
        "labels.csv, line 4: 'b/x' has no split; write one of train, val"
    ]


@pytest.mark.parametrize("written", ["vall", ""])
def test_a_split_whose_rows_are_all_misspelt_is_not_empty_as_well(folder, written):
    (folder / "labels.csv").write_text(f"image_id,split,tea\nOne 1,train,1\n3,{written},1\n")
    (fault,) = told(open_folder(folder, SPLITS), folder)
    assert fault.startswith("labels.csv, line 3: ")


def test_a_column_split_does_not_matter_where_lists_are_declared(folder):
    (folder / "labels.csv").write_text("image_id,split,tea\nOne 1,test,1\n3,,1\n")
    (folder / "all.txt").write_text("One 1\n3\n")
    assert told(open_folder(folder, {"all": {"list": "all.txt", "masks": False}}), folder) == []


def test_one_file_under_two_ids(folder):
    (folder / "labels.csv").write_text("image_id,tea\nOne 1,1\na/One 1.JPG,0\n./b//x.bmp,1\n")
    (folder / "all.txt").write_text("One 1\na/One 1.JPG\nb/x\n")
    data = open_folder(folder, {"all": {"list": "all.txt", "masks": False}})
    assert told(data, folder) == [
        "labels.csv, line 3: 'a/One 1.JPG' is the same file as 'One 1' (labels.csv, line 2); keep one",
        "labels.csv, line 4: './b//x.bmp' is the same file as 'b/x' (all.txt, line 3); keep one",
    ]


def test_images_in_two_splits(folder):
    (folder / "labels.csv").write_text("image_id,tea\nOne 1,1\n3,0\nb/x,1\n")
    (folder / "train.txt").write_text("One 1\n3\n")
    (folder / "val.txt").write_text("b/x\n3\n")
    splits = {s: {"list": f"{s}.txt", "masks": False} for s in ("train", "val")}
    assert told(open_folder(folder, splits), folder) == [
        "val.txt, line 2: '3' is in split 'val' and in split 'train' (train.txt, line 2); take it off one"
    ]
    (folder / "val.txt").write_text("3\n")  # a part of another split, as train300 is of train
    assert told(open_folder(folder, splits), folder) == []


def test_two_lists_that_disagree(folder):
    (folder / "train.csv").write_text("image_id,tea,cup\n3,1,0\nb/x,1,1\n")
    (folder / "val.csv").write_text("image_id,cup,tea\nOne 1,0,1\n3,1,0\n")
    splits = {s: {"list": f"{s}.csv", "masks": False} for s in ("train", "val")}
    data = open_folder(folder, splits)
    assert told(data, folder) == [
        "val.csv, line 3: '3' has other labels than in train.csv, line 2; correct one of them",
        "val.csv, line 3: '3' is in split 'val' and in split 'train' (train.csv, line 2); take it off one",
    ]


def test_faults_in_every_row_have_no_consequences(folder):
    """No 'no class', no 'no images', no 'no labels': each row has its own fault, and that is all."""
    (folder / "labels.csv").write_text("image_id,split,tea\nOne 1,train\n3,train,\nb/x,val,,\n")
    advice = "put a cell that contains commas in quotes"
    expected = [
        f"labels.csv, line 2: expected 3 cells as in the header, got 2; {advice}",
        "labels.csv, line 3: expected 0 or 1 for 'tea', got an empty cell",
        f"labels.csv, line 4: expected 3 cells as in the header, got 4; {advice}",
    ]
    found = told(open_folder(folder, SPLITS, classes=["tea"]), folder)
    assert found == expected
    with pytest.raises(SeedbedError, match="line 3: expected 0 or 1"):
        open_folder(folder, SPLITS, classes=["tea"]).labels("3")


def test_a_file_that_is_not_understood_has_one_fault(folder):
    (folder / "labels.csv").write_text("image_id;split;tea\nOne 1;train;1\n")
    assert told(open_folder(folder, SPLITS), folder) == [
        "labels.csv, line 1: expected commas between the columns, got the separator ';'; write commas"
    ]


@pytest.mark.parametrize("count", [254, 256, 300])
def test_more_classes_than_masks_can_tell_apart(folder, count):
    classes = [f"c{k}" for k in range(count)]
    (folder / "labels.csv").write_text(f"image_id,{','.join(classes)}\n3{',1' * count}\n")
    with pytest.raises(SeedbedError, match=f"expected at most 253 classes, .* got {count}"):
        open_folder(folder)
    assert len(open_folder(folder, classes=classes[:253]).classes) == 253


def test_indices_of_masks_that_collide(folder):
    data = open_folder(folder, SPLITS, mask_indices={"coffee cup": 1}, masks="masks")
    assert told(data, folder) == [
        "datasets.mine.with.mask_indices: 'tea' and 'coffee cup' have the index 1; give each class its own"
    ]


def write_masks(folder: Path, **masks: list[int]) -> None:
    """One-row masks of 5 pixels beside photographs `x.png`, with their labels `image_id,tea,cup`."""
    (folder / "photos").mkdir(exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    for name, row in masks.items():
        Image.new("RGB", (len(row), 1)).save(folder / f"photos/{name}.png")
        Image.fromarray(np.array([row], dtype=np.uint8)).save(folder / f"masks/{name}.png")


def test_masks_that_disagree_with_the_labels(tmp_path):
    write_masks(
        tmp_path, a=[0, 255, 255], b=[255, 255, 255], c=[0, 1, 2], d=[0, 0, 0], e=[0, 255, 255], f=[0, 1, 1]
    )
    (tmp_path / "labels.csv").write_text("image_id,tea,cup\na,0,1\nb,1,0\nc,1,0\nd,1,1\ne,0,0\nf,1,0\n")
    data = open_folder(tmp_path, images="photos", masks="masks")
    assert told(data, tmp_path) == [
        "masks/b.png: every pixel is 255 (no label); replace it, or declare `masks: false`",
        "masks/c.png: the mask shows 'cup', which is not a label of the image (tea); correct one of them",
        "masks/a.png: the image has the label 'cup', but the mask holds only 0 and 255, and 255 means 'no label';"
        " write 2 for 'cup'",
    ]
    assert [note for note in data.notes() if "same content" not in note] == [
        f"1 mask of an image with a class holds background only, {tmp_path / 'masks/d.png'}"
    ]


def test_masks_of_0_and_255_are_told_once(tmp_path):
    write_masks(tmp_path, **{f"x{k}": [0, 255, 255] for k in range(12)})
    (tmp_path / "labels.csv").write_text("image_id,tea\n" + "".join(f"x{k},1\n" for k in range(12)))
    data = open_folder(tmp_path, images="photos", masks="masks")
    (fault,) = told(data, tmp_path)
    assert fault.startswith("masks/x0.png: the image has the label 'tea', but the mask holds only 0 and 255")
    assert fault.endswith("write 1 for 'tea' (and 11 more masks likewise)")
    assert data.notes()[0] == "no mask shows 'tea'"


def test_forgotten_masks_false_is_one_fault(tmp_path):
    write_masks(tmp_path, a=[0, 1], b=[0, 1], c=[0, 1])
    (tmp_path / "labels.csv").write_text("image_id,tea\na,1\nb,1\nc,1\n")
    assert told(open_folder(tmp_path, {"all": {}}, images="photos"), tmp_path) == [
        "datasets.mine.splits.all: has masks unless `masks: false` is declared, but `with.masks` names no folder of"
        " them; declare either"
    ]
    assert told(open_folder(tmp_path, images="photos", masks="truth"), tmp_path) == [
        "split 'all': 3 of 3 images have no mask, first truth: expected a mask for 'a.png', but there is no such file;"
        " add them, or declare datasets.mine.splits.all: {masks: false}"
    ]
    (tmp_path / "masks/b.png").unlink()
    assert told(open_folder(tmp_path, images="photos", masks="masks"), tmp_path) == [
        "masks: expected a mask for 'b.png', but there is no such file; add it, or declare `masks: false`"
    ]


def test_exported_and_upper_case_names_of_masks(tmp_path):
    write_masks(tmp_path, a=[0, 1], b=[0, 1], c=[0, 1])
    for name in "abc":
        (tmp_path / f"photos/{name}.png").rename(tmp_path / f"photos/{name}.jpg")
    (tmp_path / "masks/a.png").rename(tmp_path / "masks/a.jpg.png")
    (tmp_path / "masks/b.png").rename(tmp_path / "masks/b.PNG")
    (tmp_path / "labels.csv").write_text("image_id,tea\na,1\nb.jpg,1\nc,1\n")
    data = open_folder(tmp_path, images="photos", masks="masks")
    assert told(data, tmp_path) == []
    assert [data.mask(i).tolist() for i in ("a", "b.jpg", "c")] == [[[0, 1]]] * 3
    (tmp_path / "masks/c.PNG").write_bytes((tmp_path / "masks/c.png").read_bytes())
    assert told(open_folder(tmp_path, images="photos", masks="masks"), tmp_path) == [
        "masks: the mask of 'c' could be c.PNG or c.png; keep one"
    ]


def test_two_masks_of_one_photograph(tmp_path):
    write_masks(tmp_path, a=[0, 1])
    (tmp_path / "photos/a.png").rename(tmp_path / "photos/a.jpg")
    (tmp_path / "masks/a.jpg.png").write_bytes((tmp_path / "masks/a.png").read_bytes())
    (tmp_path / "labels.csv").write_text("image_id,tea\na.jpg,1\n")
    assert told(open_folder(tmp_path, images="photos", masks="masks"), tmp_path) == [
        "masks: the mask of 'a.jpg' could be a.jpg.png or a.png; keep one"
    ]


def test_masks_of_two_photographs_of_one_stem(tmp_path):
    """One mask has the photograph's whole name; the other is then that of the other photograph."""
    write_masks(tmp_path, a=[0, 1])
    Image.new("RGB", (2, 1)).save(tmp_path / "photos/a.jpg")
    Image.fromarray(np.array([[1, 1]], np.uint8)).save(tmp_path / "masks/a.jpg.png")
    (tmp_path / "labels.csv").write_text("image_id,tea\na.jpg,1\na.png,1\n")
    data = open_folder(tmp_path, images="photos", masks="masks")
    assert told(data, tmp_path) == []
    assert [data.mask(i).tolist() for i in ("a.jpg", "a.png")] == [[[1, 1]], [[0, 1]]]


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_one_photograph_under_two_names_is_told(tmp_path, suffix):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 4), (9, 99, 199)).save(tmp_path / f"photos/a.{suffix}")
    Image.new("RGB", (4, 4), (9, 99, 200)).save(tmp_path / f"photos/c.{suffix}")
    (tmp_path / "photos/b.jpg").write_bytes((tmp_path / f"photos/a.{suffix}").read_bytes())
    (tmp_path / "labels.csv").write_text("image_id,tea\na,1\nb,1\nc,0\n")
    data = open_folder(tmp_path, {"all": {"masks": False}}, images="photos")
    assert told(data, tmp_path) == []
    notes = [note for note in data.notes() if "same content" in note]
    assert len(notes) == 1
    assert "'b' has the same content as 'a'" in notes[0]


def test_one_mask_for_two_photographs(tmp_path):
    write_masks(tmp_path, a=[0, 1])
    Image.new("RGB", (2, 1)).save(tmp_path / "photos/a.jpg")
    (tmp_path / "labels.csv").write_text("image_id,tea\na.jpg,1\na.png,1\n")
    assert told(open_folder(tmp_path, images="photos", masks="masks"), tmp_path) == [
        "masks/a.png: is the mask of both 'a.jpg' and 'a.png'; name the masks a.jpg.png and a.png.png"
    ]


def test_a_missing_photograph_names_the_line(folder):
    (folder / "labels.csv").write_text("image_id,tea\nOne 1.jpg,1\n3,0\na\\x,1\n")
    assert told(open_folder(folder), folder) == [
        ".: expected a photograph for 'One 1.jpg', but there is no such file, only a/One 1.JPG; write that "
        "(labels.csv, line 2)",
        ".: expected a photograph for 'a\\\\x', but there is no such file, only b/x.bmp; write that "
        "(labels.csv, line 4)",
    ]


def test_a_mask_in_other_letters_is_told_without_advice_on_endings():
    assert named_otherwise_in({"b.PNG", "c.gif"}, "b.png") == ", only b.PNG"
    assert named_otherwise_in({"b.PNG", "c.gif"}, "c.png") == ", only c.gif, and masks are PNGs"


def named_otherwise_in(names, missing):
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            (Path(folder) / name).touch()
        return named_otherwise(Path(folder) / missing, PNGS)


@pytest.mark.parametrize("ending", ["gif", "bmp", "jpg", "tif"])
def test_masks_with_another_ending_are_told(tmp_path, ending):
    write_masks(tmp_path, a=[0, 1], b=[0, 1], c=[0, 1])
    Image.open(tmp_path / "masks/b.png").save(tmp_path / f"masks/b.{ending}")
    (tmp_path / "masks/b.png").unlink()
    (tmp_path / "labels.csv").write_text("image_id,tea\na,1\nb,1\nc,1\n")
    assert told(open_folder(tmp_path, images="photos", masks="masks"), tmp_path) == [
        f"masks: expected a mask for 'b.png', but there is no such file, only b.{ending}, and masks are PNGs; add "
        "it, or declare `masks: false`"
    ]


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_photographs_with_masks_that_are_read_turned(tmp_path, orientation):
    write_masks(tmp_path, a=[0, 1], b=[0, 1])
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in "ab":
        Image.new("RGB", (2, 1), (9, 9, 99)).save(tmp_path / f"photos/{name}.png", exif=exif)
    (tmp_path / "labels.csv").write_text("image_id,tea\na,1\nb,1\n")
    data = open_folder(tmp_path, images="photos", masks="masks")
    faults = told(data, tmp_path)
    assert len(faults) == (2 if orientation == 6 else 0)
    assert all("its sides are swapped, most likely because the photograph has an EXIF" in f for f in faults)
    notes = [note for note in data.notes() if "EXIF" in note]
    assert len(notes) == (orientation != 1)
    assert not notes or notes[0].startswith(
        "2 photographs with masks have an EXIF orientation, by which they are"
    )
    without = open_folder(tmp_path, {"all": {"masks": False}}, images="photos")
    assert without.faults() == []
    assert not any("EXIF" in note for note in without.notes())


@pytest.mark.parametrize("option", ["labels", "images", "masks"])
@pytest.mark.parametrize("path", ["/data/x", "C:\\\\data\\\\x", "C:/data/x"])
def test_a_path_of_this_machine_is_refused(folder, option, path):
    with pytest.raises(
        SeedbedError, match=rf"datasets.mine.with.{option}: expected a path relative to the root, got"
    ):
        open_folder(folder, **{option: path})


def test_a_class_that_is_declared_twice(folder):
    with pytest.raises(
        SeedbedError, match=r"datasets.mine.with.classes: class 'tea' is there 2 times; keep one"
    ):
        open_folder(folder, classes=["tea", "coffee cup", "tea"])


def test_photographs_that_no_row_names_are_noted(folder):
    data = open_folder(folder, SPLITS)
    assert data.faults() == data.notes() == []
    (folder / "labels.csv").write_text("image_id,split,tea\nOne 1,train,1\nb/3.webp,val,0\n")
    data = open_folder(folder, SPLITS)
    assert data.faults() == []
    assert data.notes() == [
        f"2 photographs are not in the data set, since no row names them, first {folder}/a/deep/zwölf.v2.png"
    ]
    (folder / "a/deep/zwölf.v2.png").unlink()
    data = open_folder(folder, SPLITS)
    assert data.faults() == []
    assert data.notes() == [f"1 photograph is not in the data set, since no row names it, {folder}/b/x.bmp"]
