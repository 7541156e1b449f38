"""SBD joined to VOC: the list by hand, `.mat` masks as scipy writes them, and every kind of fault in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError

LISTS = {"train": ["2007_3", "2007_1"], "val": ["2007_2"]}
SBD = {"train": ["2008_9", "2007_2", "2007_1"], "val": ["2008_4", "2007_3"]}
OWN = np.array([[0, 8, 255]], np.uint8)
THEIRS = np.array([[0, 12, 12]], np.uint8)


def write_mat(path: Path, mask: Any) -> None:
    savemat(path, {"GTcls": {"Segmentation": mask, "CategoriesPresent": np.unique(mask)}})


@pytest.fixture
def voc(tmp_path):
    root, sbd = tmp_path / "VOCdevkit/VOC2012", tmp_path / "benchmark_RELEASE/dataset"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation", "Annotations"):
        (root / folder).mkdir(parents=True)
    for folder in ("cls", "img"):
        (sbd / folder).mkdir(parents=True)
    for name, ids in LISTS.items():
        (root / f"ImageSets/Segmentation/{name}.txt").write_text("\n".join(ids) + "\n")
        for k, image_id in enumerate(ids):
            Image.new("RGB", (3, 1), (9, k, len(name))).save(root / f"JPEGImages/{image_id}.jpg")
            Image.fromarray(OWN).save(root / f"SegmentationClass/{image_id}.png")
            annotate(root, image_id, "cat")
    for name, ids in SBD.items():
        (sbd / f"{name}.txt").write_text("\n".join(ids) + "\n")
        for k, image_id in enumerate(ids):
            write_mat(sbd / f"cls/{image_id}.mat", THEIRS)
            if image_id.startswith("2008"):
                Image.new("RGB", (3, 1), (99, k, len(name))).save(sbd / f"img/{image_id}.jpg")
                annotate(root, image_id, "dog")
    return root


def annotate(root: Path, image_id: str, name: str) -> None:
    text = f"<annotation><object><name>{name}</name></object></annotation>"
    (root / f"Annotations/{image_id}.xml").write_text(text)


def open_sbd(root: Path, **options: Any) -> Dataset:
    raw = {"kind": "sbd", "splits": {"train": {"list": "train_aug"}, "val": {}}, "with": options}
    return open_dataset("voc", DatasetDeclaration.model_validate(raw), root)


def test_train_aug_is_all_but_vocs_validation_images(voc):
    data = open_sbd(voc)
    assert data.faults() == []
    assert list(data.image_ids("train")) == ["2007_3", "2007_1", "2008_4", "2008_9"]
    assert list(data.image_ids("val")) == ["2007_2"]
    assert data.mask("2007_1").tolist() == OWN.tolist(), "VOC's own mask comes first"
    assert data.mask("2008_9").tolist() == THEIRS.tolist()
    assert data.source("2008_9").parent.name == "img"
    assert data.image("2008_9").size == (3, 1)
    assert data.labels("2008_9")[data.classes.index("dog")]


def test_a_list_of_that_name_comes_first(voc):
    (voc / "ImageSets/Segmentation/train_aug.txt").write_text("2008_9\n2007_1\n")
    assert list(open_sbd(voc).image_ids("train")) == ["2008_9", "2007_1"]


def test_a_mask_of_one_pixel(voc):
    sbd = voc / "../../benchmark_RELEASE/dataset"
    Image.new("RGB", (1, 1)).save(sbd / "img/2008_9.jpg")
    write_mat(sbd / "cls/2008_9.mat", np.full((1, 1), 12, np.uint8))
    data = open_sbd(voc)
    assert data.faults() == []
    assert data.mask("2008_9").tolist() == [[12]]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.unlink(), "expected a mask, but there is no such file"),
        (lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file, damaged"), "not a readable mask of SBD"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "not a readable mask of SBD"),
        (
            lambda path: savemat(path, {"other": THEIRS}),
            "not a readable mask of SBD, GTcls.Segmentation (there is no GTcls",
        ),
        (lambda path: write_mat(path, THEIRS.astype(float)), "as uint8 of two dimensions, got float64"),
        (lambda path: write_mat(path, THEIRS + 20), "mask holds unknown index 32"),
        (lambda path: write_mat(path, THEIRS[:, :2]), "photograph's size 3x1, but it is 2x1"),
    ],
)
def test_what_is_wrong_with_a_mask_is_one_line(voc, write, message):
    write((voc / "../../benchmark_RELEASE/dataset/cls/2008_9.mat").resolve())
    faults = open_sbd(voc).faults()
    assert any(message in fault for fault in faults), faults
    assert not any("\n" in fault for fault in faults)


def test_what_is_missing_is_named(voc):
    with pytest.raises(
        SeedbedError, match=r"expected SBD at .*nowhere, but there is no such folder; set datasets.voc"
    ):
        open_sbd(voc, sbd="nowhere")
    (voc / "../../benchmark_RELEASE/dataset/train.txt").unlink()
    assert any("train.txt: not a readable list" in fault for fault in open_sbd(voc).faults())


def test_faults_of_images_of_sbd_name_its_list_and_line(voc):
    sbd = (voc / "../../benchmark_RELEASE/dataset").resolve()
    (sbd / "val.txt").write_text("2007_3\n\n=1+1\n")
    faults = open_sbd(voc).faults()
    assert any(
        fault.startswith(f"{voc / '../../benchmark_RELEASE/dataset/val.txt'}, line 3: '=1+1'")
        for fault in faults
    )
    assert not any("line 0" in fault for fault in faults)


def test_sbd_may_be_elsewhere_by_a_variable_but_not_by_an_absolute_path(voc, monkeypatch):
    sbd = (voc / "../../benchmark_RELEASE/dataset").resolve()
    monkeypatch.setenv("SBD", str(sbd))
    assert list(open_sbd(voc, sbd="$SBD").image_ids("train")) == ["2007_3", "2007_1", "2008_4", "2008_9"]
    monkeypatch.setenv("HOME", str(sbd.parent))
    assert open_sbd(voc, sbd="~/dataset").sbd == sbd
    monkeypatch.delenv("SBD")
    with pytest.raises(
        SeedbedError, match=r"sbd '\$SBD' uses \$SBD, which is not set; set datasets.voc.with.sbd"
    ):
        open_sbd(voc, sbd="$SBD")
    with pytest.raises(SeedbedError, match=r"datasets.voc.with.sbd: expected a path relative to the root"):
        open_sbd(voc, sbd=str(sbd))
