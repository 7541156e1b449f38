"""Oxford-IIIT Pet: labels and trimaps by hand, against torchvision, and every kind of fault in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import OxfordIIITPet

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.errors import SeedbedError

TRIMAP = np.array([[2, 2, 3, 1], [2, 3, 1, 1]], np.uint8)
TRAINVAL = ["Abyssinian_1 1 1 1", "american_bulldog_10 2 2 1", "Abyssinian_3 1 1 1"]
TEST = ["pug_7 3 2 2"]


def write_pets(root: Path) -> Path:
    folder = root / "oxford-iiit-pet"
    (folder / "images").mkdir(parents=True)
    (folder / "annotations/trimaps").mkdir(parents=True)
    for number, line in enumerate([*TRAINVAL, *TEST]):
        name = line.split()[0]
        Image.new("RGB", (4, 2), (number, 99, 199)).save(folder / f"images/{name}.jpg")
        Image.fromarray(TRIMAP).save(folder / f"annotations/trimaps/{name}.png")
    (folder / "annotations/trainval.txt").write_text("\n".join(TRAINVAL) + "\n")
    (folder / "annotations/test.txt").write_text(
        "#Image CLASS-ID SPECIES BREED-ID\n" + "\n".join(TEST) + "\n"
    )
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_pets(tmp_path)


def open_pets(root: Path, **options: Any) -> Dataset:
    splits = {"train": {"list": "trainval"}, "val": {"list": "test"}}
    raw = {"kind": "pets", "splits": splits, "with": options}
    return open_dataset("pets", DatasetDeclaration.model_validate(raw), root)


def test_breeds(folder):
    data = open_pets(folder)
    assert isinstance(data, Dataset)
    assert data.faults() == []
    assert data.classes == ("Abyssinian", "American Bulldog", "Pug")
    assert list(data.image_ids("train")) == ["Abyssinian_1", "american_bulldog_10", "Abyssinian_3"]
    assert list(data.image_ids("val")) == ["pug_7"]
    assert data.labels("american_bulldog_10").tolist() == [False, True, False]
    assert data.mask("pug_7").tolist() == [[0, 0, 255, 3], [0, 255, 3, 3]]


def test_the_folder_above_is_fine_too(folder):
    assert open_pets(folder.parent).source("pug_7") == folder / "images/pug_7.jpg"


@pytest.mark.parametrize(("border", "value"), [("void", 255), ("background", 0), ("foreground", 1)])
def test_the_border_in_three_ways(folder, border, value):
    data = open_pets(folder, border=border, labels="pet")
    assert data.classes == ("pet",)
    assert data.mask("pug_7").tolist() == [[0, 0, value, 1], [0, value, 1, 1]]
    assert data.faults() == []


def test_species(folder):
    data = open_pets(folder, labels="species")
    assert data.classes == ("cat", "dog")
    assert [data.labels(i).tolist() for i in ("Abyssinian_3", "pug_7")] == [[True, False], [False, True]]
    assert data.mask("pug_7").max() == 255
    assert data.mask("pug_7")[0].tolist() == [0, 0, 255, 2]


def test_torchvision_reads_the_same(folder):
    ours = open_pets(folder)
    theirs = OxfordIIITPet(folder.parent, "trainval", ["category", "binary-category"])
    breeds = [ours.classes[int(np.flatnonzero(ours.labels(i))[0])] for i in ours.image_ids("train")]
    assert breeds == [theirs.classes[theirs[k][1][0]] for k in range(len(theirs))]
    species = open_pets(folder, labels="species")
    kinds = [species.classes[int(np.flatnonzero(species.labels(i))[0])] for i in ours.image_ids("train")]
    assert kinds == [theirs.bin_classes[theirs[k][1][1]].lower() for k in range(len(theirs))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Abyssinian_3 1 2 1", "trainval.txt, line 4: expected breed 1 and species of a cat"),
        (
            "Abyssinian_3 2 1 1",
            "expected breed 1 and species of a cat, as the name and the other lines say, got 2 1",
        ),
        ("pug_8 1 2 1", "expected breed 1 and species of a dog"),
        ("Abyssinian_3", "got nothing"),
        ("Abyssinian_1 1 1 1", "'Abyssinian_1' is listed twice"),
    ],
)
def test_what_is_wrong_with_a_line(folder, line, message):
    (folder / "annotations/trainval.txt").write_text("\n".join(["# a comment", *TRAINVAL[:2], line]) + "\n")
    name = line.split()[0]
    for source, target in (("images/pug_7.jpg", f"images/{name}.jpg"),):
        if not (folder / target).exists():
            Image.new("RGB", (4, 2), (1, 2, 3)).save(folder / target)
            Image.fromarray(TRIMAP).save(folder / f"annotations/trimaps/{name}.png")
        assert (folder / source).exists()
    faults = open_pets(folder).faults()
    assert any(message in fault for fault in faults), faults
    assert not any("\n" in fault for fault in faults)


def test_a_line_without_a_number_and_a_missing_list(folder):
    (folder / "annotations/trainval.txt").write_text("abyssinian 1 1 1\n")
    with pytest.raises(
        SeedbedError, match=r"trainval.txt, line 1: expected <breed>_<number>, got 'abyssinian'"
    ):
        open_pets(folder)
    (folder / "annotations/trainval.txt").unlink()
    with pytest.raises(SeedbedError, match=r"there is no such file; lists there: test$"):
        open_pets(folder)


def test_trimaps_that_are_missing(folder):
    (folder / "annotations/trimaps/pug_7.png").unlink()
    (fault,) = open_pets(folder).faults()
    assert fault.endswith(
        "pug_7.png: expected a trimap, but there is no such file; add it, or declare `masks: false`"
    )
    with pytest.raises(SeedbedError, match="expected a trimap, but there is no such file"):
        open_pets(folder).mask("pug_7")
    for path in (folder / "annotations/trimaps").iterdir():
        path.unlink()
    faults = open_pets(folder).faults()
    assert len(faults) == 2
    assert "split 'train': 3 of 3 images have no mask, first" in faults[0]


@pytest.mark.parametrize(
    ("trimap", "message"),
    [
        (TRIMAP - 1, "mask holds unknown index 0; known: [1, 2, 3]"),
        (TRIMAP[:1], "expected a mask of the photograph's size 4x2, but it is 4x1"),
        (np.zeros((2, 4, 3), np.uint8), "its mode is RGB"),
    ],
)
def test_what_is_no_trimap(folder, trimap, message):
    Image.fromarray(trimap).save(folder / "annotations/trimaps/pug_7.png")
    (fault,) = open_pets(folder).faults()
    assert message in fault


def test_trimaps_without_an_animal_are_noted(folder):
    Image.fromarray(np.full((2, 4), 2, np.uint8)).save(folder / "annotations/trimaps/pug_7.png")
    data = open_pets(folder)
    assert data.faults() == []
    assert any(note.endswith("pug_7.png: the trimap shows no animal") for note in data.notes())


def test_a_photograph_of_one_pixel(folder):
    Image.new("RGB", (1, 1)).save(folder / "images/pug_7.jpg")
    Image.fromarray(np.ones((1, 1), np.uint8)).save(folder / "annotations/trimaps/pug_7.png")
    data = open_pets(folder)
    assert data.faults() == []
    assert data.mask("pug_7").tolist() == [[3]]


def test_breeds_for_the_labels_and_pet_for_the_masks(folder):
    raw = {"kind": "pets", "splits": {"trainval": {}}, "class_map": {"masks": {"pet": "*"}}}
    data = open_dataset("pets", DatasetDeclaration.model_validate(raw), folder)
    assert data.classes == ("Abyssinian", "American Bulldog")
    assert data.mask("american_bulldog_10").tolist() == [[0, 0, 255, 1], [0, 255, 1, 1]]


def test_one_wrong_line_is_one_fault_wherever_it_is(folder):
    """What most lines say counts, not what the first one does."""
    lines = ["pug_0 9 2 1", *(f"pug_{k} 3 2 1" for k in range(1, 6)), *TRAINVAL]
    for line in lines:
        name = line.split()[0]
        Image.new("RGB", (4, 2), (7, 99, 199)).save(folder / f"images/{name}.jpg")
        Image.fromarray(TRIMAP).save(folder / f"annotations/trimaps/{name}.png")
    path = folder / "annotations/trainval.txt"
    for wrong, told in (
        (
            "pug_0 9 2 1",
            "expected breed 3 and species of a dog, as the name and the other lines say, got 9 2",
        ),
        ("pgu_0 3 2 1", "expected breed 3 to be pug, as in the other lines, got 'pgu'"),
    ):
        path.write_text("\n".join([wrong, *lines[1:]]) + "\n")
        name = wrong.split()[0]
        Image.new("RGB", (4, 2), (8, 99, 199)).save(folder / f"images/{name}.jpg")
        Image.fromarray(TRIMAP).save(folder / f"annotations/trimaps/{name}.png")
        assert open_pets(folder).faults() == [f"{path}, line 1: {told}; correct the line"]


def test_photographs_with_another_ending(folder):
    for path in (folder / "images").iterdir():
        Image.open(path).save(path.with_suffix(".png"))
        path.unlink()
    data = open_pets(folder)
    assert data.faults() == []
    assert data.source("pug_7") == folder / "images/pug_7.png"
    (folder / "annotations/trimaps/pug_7.png").rename(folder / "annotations/trimaps/pug_7.gif")
    (fault,) = open_pets(folder).faults()
    assert "expected a trimap, but there is no such file, only pug_7.gif, and masks are PNGs" in fault
