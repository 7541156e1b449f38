"""What `seedbed doctor` says of a user's folder: everything that is wrong with it, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.verbs.doctor import Findings, examine

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = {stage: {"batch_size": 2} for stage in ("train_classifier", "train_affinitynet", "train_segmenter")}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    return tmp_path


def photograph(folder: Path, *names: str) -> None:
    for name in names:
        Image.new("RGB", (4, 1), (200, 30, 8 * (sum(name.encode()) % 32))).save(folder / "photos" / name)


def mask(folder: Path, name: str, row: list[int]) -> None:
    Image.fromarray(np.array([row], np.uint8)).save(folder / "masks" / f"{name}.png")


def doctor(
    folder: Path,
    splits: dict[str, Any],
    settings: dict[str, Any] | None = None,
    every: bool = False,
    **options: Any,
) -> Findings:
    declared = {
        "kind": "folder",
        "root": str(folder),
        "splits": splits,
        "with": {"images": "photos"} | options,
    }
    raw = {"dataset": "mine", "recipes": ["psa"], "datasets": {"mine": declared}}
    config = parse_config(raw | {"settings": {"mine": SMALL | (settings or {})}})
    notes, faults = examine(Workflow(config, RecipeBook(RECIPES), folder / "results"), every=every)
    assert all("\n" not in line for line in (*notes, *faults))
    return Findings(notes, [fault.replace(f"{folder}/", "") for fault in faults])


def test_a_sound_folder(folder):
    photograph(folder, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (folder / "labels.csv").write_text(
        "image_id,split,cat,dog\na,train,1,0\nb,train,1,1\nc,train,0,0\nd,val,0,1\n"
    )
    for name, row in (("a", [0, 1, 1, 255]), ("b", [1, 1, 0, 0]), ("c", [0] * 4), ("d", [0] * 4)):
        mask(folder, name, row)
    assert doctor(folder, {"train": {}, "val": {}}, masks="masks") == Findings(
        [
            "data set 'mine': 2 classes; images: train 3, val 1",
            "class 'cat': train 2, val 0",
            "class 'dog': train 1, val 1",
            "no mask shows 'dog'",
            f"1 mask of an image with a class holds background only, {folder / 'masks/d.png'}",
        ],
        [],
    )


def test_fewer_images_than_one_step(folder):
    photograph(folder, "a.jpg", "b.jpg", "c.jpg")
    (folder / "labels.csv").write_text("image_id,split,cat\na,train,1\nb,train,0\nc,val,1\n")
    splits = {"train": {"masks": False}, "val": {"masks": False}}
    settings = {"train_classifier": {"batch_size": 1, "accumulate": 3}}
    assert doctor(folder, splits, settings).faults == [
        "recipe psa, node classifier: expected at least 3 images in split 'train' for one step (batch_size 1 x"
        " accumulate 3), got 2; lower batch_size or accumulate, or add images"
    ]


def test_a_class_without_an_image_to_train_on(folder):
    photograph(folder, "a.jpg", "b.jpg", "c.jpg")
    (folder / "labels.csv").write_text("image_id,split,cat,dog\na,train,1,0\nb,train,0,0\nc,val,1,1\n")
    assert doctor(folder, {"train": {"masks": False}, "val": {"masks": False}}).faults == [
        "data set 'mine': class 'dog' has no image in split 'train', on which recipe psa, node classifier trains;"
        " add images, or leave it out of `classes`"
    ]


@pytest.mark.parametrize("other", [0, 1])
def test_labels_that_are_the_same_for_every_image(folder, other):
    photograph(folder, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    rows = f"a,train,1,{other}\nb,train,1,{other}\nc,train,1,{other}\nd,val,0,0\n"
    (folder / "labels.csv").write_text(f"image_id,split,cat,dog\n{rows}")
    names, classes = ("'cat' and 'dog'", ["cat", "dog"]) if other else ("'cat'", ["cat"])
    faults = doctor(folder, {"train": {"masks": False}, "val": {"masks": False}}, classes=classes).faults
    assert faults == [
        f"data set 'mine': all 3 images of split 'train' have the label {names}, from which recipe psa, node classifier"
        " learns nothing; add about as many images without it (rows of zeros in a CSV, or a sub-folder `background`)"
    ]
    (folder / "labels.csv").write_text(f"image_id,split,cat,dog\n{rows}".replace("c,train,1", "c,train,0"))
    faults = doctor(folder, {"train": {"masks": False}, "val": {"masks": False}}, classes=classes).faults
    assert faults == []


def test_validation_images_that_are_all_trained_on(folder):
    photograph(folder, "a.jpg", "b.jpg", "c.jpg")
    (folder / "labels.csv").write_text("image_id,cat\na,1\nb,0\nc,1\n")
    (folder / "val.txt").write_text("b\nc\n")
    splits = {"train": {"list": "labels.csv", "masks": False}, "val": {"list": "val.txt", "masks": False}}
    assert doctor(folder, splits).faults == [
        "data set 'mine': splits 'val' and 'train' share 2 images (first 'b'), but recipe psa, node classifier trains"
        " on 'train'; take them off one"
    ]


ROWS = """\
,image_id,split,cat,dog,Dog,bird,background,reviewed,cat
0,a,train,1,0,0,0,0,yes,1
1,short,train
2,long,train,1,0,0,0,0,yes,1,1
3,blank,val,1,,0,0,0,yes,1
4,b,vall,0,1,0,0,0,no,0
5,c,,0,0,1,0,0,no,0
6,d,train,0,0,1,0,0,no,0
7,./d.png,val,0,0,1,0,0,no,0
8,../x,train,1,0,0,0,0,no,0
9,a,val,1,0,0,0,0,no,0
10,gone,val,1,0,0,0,0,no,0
11,eps,train,1,0,0,0,0,no,0
12,deep,train,1,0,0,0,0,no,0
13,void,train,0,1,0,0,0,no,0
14,all,train,0,1,0,0,0,no,0
15,wrong,train,1,0,0,0,0,no,0
16,index,train,1,0,0,0,0,no,0
17,lost,train,1,0,0,0,0,no,0
18,jpeg,train,1,0,0,0,0,no,0
19,twice,train,1,0,0,0,0,no,0
20,e.jpg,val,1,0,0,0,0,no,0
21,e.png,val,1,0,0,0,0,no,0
22,v,val,1,0,0,1,0,no,0
"""

FAULTS = [
    "labels.csv, line 1: column 1 has no name; pandas: to_csv(…, index=False)",
    "labels.csv, line 1: column 'background' is not a class of a label file; name the classes in `classes`, or remove"
    " the column",
    "labels.csv, line 1: column 'reviewed' is not a class: expected 0 or 1, got 'yes' in line 2; if it is a class,"
    " write 1 where it is shown and 0 where not; if it is none, name the classes in `classes`",
    "labels.csv, line 1: column 'cat' occurs 2 times; keep one",
    "labels.csv, line 1: the classes 'dog' and 'Dog' differ only in case; write one of them",
    "labels.csv, line 3: expected 10 cells as in the header, got 3; put a cell that contains commas in quotes",
    "labels.csv, line 4: expected 10 cells as in the header, got 11; put a cell that contains commas in quotes",
    "labels.csv, line 5: expected 0 or 1 for 'dog', got an empty cell",
    "labels.csv, line 10: '../x' leads out of the folder of images; write a path below it",
    "labels.csv, line 11: 'a' is listed twice (first in line 2)",
    "datasets.mine.with.mask_indices: unknown class 'brid'; did you mean bird?",
    "datasets.mine.with.mask_indices: 'cat' and 'bird' have the index 1; give each class its own",
    "extra.csv, line 2: 'v' has other labels than in labels.csv, line 24; correct one of them",
    "labels.csv, line 6: unknown split 'vall'; did you mean val? Correct it, or declare it in datasets.mine.splits",
    "labels.csv, line 7: 'c' has no split; write one of train, val",
    "photos/loop: a link to a folder that contains it; remove the link",
    "extra.csv, line 2: 'v' is in split 'extra' and in split 'val' (labels.csv, line 24); take it off one",
    "photos/eps.jpg: not a readable image (none of the formats JPEG, PNG, WEBP, BMP, TIFF, GIF); replace it, or take"
    " it off the list",
    "photos/deep.tif: expected 16-bit values up to 65535, but the largest is 4095; save it as 8 bits",
    "masks/all.png: every pixel is 255 (no label); replace it, or declare `masks: false`",
    "masks/wrong.png: the mask shows 'dog', which is not a label of the image (cat); correct one of them",
    "masks/index.png: mask holds unknown index 9; known: [0, 1, 2, 3, 255]; correct the mask, or with `kind: folder` "
    "say in `mask_indices` which index each class has",
    "masks/jpeg.png: not a readable mask (not a PNG); replace it",
    "masks: the mask of 'twice' could be twice.PNG or twice.png; keep one",
    "photos: expected a photograph for 'gone', but there is no such file (labels.csv, line 12)",
    "masks/e.png: is the mask of both 'e.jpg' and 'e.png'; name the masks e.jpg.png and e.png.png",
    "labels.csv, line 9: './d.png' is the same file as 'd' (labels.csv, line 8); keep one",
    "masks: expected a mask for 'lost.png', but there is no such file; add it, or declare `masks: false`",
    "masks/void.png: the image has the label 'dog', but the mask holds only 0 and 255, and 255 means 'no label';"
    " write 2 for 'dog'",
    "recipe psa, node classifier: expected at least 32 images in split 'train' for one step (batch_size 32 x"
    " accumulate 1), got 11; lower batch_size or accumulate, or add images",
    "data set 'mine': class 'bird' has no image in split 'train', on which recipe psa, node classifier trains; add"
    " images, or leave it out of `classes`",
]


def test_every_fault_of_a_folder_at_once(folder):
    plain = [
        "a.jpg",
        "b.jpg",
        "c.jpg",
        "d.png",
        "blank.jpg",
        "short.jpg",
        "long.jpg",
        "e.jpg",
        "e.png",
        "v.jpg",
        "w.jpg",
    ]
    photograph(
        folder, *plain, *(f"{n}.jpg" for n in ("void", "all", "wrong", "index", "lost", "jpeg", "twice"))
    )
    Image.new("RGB", (4, 1)).save(folder / "photos/eps.jpg", "EPS")
    Image.fromarray(np.array([[0, 1, 2, 4095]], np.uint16)).save(folder / "photos/deep.tif")
    (folder / "photos/loop").symlink_to(folder)
    (folder / "labels.csv").write_text(ROWS)
    (folder / "extra.csv").write_text("image_id,cat,dog,Dog,bird\nv,0,1,0,1\nw,1,0,0,0\n")
    for name in ("a", "blank", "e", "v", "deep", "eps", "twice"):
        mask(folder, name, [0, 1, 1, 0])
    for name, row in (
        ("d", [0, 3, 3, 3]),
        ("void", [0, 0, 255, 255]),
        ("all", [255] * 4),
        ("wrong", [0, 2, 2, 0]),
    ):
        mask(folder, name, row)
    mask(folder, "index", [0, 9, 9, 9])
    (folder / "masks/twice.PNG").write_bytes((folder / "masks/twice.png").read_bytes())
    Image.new("L", (4, 1)).save(folder / "masks/jpeg.png", "JPEG")
    found = doctor(
        folder,
        {"train": {}, "val": {}, "extra": {"list": "extra.csv", "masks": False}},
        {"train_classifier": {"batch_size": 32}},
        masks="masks",
        mask_indices={"bird": 1, "brid": 7},
    )
    assert found.faults == FAULTS
    assert found.notes[0] == "data set 'mine': 4 classes; images: train 11, extra 2"


@pytest.mark.parametrize("value", [0, 1])
def test_a_column_that_is_the_same_for_every_image_is_told(folder, value):
    photograph(folder, "a.jpg", "b.jpg", "c.jpg")
    (folder / "labels.csv").write_text(
        f"image_id,split,cat,reviewed\na,train,1,{value}\nb,train,0,{value}\nc,val,1,{value}\n"
    )
    found = doctor(folder, {"train": {"masks": False}, "val": {"masks": False}})
    told = (
        "every image has the class 'reviewed'; if it is not one, as a column `reviewed` is not, leave it out of "
        "`classes`"
    )
    assert (told in found.notes) == bool(value)
    assert [("class 'reviewed' has no image in split 'train'" in fault) for fault in found.faults] == [
        True
    ] * (not value)
    declared = doctor(folder, {"train": {"masks": False}, "val": {"masks": False}}, classes=["cat"])
    assert not any("every image" in note for note in declared.notes)


def test_many_masks_with_one_fault_are_one_line(folder):
    names = [f"p{k}" for k in range(30)]
    photograph(folder, *(f"{name}.jpg" for name in names))
    rows = "".join(f"{name},{'train' if k < 20 else 'val'},{k % 2}\n" for k, name in enumerate(names))
    (folder / "labels.csv").write_text(f"image_id,split,cat\n{rows}")
    for k, name in enumerate(names):
        mask(folder, name, [0, 9 if k % 3 else 7, 0, 0])
    each = doctor(folder, {"train": {}, "val": {}}, every=True, masks="masks").faults
    assert [fault.split(":")[0] for fault in each] == [f"masks/p{k}.png" for k in range(30)]
    first, second = doctor(folder, {"train": {}, "val": {}}, masks="masks").faults
    assert first.startswith("masks/p0.png: mask holds unknown index 7; known: [0, 1, 255]; ")
    assert " (and 9 more likewise: " in first
    assert "masks/p3.png" in first
    assert second.startswith("masks/p1.png: mask holds unknown index 9; ")
    assert second.endswith(
        f" (and 19 more likewise: {folder}/masks/p2.png, masks/p4.png, …)".replace(f"{folder}/", "")
    )


def test_a_voc_root_without_photographs_is_one_line(tmp_path):
    """One line about 300 photographs, not 300; masks and labels are there."""
    for below in ("JPEGImages", "ImageSets/Segmentation", "Annotations"):
        (tmp_path / below).mkdir(parents=True)
    for split, ids in (("train", range(200)), ("val", range(200, 300))):
        (tmp_path / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"p{k}\n" for k in ids))
        for k in ids:
            name = ("cat", "dog")[k % 2]
            (tmp_path / f"Annotations/p{k}.xml").write_text(
                f"<annotation><object><name>{name}</name></object></annotation>"
            )
    masks = {"masks": False}
    declared = {"kind": "voc", "root": str(tmp_path), "splits": {"train": masks, "val": masks}}
    raw = {"dataset": "voc", "recipes": ["psa"], "settings": {"voc": SMALL}}
    config = parse_config(raw | {"datasets": {"voc": declared | {"with": {"classes": ["cat", "dog"]}}}})
    faults = examine(Workflow(config, RecipeBook(RECIPES), tmp_path / "results")).faults
    images = tmp_path / "JPEGImages"
    assert faults == [
        f"{images}/p0.jpg: expected a photograph, but there is no such file (and 299 more likewise: {images}/p1.jpg, "
        f"{images}/p2.jpg, …)"
    ]


def test_faults_of_training_are_one_line_per_cause(folder):
    names = ["cat", *(f"absent{k}" for k in range(60))]
    photograph(folder, "a.jpg", "b.jpg", "c.jpg")
    zeros = ",0" * 60
    (folder / "labels.csv").write_text(
        f"image_id,split,{','.join(names)}\na,train,1{zeros}\nb,train,0{zeros}\nc,val,1{zeros}\n"
    )
    splits = {"train": {"masks": False}, "val": {"masks": False}}
    (fault,) = doctor(folder, splits).faults
    shown = ", ".join(f"'absent{k}'" for k in range(1, 11))
    assert fault.startswith(
        "data set 'mine': class 'absent0' has no image in split 'train', on which recipe psa"
    )
    assert fault.endswith(f"(and 59 more likewise: {shown}, …)")
    assert len(doctor(folder, splits, every=True).faults) == 60


def test_a_missing_folder_of_photographs_is_one_line(folder):
    (folder / "labels.csv").write_text("image_id,cat\n" + "".join(f"p{k},{k % 2}\n" for k in range(8)))
    faults = doctor(folder, {"train": {"masks": False}}, images="nowhere").faults
    (fault,) = [fault for fault in faults if "nowhere" in fault]
    assert fault.startswith("nowhere: expected the folder of photographs, but there is none")
    assert "(and 7 more likewise: " in fault
