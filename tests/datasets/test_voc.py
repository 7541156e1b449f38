"""VOC layout: labels of all published sorts, masks, and every fault at once."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from seedbed.datasets import Dataset, DatasetDeclaration, open_dataset
from seedbed.datasets.mask_sums import mask_digest, mask_key
from seedbed.errors import SeedbedError

CAT, DOG, PERSON = 8, 12, 15  # lines of VOC's class_names.txt, counted from 0
WIDTH, HEIGHT = 6, 4


def declare(labels: str, splits: dict | None = None, **options: object) -> DatasetDeclaration:
    return DatasetDeclaration.model_validate(
        {"kind": "voc", "splits": splits or {"train": {}}, "with": {"labels": labels} | options}
    )


def write_photo(root: Path, image_id: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    Image.new("RGB", size, (200, 30, 40)).save(root / "JPEGImages" / f"{image_id}.jpg")


def write_mask(root: Path, image_id: str, mask: np.ndarray) -> None:
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette([(7 * i) % 256 for i in range(768)])  # colours differ from indices
    image.save(root / "SegmentationClass" / f"{image_id}.png")


@pytest.fixture
def voc(tmp_path):
    """Three photographs: a cat beside a person, a dog, and background only."""
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation", "Annotations"):
        (tmp_path / folder).mkdir(parents=True)
    masks = {i: np.zeros((HEIGHT, WIDTH)) for i in ("2007_000001", "2007_000002", "2008_000003")}
    masks["2007_000001"][0, :3] = CAT
    masks["2007_000001"][1, 2:] = PERSON
    masks["2007_000001"][2, 0] = 255
    masks["2007_000002"][3] = DOG
    for image_id, mask in masks.items():
        write_photo(tmp_path, image_id)
        write_mask(tmp_path, image_id, mask)
    (tmp_path / "ImageSets/Segmentation/train.txt").write_text("".join(f"{i}\n" for i in masks))
    (tmp_path / "labels.csv").write_text(
        "image_id,cat,dog,person\n2007_000001,1,0,1\n2007_000002,0,1,0\n2008_000003,0,0,0\n"
    )
    for image_id, names in zip(masks, (["cat", "person", "person"], ["dog"], []), strict=True):
        objects = "".join(f"<object><name>{n}</name><part><name>head</name></part></object>" for n in names)
        (tmp_path / "Annotations" / f"{image_id}.xml").write_text(f"<annotation>{objects}</annotation>")
    return tmp_path


def write_cls_labels(root: Path, integers: bool) -> None:
    vectors = {"2007_000001": [7, 14], "2007_000002": [11], "2008_000003": []}
    content = {}
    for image_id, hot in vectors.items():
        row = np.zeros(20, dtype=np.float32)
        row[hot] = 1
        content[np.int32(image_id.replace("_", "")) if integers else image_id] = row
    np.save(root / "cls_labels.npy", content, allow_pickle=True)


@pytest.mark.parametrize("source", ["labels.csv", "annotations", "strings", "integers"])
def test_labels_of_every_published_sort(voc, source):
    if source in ("strings", "integers"):
        write_cls_labels(voc, integers=source == "integers")
    labels = "cls_labels.npy" if source in ("strings", "integers") else source
    data = open_dataset("mine", declare(labels, classes=["cat", "dog", "person"]), voc)
    assert isinstance(data, Dataset)
    assert data.faults() == []
    assert [data.labels(i).tolist() for i in data.image_ids("train")] == [
        [True, False, True],
        [False, True, False],
        [False, False, False],
    ]


def test_masks_are_renumbered_to_the_classes(voc):
    data = open_dataset("mine", declare("labels.csv"), voc)
    assert data.classes == ("cat", "dog", "person")
    expected = [[1, 1, 1, 0, 0, 0], [0, 0, 3, 3, 3, 3], [255, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]
    assert data.mask("2007_000001").tolist() == expected
    assert data.mask("2007_000002")[3].tolist() == [2] * 6


def test_classes_are_all_of_voc_without_an_option(voc):
    data = open_dataset("mine", declare("annotations"), voc)
    assert len(data.classes) == 20
    assert data.labels("2007_000002").nonzero()[0].tolist() == [DOG - 1]
    assert set(np.unique(data.mask("2007_000002"))) == {0, DOG}


def test_own_class_names_give_the_indices(voc):
    (voc / "class_names.txt").write_text("background\nperson\ncat\ndog\n")
    write_mask(voc, "2007_000001", np.full((HEIGHT, WIDTH), 2))
    assert (open_dataset("mine", declare("labels.csv"), voc).mask("2007_000001") == 1).all()


def test_another_order_of_class_names_reads_masks_otherwise(voc):
    """So checksums of masks that were remembered do not hold for it."""
    names = ["background", *(f"name{k}" for k in range(1, 21))]
    names[CAT], names[DOG], names[PERSON] = "cat", "dog", "person"
    found = []
    for _ in range(2):
        (voc / "class_names.txt").write_text("\n".join(names))
        data = open_dataset("mine", declare("labels.csv"), voc)
        found.append((mask_key(data), mask_digest(data.mask("2007_000001"))))
        names[CAT], names[DOG] = names[DOG], names[CAT]
    (one, first), (other, second) = found
    assert one[:3] == other[:3] == ("cat", "dog", "person")
    assert one != other
    assert first != second


def test_a_link_loop_spoils_no_other_photograph(voc):
    (voc / "JPEGImages/loop.jpg").symlink_to("loop.jpg")
    data = open_dataset("mine", declare("labels.csv"), voc)
    assert data.faults() == []
    assert data.image("2007_000001").size == (WIDTH, HEIGHT)


def test_masks_of_a_split_without_masks_are_not_read(voc):
    (voc / "ImageSets/Segmentation/train.txt").write_text("2007_000001\n")
    (voc / "ImageSets/Segmentation/extra.txt").write_text("2007_000002\n")
    (voc / "SegmentationClass/2007_000002.png").write_bytes(b"no mask")
    splits = {"train": {}, "unlabelled": {"list": "extra", "masks": False}}
    data = open_dataset("mine", declare("labels.csv", splits), voc)
    assert list(data.image_ids("unlabelled")) == ["2007_000002"]
    assert data.mask("2007_000002") is None
    assert data.faults() == []


def test_lists_may_hold_paths_or_lie_in_main(voc):
    (voc / "ImageSets/Main").mkdir()
    (voc / "ImageSets/Main/val.txt").write_text(
        "/JPEGImages/2007_000002.jpg /SegmentationClass/2007_000002.png\n"
    )
    data = open_dataset("mine", declare("labels.csv", {"val": {}}), voc)
    assert list(data.image_ids("val")) == ["2007_000002"]


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ("2007_000001 -1\n2007_000002  1\n2008_000003  0\n", ["2007_000001", "2007_000002", "2008_000003"]),
        ("One 1\nTwo 1\n", ["One 1", "Two 1"]),
        ("my cat\nmy dog (2)\n", ["my cat", "my dog (2)"]),
        ("JPEGImages/a b.JPG\n/JPEGImages/deep/c.jpeg SegmentationClass/c.png\n", ["a b", "deep/c"]),
    ],
)
def test_forms_of_lists(voc, lines, ids):
    (voc / "ImageSets/Segmentation/train.txt").write_text(lines)
    assert list(open_dataset("mine", declare("labels.csv"), voc).image_ids("train")) == ids


def test_ids_that_lead_out_of_the_folder(voc):
    (voc / "ImageSets/Segmentation/train.txt").write_text("2007_000001\n../../x\n/etc/x.jpg\n")
    faults = open_dataset("mine", declare("labels.csv"), voc).faults()
    assert [f.partition("train.txt, ")[2] for f in faults] == [
        "line 2: '../../x' leads out of the folder of images; write a path below it",
        "line 3: '/etc/x.jpg' leads out of the folder of images; write a path below it",
    ]


@pytest.mark.parametrize("suffix", [".JPG", ".jpeg", ".png", ".PNG"])
def test_other_endings_and_ids_with_spaces(voc, suffix):
    ids = ["my cat", "2007_000001"]
    for image_id in ids:
        write_photo(voc, image_id)
        write_mask(voc, image_id, np.full((HEIGHT, WIDTH), CAT))
        (voc / f"JPEGImages/{image_id}.jpg").rename(voc / f"JPEGImages/{image_id}{suffix}")
    (voc / "SegmentationClass/my cat.png").rename(voc / f"SegmentationClass/my cat{suffix}.png")
    (voc / "SegmentationClass/2007_000001.png").rename(voc / "SegmentationClass/2007_000001.PNG")
    (voc / "ImageSets/Segmentation/train.txt").write_text("".join(f"{i}\n" for i in ids))
    (voc / "labels.csv").write_text("image_id,cat\nmy cat,1\n2007_000001,1\n")
    data = open_dataset("mine", declare("labels.csv"), voc)
    assert data.faults() == []
    assert [data.source(i).name for i in ids] == [f"{i}{suffix}" for i in ids]
    assert [data.mask(i).tolist() for i in ids] == [np.ones((HEIGHT, WIDTH)).tolist()] * 2


def test_masks_without_a_label(voc):
    """The label file may name more than the mask shows, but not less."""
    (voc / "labels.csv").write_text(
        "image_id,cat,dog,person\n2007_000001,1,1,1\n2007_000002,1,0,0\n2008_000003,0,0,0\n"
    )
    (fault,) = open_dataset("mine", declare("labels.csv"), voc).faults()
    assert "2007_000002.png: the mask shows 'dog', which is not a label of the image (cat)" in fault


def test_one_pixel_wide_images_work(voc):
    write_photo(voc, "2007_000002", (1, 9))
    write_mask(voc, "2007_000002", np.full((9, 1), DOG))
    data = open_dataset("mine", declare("labels.csv"), voc)
    assert data.faults() == []
    assert data.image("2007_000002").size == (1, 9)
    assert data.mask("2007_000002").shape == (9, 1)


def test_every_fault_is_told_at_once_by_file(voc):
    photos, masks = voc / "JPEGImages", voc / "SegmentationClass"
    ids = [
        "2007_000001",
        "2007_000002",
        "2008_000003",
        "absent",
        "unlabelled",
        "large",
        "unknown",
        "2007_000001",
    ]
    (voc / "ImageSets/Segmentation/train.txt").write_text("".join(f"{i}\n" for i in ids))
    with (voc / "labels.csv").open("a") as file:
        file.write("absent,1,0,0\nlarge,0,0,1\nunknown,0,0,1\norphan,1,0,0\nlarge,1,0,0\n")
    whole = Image.effect_noise((90, 60), 80).convert("RGB")
    whole.save(photos / "2007_000002.jpg")
    write_mask(voc, "2007_000002", np.zeros((60, 90)))
    cut = (photos / "2007_000002.jpg").read_bytes()
    (photos / "2007_000002.jpg").write_bytes(cut[: len(cut) // 2])
    (photos / "2008_000003.jpg").write_bytes(b"not a photograph")
    for image_id in ("unlabelled", "large", "unknown"):
        write_photo(voc, image_id)
    write_mask(voc, "large", np.zeros((HEIGHT + 1, WIDTH)))
    write_mask(voc, "unknown", np.full((HEIGHT, WIDTH), 3))
    data = open_dataset("mine", declare("labels.csv", {"train": {}, "val": {}}), voc)
    faults = data.faults()
    expected = [
        ("labels.csv", "line 9: 'large' is listed twice (first in line 6)"),
        ("train.txt", "line 8: '2007_000001' is listed twice"),
        ("val.txt", "expected a list of ids, but there is no such file; lists in this folder: train.txt"),
        ("2007_000002.jpg", "not a readable image"),
        ("2008_000003.jpg", "not a readable image"),
        ("JPEGImages/absent.jpg", "expected a photograph, but there is no such file"),
        ("SegmentationClass/large.png", "expected a mask of the photograph's size 6x4, but it is 6x5"),
        ("SegmentationClass/unknown.png", "mask holds unknown index 3"),
        ("JPEGImages/orphan.jpg", "there is no such file, although"),
        ("labels.csv", "no labels for image 'unlabelled'"),
        ("SegmentationClass/absent.png", "expected a mask, but there is no such file"),
        ("SegmentationClass/unlabelled.png", "expected a mask, but there is no such file"),
    ]
    assert len(faults) == len(expected)
    for fault, (file, message) in zip(faults, expected, strict=True):
        assert file in fault
        assert message in fault
        assert "\n" not in fault
    assert masks.is_dir()


def test_an_empty_list_holds_no_images(voc):
    (voc / "ImageSets/Segmentation/train.txt").write_text("\n")
    data = open_dataset("mine", declare("labels.csv"), voc)
    with pytest.raises(SeedbedError, match=r"train\.txt: expected ids of the images"):
        data.image_ids("train")
    assert "expected ids of the images" in data.faults()[0]


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda d: d.image_ids("trian"), "unknown split 'trian'; did you mean train"),
        (lambda d: d.labels("2009_1"), "no labels for image '2009_1'"),
        (lambda d: d.image("2009_1"), "expected a photograph, but there is no such file"),
    ],
)
def test_reading_what_is_not_there_is_one_line(voc, act, message):
    with pytest.raises(SeedbedError, match=message):
        act(open_dataset("mine", declare("labels.csv"), voc))


def test_a_class_without_an_index_is_answered_with_near_names(voc):
    with pytest.raises(SeedbedError, match="unknown class 'catt'; did you mean cat"):
        open_dataset("mine", declare("annotations", classes=["catt"]), voc)


def test_colour_masks_are_refused(voc):
    Image.new("RGB", (WIDTH, HEIGHT)).save(voc / "SegmentationClass/2007_000001.png")
    assert "mode is RGB" in open_dataset("mine", declare("labels.csv"), voc).faults()[0]


def test_a_bad_cell_names_its_line(voc):
    (voc / "labels.csv").write_text("image_id,cat,dog\n2007_000001,1,yes\n2007_000002,0,1\n2008_000003,0,0\n")
    faults = open_dataset("mine", declare("labels.csv"), voc).faults()
    assert any("line 2: expected 0 or 1 for 'dog', got 'yes'" in f for f in faults)


def test_unknown_names_and_broken_xml_are_faults(voc):
    (voc / "Annotations/2007_000001.xml").write_text(
        "<annotation><object><name>catt</name></object></annotation>"
    )
    (voc / "Annotations/2007_000002.xml").write_text("<annotation>")
    (voc / "Annotations/orphan.xml").write_text("<annotation/>")
    faults = open_dataset("mine", declare("annotations"), voc).faults()
    assert any("2007_000001.xml: unknown class 'catt'; did you mean cat" in f for f in faults)
    assert any("2007_000002.xml: not readable XML" in f for f in faults)
    assert any("orphan.jpg: expected a photograph" in f for f in faults)


def test_a_label_file_that_would_run_code_is_refused(voc, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    with (voc / "cls_labels.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(Attack(), file)
    faults = open_dataset("mine", declare("cls_labels.npy"), voc).faults()
    assert any("cls_labels.npy: expected a dict of label vectors" in f and "mkdir" in f for f in faults)
    assert not (tmp_path / "attacked").exists()


@pytest.mark.parametrize("labels", ["csv", "image_labels.csv", "../voc12-lists/voc12/cls_labels.npy"])
def test_real_photographs_are_sound(test_data, labels):
    classes = ["cat", "cow", "dog", "horse", "person", "sheep"]
    splits = {"train": {}, "val": {}}
    data = open_dataset("tiny", declare(labels, splits, classes=classes), test_data / "voc-animals-tiny")
    assert data.faults() == []
    assert (len(data.image_ids("train")), len(data.image_ids("val"))) == (40, 20)
    first = data.image_ids("train")[0]
    assert data.labels(first).tolist() == [c == "cow" for c in classes]  # its row of image_labels.csv
    assert set(np.unique(data.mask(first))) == {0, 2, 255}


@pytest.mark.parametrize("option", ["labels", "images", "masks"])
def test_a_path_of_this_machine_is_refused(voc, option):
    """It would enter the identity of all that is made, which would differ where equal data stands elsewhere."""
    with pytest.raises(
        SeedbedError, match=rf"with.{option}: expected a path relative to the root, got '/x.csv'"
    ):
        open_dataset("mine", declare(**{"labels": "annotations", option: "/x.csv"}), voc)
    with pytest.raises(ValidationError, match=r"expected a path relative to the root, got '/x/train.txt'"):
        declare("annotations", {"train": {"list": "/x/train.txt"}})


def test_labels_of_an_unknown_sort(voc):
    with pytest.raises(
        SeedbedError, match=r"with.labels: expected annotations, csv, or a path that ends in .npy or"
    ):
        open_dataset("mine", declare("xml"), voc)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "person\ncat\ndog\n",
            "line 1: expected 'background', which has index 0 in the masks, got 'person'; write it",
        ),
        ("\nbackground\ncat\n", "line 1: expected 'background', which has index 0 in the masks, got ''"),
        ("", "line 1: expected 'background'"),
        ("background\nperson\n\ncat\ndog\n", "line 3: expected the name of a class, got an empty line"),
    ],
)
def test_class_names_whose_lines_are_not_indices_are_refused(voc, text, message):
    (voc / "class_names.txt").write_text(text)
    with pytest.raises(SeedbedError) as error:
        open_dataset("mine", declare("labels.csv"), voc)
    assert message in str(error.value)


@pytest.mark.parametrize("first", ["background", "_background_", "Background"])
def test_class_names_begin_with_background(voc, first):
    (voc / "class_names.txt").write_text(f"{first}\nperson\ncat\ndog\n\n \n")
    assert open_dataset("mine", declare("labels.csv", classes=["cat"]), voc).class_indices == [2]
