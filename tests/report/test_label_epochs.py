"""Label maps over training: which nodes are a series, the figures by hand, the pictures."""

import numpy as np
import pytest

from report.conftest import DATASET, HEIGHT, SPLITS, WIDTH, Maker, cams_of, history, mask_scores, network
from seedbed.artifacts.label_maps import encode_label_map, pack_label_maps
from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE
from seedbed.report.blocks import Gallery
from seedbed.report.sections.label_epochs import SECTION, series_of

TRAIN = ("train",)


def squares(share: int) -> dict[str, bytes]:
    """Label maps whose first `share` rows are class 1, of t0 all background; the last row is neutral."""
    maps = {}
    for image_id in SPLITS["train"]:
        label_map = np.zeros((HEIGHT, WIDTH), np.uint8)
        label_map[:share] = image_id != "t0"
        label_map[-1] = IGNORE
        maps[image_id] = encode_label_map(label_map)[1]
    return {"train-0.zip": pack_label_maps(maps)}


def add_training(maker: Maker, axes: str, rows: dict[int, int]) -> None:
    """A classifier with CAMs and labels from some epochs, whose class 1 has so many rows; and from the last weights."""
    files = {"model.safetensors": network(), "history.csv": history()}
    classifier = maker.node(axes, "classifier", "classifier", files)
    for epoch, share in rows.items():
        cams = maker.node(
            axes,
            f"cams_{epoch}",
            "cams",
            cams_of(TRAIN),
            {"classifier": classifier},
            TRAIN,
            epochs={"classifier": epoch},
        )
        maker.node(axes, f"labels_{epoch}", "pseudo_masks", squares(share), {"cams": cams}, TRAIN)
        maker.judged(axes, f"labels_{epoch}", "train", "pseudo_mask", mask_scores(share / 100))
    cams = maker.node(axes, "cams", "cams", cams_of(TRAIN), {"classifier": classifier}, TRAIN)
    maker.node(axes, "pseudo_masks", "pseudo_masks", squares(1), {"cams": cams}, TRAIN)


def test_a_series_is_the_same_chain_of_one_training(maker):
    add_training(maker, "rng0", {15: 20, 5: 10})
    add_training(maker, "rng1", {5: 10})
    (series,) = series_of(maker.page().results)
    assert str(series.place) == "psa rng0"
    assert {epoch: node.name for epoch, node in series.nodes.items()} == {5: "labels_5", 15: "labels_15"}
    assert list(series.nodes) == [5, 15]


def test_the_figures_by_hand(maker):
    """10 and then 20 of 40 rows, in 7 of 8 images; 10 rows change in those 7."""
    add_training(maker, "rng0", {5: 10, 15: 20})
    first, second = SECTION.frame(maker.page()).to_dict("records")
    assert first["foreground"] == pytest.approx(7 / 8 * 10 / 40)
    assert second["foreground"] == pytest.approx(7 / 8 * 20 / 40)
    assert np.isnan(first["changed"])
    assert second["changed"] == pytest.approx(7 / 8 * 10 / 40)
    assert (first["background_images"], first["images"]) == (1, 8)
    assert (first["mean_iou"], second["mean_iou"]) == (0.1, 0.2)


def test_the_page_shows_a_column_per_epoch(maker):
    add_training(maker, "rng0", {5: 10, 15: 20})
    page = maker.page(samples=2, thumbnail=60)
    table, _, gallery = SECTION.blocks(page, SECTION.frame(page))
    assert table.rows[1] == ("psa", "0", "labels_15", "train", "15", "0.438", "0.219", "0.200", "1 of 8")
    assert isinstance(gallery, Gallery)
    assert gallery.columns == ("after epoch 5", "after epoch 15")
    sample = gallery.samples[1]
    ((_, cells),) = sample.lines
    assert [cell.caption for cell in cells] == [DATASET.classes[0]] * 2
    assert cells[0].picture != cells[1].picture
    assert sample.truth is not None


def test_label_maps_of_another_size_are_refused(maker, monkeypatch):
    """They are of 60 x 40, the image is said to have 61."""
    add_training(maker, "rng0", {5: 10, 15: 20})
    monkeypatch.setattr(type(maker.dataset), "size", lambda self, image_id: (61, 40))
    with pytest.raises(
        SeedbedError, match=r"train-0\.zip: image 't0': a label map of 60x40, but the image has 61x40"
    ):
        SECTION.frame(maker.page())


def test_two_trainings_share_the_columns_of_their_epochs(maker):
    add_training(maker, "rng0", {5: 10, 15: 20})
    add_training(maker, "rng0/bg0.10-fg0.40", {15: 30, 25: 40})
    page = maker.page(samples=1, thumbnail=60)
    gallery = SECTION.blocks(page, SECTION.frame(page))[-1]
    assert gallery.columns == ("after epoch 5", "after epoch 15", "after epoch 25")
    (sample,) = gallery.samples
    assert [[cell is not None for cell in cells] for _, cells in sample.lines] == [
        [True, True, False],
        [False, True, True],
    ]


def test_nothing_is_shown_without_two_epochs(maker, sweep):
    add_training(maker, "rng7", {5: 10})
    page = maker.page()
    frame = SECTION.frame(page)
    assert len(frame) == 0
    assert SECTION.blocks(page, frame) == []
