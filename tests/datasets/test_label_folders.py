"""Sub-folders as labels: `cat/a.jpg`, `train/cat/a.jpg`."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pets"


def photographs(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 2), (9, 99, 199)).save(root / name)


def declared(root: Path, splits: dict[str, Any], **options: Any) -> Dataset:
    kind = {"kind": "folder", "splits": splits, "with": {"labels": "folders"} | options}
    return open_dataset("pets", DatasetDeclaration.model_validate(kind), root)


WITHOUT: dict[str, Any] = {"masks": False}


def test_the_sub_folder_is_the_class(root: Path) -> None:
    photographs(
        root, "dog/b.jpg", "cat/a.jpg", "cat/2024/c.png", "background/d.jpg", ".trash/e.jpg", "cat/.f.jpg"
    )
    data = declared(root, {"train": WITHOUT})
    assert data.classes == ("cat", "dog")
    assert list(data.image_ids("train")) == ["background/d.jpg", "cat/2024/c.png", "cat/a.jpg", "dog/b.jpg"]
    assert [data.labels(i).tolist() for i in data.image_ids("train")] == [[0, 0], [1, 0], [1, 0], [0, 1]]
    assert data.image("cat/a.jpg").size == (4, 2)
    assert data.faults() == []


def test_splits_above_the_classes(root: Path) -> None:
    photographs(root, "train/cat/a.jpg", "train/dog/a.jpg", "valid/cat/a.jpg")
    data = declared(root, {"train": WITHOUT, "val": {"list": "valid", "masks": False}})
    assert data.classes == ("cat", "dog")
    assert list(data.image_ids("train")) == ["train/cat/a.jpg", "train/dog/a.jpg"]
    assert list(data.image_ids("val")) == ["valid/cat/a.jpg"]
    assert data.labels("valid/cat/a.jpg").tolist() == [True, False]
    assert data.faults() == []


def test_a_class_may_be_called_train(root: Path) -> None:
    photographs(root, "train/a.jpg", "bus/a.jpg")
    data = declared(root, {"train": WITHOUT})
    assert data.classes == ("bus", "train")
    assert data.labels("train/a.jpg").tolist() == [False, True]


def test_lists_say_which_photographs_are_in_a_split(root: Path) -> None:
    photographs(root, "cat/a.jpg", "dog/b.jpg", "dog/c.jpg")
    (root / "train.txt").write_text("cat/a.jpg\ndog/b.jpg\n")
    (root / "val.txt").write_text("dog/c.jpg\n")
    data = declared(root, {s: {"list": f"{s}.txt", "masks": False} for s in ("train", "val")})
    assert list(data.image_ids("val")) == ["dog/c.jpg"]
    assert data.labels("dog/c.jpg").tolist() == [False, True]
    assert data.faults() == []


def test_named_classes_leave_the_others_without_a_label(root: Path) -> None:
    photographs(root, "cat/a.jpg", "dog/b.jpg")
    data = declared(root, {"train": WITHOUT}, classes=["cat"])
    assert [data.labels(i).tolist() for i in data.image_ids("train")] == [[True], [False]]


def test_masks_mirror_the_folders(root: Path) -> None:
    photographs(root, "photos/cat/a.jpg", "photos/dog/b.jpg")
    for name, index in (("cat/a", 1), ("dog/b", 2)):
        (root / "masks" / name).parent.mkdir(parents=True)
        Image.new("L", (4, 2), index).save(root / "masks" / f"{name}.png")
    data = declared(root, {"train": {}}, images="photos", masks="masks")
    mask = data.mask("dog/b.jpg")
    assert mask is not None
    assert (mask == 2).all()
    assert data.faults() == []


@pytest.mark.parametrize(
    ("files", "splits", "options", "fault"),
    [
        (
            ["a.jpg"],
            {"train": WITHOUT},
            {},
            "{}: expected photographs in one sub-folder per class, such as cat/a.jpg, but there are none",
        ),
        (
            ["cat/a.jpg", "b.jpg"],
            {"train": WITHOUT},
            {},
            "{}/b.jpg: lies in no class's sub-folder; move it into one, or away",
        ),
        (
            ["cat/a.jpg", "Cat/b.jpg"],
            {"train": WITHOUT},
            {},
            "{}: the classes 'Cat' and 'cat' differ only in case; write one of them",
        ),
        (
            ["cat/a.jpg", "dog/b.jpg"],
            {"train": WITHOUT},
            {"classes": ["cats"]},
            "{}: unknown class (sub-folder) 'cats'; did you mean cat?",
        ),
        (
            ["train/cat/a.jpg", "vall/cat/b.jpg"],
            {"train": WITHOUT},
            {},
            "{}/vall/cat/b.jpg: unknown split 'vall'; known: train. Correct it, or declare it in datasets.pets.splits",
        ),
        (
            ["cat/a.jpg", "dog/b.jpg"],
            {"train": {"list": "train.txt", "masks": False}, "val": WITHOUT},
            {},
            "{}: nothing says which images are in split 'val'; put them into val/CLASS, or name a list:"
            " datasets.pets.splits.val.list",
        ),
        (
            ["cat/a.jpg", "dog/b.jpg"],
            {"train": {"list": "train.csv", "masks": False}},
            {},
            "{}/train.csv: expected a list of ids (.txt), since sub-folders are the labels",
        ),
    ],
)
def test_each_fault_is_told_alone(
    root: Path, files: list[str], splits: dict[str, Any], options: dict[str, Any], fault: str
) -> None:
    photographs(root, *files)
    (root / "train.txt").write_text("cat/a.jpg\n")
    assert declared(root, splits, **options).faults() == [fault.format(root)]


def test_a_split_that_is_no_folder_is_refused(root: Path) -> None:
    photographs(root, "train/cat/a.jpg")
    with pytest.raises(SeedbedError, match="nothing says which images are in split 'val'"):
        declared(root, {"train": WITHOUT, "val": WITHOUT}).image_ids("val")
