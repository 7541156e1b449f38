"""Names that a spreadsheet runs as formulas are refused wherever a data set gets its names from."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from seedbed.datasets import DatasetDeclaration, open_dataset
from seedbed.datasets.class_names import class_fault
from seedbed.datasets.files import id_fault
from seedbed.datasets.index import parse_index
from seedbed.datasets.label_csv import read_label_csv
from seedbed.errors import SeedbedError

FORMULAS = ["=1+1", "+1", "-2+3", "@SUM(A1)"]
PLAIN = ["a=1", "1+1", "tea-cup", "me@home", "'=1", "_x"]

each = pytest.mark.parametrize("name", FORMULAS)


def faults_of(root: Path, kind: str, splits: dict[str, Any], **options: Any) -> list[str]:
    """Faults of a data set, those that refuse it included."""
    raw = {"kind": kind, "splits": splits, "with": options}
    try:
        return open_dataset("own", DatasetDeclaration.model_validate(raw), root).faults()
    except SeedbedError as error:
        return [str(error)]


def photograph(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (9, 99, 199)).save(path, format="PNG")


@each
def test_the_names_themselves(name: str) -> None:
    told = f"begins with {name[0]}, which a spreadsheet runs as a formula; rename"
    assert told in (class_fault(name) or "")
    assert told in (id_fault(name) or "")


@pytest.mark.parametrize("name", PLAIN)
def test_the_characters_elsewhere_in_a_name(name: str) -> None:
    assert class_fault(name) is None
    assert id_fault(name) is None


@each
@pytest.mark.parametrize("blank", ["", " "])
def test_columns_cells_and_ids_of_a_csv(tmp_path: Path, name: str, blank: str) -> None:
    path = tmp_path / "labels.csv"
    for text in (
        f"image_id,cat,{blank}{name}\na,1,0\n",
        f"image_id,labels\na,cat;{blank}{name}\n",
        f"image_id,cat\na,1\n{blank}{name},0\n",
    ):
        path.write_text(text)
        faults = read_label_csv(path).faults
        assert len(faults) == 1, text
        assert "which a spreadsheet runs as a formula" in faults[0]


@each
def test_declared_classes(tmp_path: Path, name: str) -> None:
    photograph(tmp_path / "images/a.png")
    (tmp_path / "labels.csv").write_text("image_id,labels\na,\n")
    masks = {"all": {"masks": False}}
    faults = faults_of(tmp_path, "folder", masks, images="images", classes=["cat", name])
    assert any("which a spreadsheet runs as a formula" in fault for fault in faults)


@each
def test_sub_folders_as_classes(tmp_path: Path, name: str) -> None:
    photograph(tmp_path / "images/cat/a.png")
    photograph(tmp_path / "images" / name / "b.png")
    masks = {"all": {"masks": False}}
    faults = faults_of(tmp_path, "folder", masks, images="images", labels="folders")
    assert any("which a spreadsheet runs as a formula" in fault for fault in faults)


@each
def test_ids_of_a_list(tmp_path: Path, name: str) -> None:
    photograph(tmp_path / "images/a.png")
    photograph(tmp_path / f"images/{name}.png")
    (tmp_path / "labels.csv").write_text("image_id,cat\na,1\n")
    (tmp_path / "all.txt").write_text(f"a\n{name}\n")
    splits = {"all": {"list": "all.txt", "masks": False}}
    faults = faults_of(tmp_path, "folder", splits, images="images")
    assert any("which a spreadsheet runs as a formula" in fault for fault in faults)


@each
def test_lists_and_classes_in_the_layout_of_voc(tmp_path: Path, name: str) -> None:
    photograph(tmp_path / "JPEGImages/a.jpg")
    photograph(tmp_path / f"JPEGImages/{name}.jpg")
    (tmp_path / "labels.csv").write_text("image_id,cat\na,1\n")
    lists = tmp_path / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text(f"a\n{name}\n")
    splits = {"train": {"masks": False}}
    faults = faults_of(tmp_path, "voc", splits, labels="labels.csv")
    assert any("which a spreadsheet runs as a formula" in fault for fault in faults)
    (lists / "train.txt").write_text("a\n")
    (tmp_path / "class_names.txt").write_text(f"background\n{name}\n")
    faults = faults_of(tmp_path, "voc", splits, labels="labels.csv", classes=[name])
    assert any("which a spreadsheet runs as a formula" in fault for fault in faults)


@each
def test_an_index_that_holds_one(name: str) -> None:
    head = "image_id,split,width,height,sha256"
    digest = "0" * 64
    for text in (f"{head},{name}\na,train,4,4,{digest},1\n", f"{head},cat\n{name},train,4,4,{digest},1\n"):
        with pytest.raises(SeedbedError):
            parse_index(text)
    assert parse_index(f"{head},cat\na,train,4,4,{digest},1\n").classes == ("cat",)
