"""Sample images: which are taken, what is drawn, which lines and columns there are."""

import io

import numpy as np
import pytest
from PIL import Image

from report.conftest import cams_of, maps_of
from seedbed.artifacts.label_maps import encode_label_map, pack_label_maps, voc_palette
from seedbed.artifacts.maps import Maps, pack_maps
from seedbed.report import overlays
from seedbed.report.pictures import class_names
from seedbed.report.sections.samples import SECTION, blocks, chains, choose_images

PAIRS = ("bg0.10-fg0.40", "bg0.20-fg0.50")


def gallery_of(maker, split, samples=4, most_rows=24):
    page = maker.page(samples=samples, sample_rows=most_rows, thumbnail=60)
    galleries = blocks(page, SECTION.frame(page))[1:]
    return next((one for one in galleries if one.title == split), None)


def test_choose_images_takes_one_of_each_stretch():
    """Two stretches: in a-c, b has two classes; in d-f, the only class not yet shown is in e."""
    labels = {"a": [1, 0, 0], "b": [1, 1, 0], "c": [0, 1, 0], "d": [1, 1, 0], "e": [0, 0, 1], "f": [1, 0, 0]}
    chosen = choose_images(list("abcdef"), lambda i: np.array(labels[i], bool), 2)
    assert chosen == ["b", "e"]


def test_choose_images_of_few():
    one_class = np.array([True])
    assert choose_images(["a", "b"], lambda i: one_class, 5) == ["a", "b"]
    assert choose_images([], lambda i: one_class, 5) == []


def test_chains_follow_the_parents(sweep):
    found = chains(sweep.page().results)
    assert [name for name, _ in found] == [f"psa rng0 {pair}" for pair in PAIRS]
    names = ["cams", "confident_regions", "refined_cams", "pseudo_masks", "predictions"]
    assert [[node.name for node in nodes] for _, nodes in found] == [names, names]
    assert {node.place.axes.regions for node in found[1][1]} == {None, PAIRS[1]}


def test_columns_that_a_split_lacks_are_left_out(sweep):
    train, val = gallery_of(sweep, "train"), gallery_of(sweep, "val")
    assert train.columns == ("CAM", "confident regions", "refined CAM", "pseudo mask")
    assert val.columns == ("prediction",)
    assert gallery_of(sweep, "test") is None


def test_the_table_lists_what_is_shown(sweep):
    """Of 8 images in 4 stretches of 2: t0, then t3 with two classes, then the first of each, none of them new."""
    frame = SECTION.frame(sweep.page(samples=4))
    assert list(frame[frame["split"] == "train"]["image_id"]) == [
        sample.image_id for sample in gallery_of(sweep, "train").samples
    ]
    assert set(frame[frame["split"] == "train"]["columns"]) == {
        "CAM | confident regions | refined CAM | pseudo mask"
    }
    assert list(frame[frame["split"] == "val"]["image_id"]) == ["v0", "v1"]
    assert SECTION.blocks(sweep.page(samples=0), SECTION.frame(sweep.page(samples=0))) == []


def test_two_nodes_of_one_meaning_are_told_apart_by_name(sweep):
    axes = "rng0/bg0.10-fg0.40"
    masks = f"squares/psa/{axes}/pseudo_masks"
    files = {"train-0.zip": (sweep.root / masks / "train-0.zip").read_bytes()}
    sweep.node(axes, "voted", "pseudo_masks", files, {"labels": masks}, ("train",))
    assert gallery_of(sweep, "train").columns[3:] == ("pseudo mask (pseudo_masks)", "pseudo mask (voted)")


def add_cams(maker, *names):
    for name in names:
        maker.node("rng0", name, "cams", cams_of(["train"]), splits=("train",))


def test_cam_nodes_of_several_chains_share_a_column(maker):
    add_cams(maker, "cams", "cams_pp", "cams_epoch5")
    found = gallery_of(maker, "train", samples=1)
    assert found.columns == ("CAM",)
    (sample,) = found.samples
    assert [[cell.caption for cell in cells] for _, cells in sample.lines] == [
        ["cams: cat"],
        ["cams_pp: cat"],
        ["cams_epoch5: cat"],
    ]


def test_a_node_stands_in_the_column_of_its_name(maker):
    """The first chain is a and b of one meaning; in the second b comes alone, in the third c and b."""
    made = {"train-0.zip": maps_of(["train"])["train-0.zip"]}

    def masks(axes, name, **inputs):
        return maker.node(axes, name, "pseudo_masks", made, inputs, ("train",))

    pairs = ("rng0/bg0.10-fg0.40", "rng0/bg0.20-fg0.50", "rng0/bg0.30-fg0.60")
    masks(pairs[0], "b", labels=masks(pairs[0], "a"))
    masks(pairs[1], "b")
    masks(pairs[2], "b", labels=masks(pairs[2], "c"))
    found = gallery_of(maker, "train", samples=1)
    assert found.columns == ("pseudo mask (a, c)", "pseudo mask (b)")
    lines = [[cell and cell.caption for cell in cells] for _, cells in found.samples[0].lines]
    assert lines == [["a: cat, dog", "cat, dog"], [None, "cat, dog"], ["c: cat, dog", "cat, dog"]]


