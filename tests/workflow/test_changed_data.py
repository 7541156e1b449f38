"""A data set that changes after it was indexed: each engine indexes again what changed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from workflow.engine_checkout import Checkout

PARAMS: dict[str, Any] = {
    "dataset": "pets",
    "recipes": ["psa"],
    "datasets": {
        "pets": {
            "kind": "folder",
            "root": "photos",
            "splits": {"train": {}, "val": {}},
            "with": {"images": "images", "masks": "masks"},
        }
    },
}
INDEX, MASKS = "prepare_dataset results/pets/index", "prepare_masks results/pets/index/masks.csv"


@pytest.fixture
def tree(tmp_path: Path) -> Checkout:
    photos = tmp_path / "tree/photos"
    for folder in ("images", "masks"):
        (photos / folder).mkdir(parents=True)
    for name in "ab":
        Image.new("RGB", (6, 4)).save(photos / f"images/{name}.png")
    paint_mask(photos, "a", 1)
    paint_mask(photos, "b", 2)
    (photos / "labels.csv").write_text("image_id,cat,dog,split\na,1,0,train\nb,0,1,val\n")
    return Checkout.make(tmp_path / "tree", PARAMS, git=False)


def paint_mask(photos: Path, name: str, index: int) -> None:
    pixels = np.zeros((4, 6), np.uint8)
    pixels[:index] = index
    Image.fromarray(pixels).save(photos / f"masks/{name}.png")


def repaint(tree: Checkout) -> None:
    path = tree.folder / "photos/masks/a.png"
    Image.fromarray(np.asarray(Image.open(path))[::-1]).save(path)


def mend_label(tree: Checkout) -> None:
    path = tree.folder / "photos/labels.csv"
    path.write_text(path.read_text().replace("b,0,1", "b,1,1"))


def test_snakemake(tree: Checkout) -> None:
    """`prepare_dataset` and `prepare_masks` are targets by their names alone."""
    assert tree.snakemake("prepare_masks") == [INDEX, MASKS]
    (tree.folder / "photos/labels.csv").touch()
    repaint(tree)
    assert tree.snakemake("prepare_masks") == [MASKS]
    mend_label(tree)
    told = tree.run("snakemake", "prepare_dataset", "--cores", "1")
    assert "data set changed: 1 label\n" in told
    assert tree.calls() == [INDEX]


def test_dvc(tree: Checkout) -> None:
    stages = ("pets--index", "pets--masks")
    assert tree.repro(*stages) == [INDEX, MASKS]
    repaint(tree)
    assert tree.repro(*stages) == [MASKS]
    mend_label(tree)
    (tree.folder / "photos/masks/a.png").touch()
    assert "data set changed: 1 label\n" in tree.run("dvc", "repro", *stages)
    assert tree.calls() == [INDEX, MASKS]
