"""The embedded data set."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets import cutouts as cutouts_module
from seedbed.datasets.composites import CLASSES, compose
from seedbed.datasets.cutouts import BACKGROUNDS, CUTOUTS, cut, photograph, points
from seedbed.errors import SeedbedError


def open_composites(splits: dict | None = None, **options: object) -> Dataset:
    return open_dataset(
        "composites",
        DatasetDeclaration.model_validate(
            {"kind": "composites", "splits": splits or {"train": {}, "val": {}}, "with": options}
        ),
    )


def test_what_it_holds():
    data = open_composites(images={"train": 12, "val": 3})
    assert isinstance(data, Dataset)
    assert data.faults() == []
    assert data.classes == ("cat", "cup", "flower", "motorcycle", "person", "rocket")
    assert (len(data.image_ids("train")), len(data.image_ids("val"))) == (12, 3)
    assert data.source("train-00000") is None


@pytest.mark.parametrize("size", [64, 128])
def test_labels_and_masks_agree_and_every_image_has_a_class(size):
    data = open_composites(size=size, images={"train": 40, "val": 10})
    seen = np.zeros(len(CLASSES), dtype=int)
    for image_id in (*data.image_ids("train"), *data.image_ids("val")):
        image, mask, labels = data.image(image_id), data.mask(image_id), data.labels(image_id)
        assert max(image.size) == size
        assert min(image.size) >= 0.7 * size - 1
        assert mask.shape == image.size[::-1]
        assert set(np.unique(mask)) - {0} == set(np.flatnonzero(labels) + 1)
        assert 1 <= labels.sum() <= 3
        assert (mask == 0).any()
        seen += labels
    assert seen.min() >= 3
    assert len({data.labels(i).sum() for i in data.image_ids("train")}) == 3


def test_another_process_draws_the_same_bytes():
    code = (
        "import hashlib; from seedbed.datasets.composites import compose;"
        "c = compose(3, 64, 'val', 5);"
        "print(hashlib.sha256(c.image.tobytes() + c.mask.tobytes()).hexdigest())"
    )
    environment = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )
    compose(3, 64, "train", 1)  # what was drawn before does not matter
    here = compose.__wrapped__(3, 64, "val", 5)
    assert other.stdout.strip() == hashlib.sha256(here.image.tobytes() + here.mask.tobytes()).hexdigest()


@pytest.mark.parametrize("other", [(1, 64, "train", 0), (0, 64, "val", 0), (0, 64, "train", 1)])
def test_seed_split_and_index_each_give_another_draw(other):
    one, two = compose(0, 64, "train", 0), compose(*other)
    assert one.image.shape != two.image.shape or (one.image != two.image).any()


def test_no_class_is_a_mere_trace():
    """A scene in which an object is nearly hidden is drawn again."""
    for index in range(40):
        mask = compose(0, 96, "train", index).mask
        for c in np.unique(mask[mask > 0]):
            assert (mask == c).mean() > 0.003


def area(outline: str) -> float:
    """The shoelace formula."""
    x, y = np.array(points(outline)).T
    return abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2


@pytest.mark.parametrize("cutout", CUTOUTS, ids=lambda c: f"{c.name}-{c.file}")
def test_outlines_lie_on_their_photographs(cutout):
    photo = photograph(cutout.package, cutout.file)
    for outline in (cutout.outline, *cutout.holes):
        vertices = np.array(points(outline))
        assert len(vertices) >= 5
        assert (vertices >= 0).all()
        assert (vertices <= [photo.width, photo.height]).all()
    alpha = np.asarray(cut(cutout).getchannel("A"))
    expected = area(cutout.outline) - sum(area(hole) for hole in cutout.holes)
    assert alpha.sum() / 255 == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(("package", "file", "box"), BACKGROUNDS)
def test_backgrounds_hold_no_object(package, file, box):
    photo = photograph(package, file)
    left, upper, right, lower = box
    assert 0 <= left < right <= photo.width
    assert 0 <= upper < lower <= photo.height
    for cutout in CUTOUTS:
        if (cutout.package, cutout.file) == (package, file):
            drawn = Image.new("L", photo.size)
            ImageDraw.Draw(drawn).polygon(points(cutout.outline), fill=255)
            assert drawn.crop(box).getbbox() is None


def test_nothing_is_downloaded(monkeypatch):
    monkeypatch.setitem(cutouts_module.FOLDERS, "skimage", "no/such/folder")
    photograph.cache_clear()
    try:
        faults = open_composites().faults()
    finally:
        photograph.cache_clear()
    assert len(faults) == len(
        {c.file for c in CUTOUTS if c.package == "skimage"} | {f for p, f, _ in BACKGROUNDS if p == "skimage"}
    )
    assert "expected the photograph chelsea.png inside skimage" in faults[0]


def test_a_split_without_a_number_of_images():
    with pytest.raises(SeedbedError, match="unknown split 'trian'; did you mean train"):
        open_composites({"trian": {}})


@pytest.mark.parametrize("image_id", ["train-99999", "nonsense", "test-00000", "train-x"])
def test_unknown_ids_are_one_line(image_id):
    with pytest.raises(SeedbedError, match="no image"):
        open_composites().image(image_id)


def test_masks_of_a_split_without_masks():
    data = open_composites({"train": {"masks": False}, "val": {}})
    assert data.mask("train-00000") is None
    assert data.mask("val-00000") is not None