def test_later_lines_do_not_repeat_pictures(sweep):
    sample = gallery_of(sweep, "train").samples[0]
    first, second = (cells for _, cells in sample.lines)
    assert [cell.repeated for cell in first] == [False] * 4
    assert [cell.repeated for cell in second] == [True, False, False, False]
    assert (second[0].picture, second[0].caption) == (b"", "as above")


def test_many_lines_mean_fewer_images(sweep):
    assert len(gallery_of(sweep, "train", samples=4).samples) == 4
    assert len(gallery_of(sweep, "train", samples=4, most_rows=5).samples) == 2
    assert len(gallery_of(sweep, "train", most_rows=1).samples[0].lines) == 1


def test_captions_and_sizes(sweep):
    """Of the stretch t2, t3, the image t3 is taken: cat and dog."""
    sample = gallery_of(sweep, "train").samples[1]
    assert sample.image_id == "t3"
    assert sample.photo.caption == sample.truth.caption == "cat, dog"
    assert sample.lines[0][1][0].caption == "cat"
    picture = Image.open(io.BytesIO(sample.photo.picture))
    assert picture.size == (60, 40)


def test_label_maps_are_judged_by_image_and_heat_maps_have_all_classes(maker):
    """Predicted is background everywhere: of t3's cat and dog, 10 · 15 pixels each, none is found."""
    empty = {i: encode_label_map(np.zeros((40, 60), np.uint8))[1] for i in maker.dataset.image_ids("train")}
    cams = maker.node("rng0", "cams", "cams", cams_of(["train"]), splits=("train",))
    files = {"train-0.zip": pack_label_maps(empty)}
    maker.node("rng0", "pseudo_masks", "pseudo_masks", files, {"cams": cams}, splits=("train",))
    sample = next(one for one in gallery_of(maker, "train").samples if one.image_id == "t3")
    ((_, (heat, mask)),) = sample.lines
    labelled = 37 * 60
    assert mask.mean_iou == pytest.approx(((labelled - 300) / labelled + 0 + 0) / 3)
    assert heat.mean_iou is None
    assert [heat.caption, *(one.caption for one in heat.others)] == ["cat", "dog"]
    assert heat.picture != heat.others[0].picture


def test_no_truth_without_masks(sweep, monkeypatch):
    monkeypatch.setattr(type(sweep.dataset), "mask", lambda self, image_id: None)
    found = gallery_of(sweep, "val")
    assert not found.has_truth


def test_the_class_of_the_highest_peak_is_shown(maker):
    """Class 0 is active everywhere, class 2 has the higher peak."""
    maps = np.zeros((2, 4, 6), np.float32)
    maps[0], maps[1, 1, 1] = 2, 3
    content = {"train-0.safetensors": pack_maps({"t0": Maps((0, 2), (40, 60), (maps,))})}
    maker.node("rng0", "cams", "cams", content, splits=("train",))
    (sample,) = gallery_of(maker, "train").samples
    assert sample.lines[0][1][0].caption == "cow"


def test_image_without_classes(maker):
    content = {"train-0.safetensors": pack_maps({"t0": Maps((), (40, 60), ())})}
    maker.node("rng0", "cams", "cams", content, splits=("train",))
    (sample,) = gallery_of(maker, "train").samples
    assert sample.lines[0][1][0].caption == "no class"


def test_class_names_are_ordered_by_area():
    label_map = np.array([[0, 2, 2, 255], [1, 2, 0, 255]], np.uint8)
    assert class_names(label_map, ("cat", "dog")) == "dog, cat"
    assert class_names(np.zeros((2, 2), np.uint8), ("cat",)) == "background only"


def test_overlay_of_labels():
    """Grey photograph of 100: background 45; class 1 (128, 0, 0): 35 + 0.65 · 128 = 118.2; neutral striped."""
    photo = np.full((6, 6, 3), 100, np.uint8)
    labels = np.zeros((6, 6), np.uint8)
    labels[0], labels[3:] = 1, 255
    painted = overlays.overlay_labels(photo, labels)
    assert voc_palette()[3:6] == [128, 0, 0]
    assert painted[1, 0].tolist() == [45, 45, 45]
    assert painted[0, 0].tolist() == [118, 35, 35]
    # stripes of 3 pixels: row + column 3 to 5 is white, 6 to 8 is 0.45 · 100 + 0.55 · 205 = 157.75
    assert painted[3, 0].tolist() == [255, 255, 255]
    assert painted[3, 3].tolist() == [158, 158, 158]


def test_overlay_of_heat_goes_from_blue_to_red():
    photo = np.full((1, 2, 3), 100, np.uint8)
    cold, hot = overlays.overlay_heat(photo, np.array([[0.1, 0.9]], np.float32))[0].astype(int)
    assert cold[2] > cold[0]
    assert hot[0] > hot[2]


@pytest.mark.parametrize(
    ("size", "small"), [((300, 150), (150, 75)), ((100, 40), (100, 40)), ((1, 900), (1, 150))]
)
def test_thumbnail_size(size, small):
    assert overlays.thumbnail_size(size, 150) == small
