"""Sections that analyse scores: groups of classes, kinds of errors, confusion, activation, best and worst images."""

import math
from typing import Any

import numpy as np
import pytest

from report.conftest import Maker, maps_of
from seedbed.errors import SeedbedError
from seedbed.metrics import segmentation
from seedbed.metrics.image_counts import ImageCounts
from seedbed.report.blocks import Gallery, Picture, Table
from seedbed.report.sections import (
    activation,
    class_groups,
    confusion,
    errors,
    extremes,
    per_class,
    round_agreement,
)

COUNTS = np.array([[60, 10, 0, 0, 0], [5, 15, 0, 0, 0], [0, 10, 5, 0, 5], [0, 0, 0, 10, 0]])
"""Background, cat, dog, cow; dog is taken for cat in half of its pixels, and a quarter is neutral."""
NAMES = ("cat", "dog", "cow")


def counted(counts: np.ndarray = COUNTS) -> dict[str, Any]:
    """What `evaluate` writes of counts."""
    return {"counts": counts.tolist(), "classes": ["background", *NAMES]}


@pytest.fixture
def scored(maker: Maker) -> Maker:
    """Predictions of two random seeds on val, with counts and named images."""
    images = ImageCounts()
    right = np.pad(np.diag(np.diag(COUNTS)), ((0, 0), (0, 1)))
    images.add(COUNTS - right)  # all wrong
    images.add(right)
    stored = {"images": 2, "packed": images.packed()}
    for rng in (0, 1):
        maker.node(f"rng{rng}", "predictions", "predictions", maps_of(["val"]), {}, ("val",))
        scores = segmentation.scores(COUNTS, NAMES)
        maker.judged(
            f"rng{rng}", "predictions", "val", "prediction", scores, **counted(), image_counts=stored
        )
    return maker


def cells(table: Table, **named: str) -> dict[str, str]:
    """The one row of a table whose cells have these values."""
    found = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    (row,) = [
        row for row in found if all(row[name.replace("_", " ")] == value for name, value in named.items())
    ]
    return row


def test_kinds_of_errors_by_hand(scored: Maker) -> None:
    """The neutral pixels of dog are left out: precision of cat 15/35, recall 15/20; dog 5/5 and 5/15."""
    frame = errors.frame(scored.page())
    (cat,) = frame[(frame["class"] == "cat") & (frame["rng"] == 0)].to_dict("records")
    assert (cat["precision"], cat["recall"]) == pytest.approx((15 / 35, 15 / 20))
    (every,) = frame[(frame["class"] == errors.ALL) & (frame["rng"] == 0)].to_dict("records")
    assert every["precision"] == pytest.approx((60 / 65 + 15 / 35 + 1 + 1) / 4)
    assert every["over_activation"] == pytest.approx((20 / 40 + 0 + 0) / 3)
    assert every["under_activation"] == pytest.approx((5 / 40 + 10 / 15 + 0) / 3)
    tables = errors.blocks(scored.page(), frame)
    assert [table.title or table.summary for table in tables] == [
        "Kinds of errors",
        "Precision by class",
        "Recall by class",
    ]
    assert cells(tables[0], node="predictions")["over-activation"] == "0.167 ± 0.000"
    assert cells(tables[2], node="predictions")["dog"] == "0.333 ± 0.000"


def test_confusion_by_hand(scored: Maker) -> None:
    page = scored.page()
    frame = confusion.frame(page)
    pairs = {
        (row["truth"], row["prediction"]): (row["pixels"], row["share"])
        for row in frame[frame["rng"] == 0].to_dict("records")
    }
    assert pairs["dog", "cat"] == (10, 0.5)
    assert pairs["dog", "neutral"] == (5, 0.25)
    assert ("cow", "cat") not in pairs
    assert sum(pixels for pixels, _ in pairs.values()) == COUNTS.sum()
    table, picture = confusion.blocks(page, frame)
    shown = [row[-3:] for row in table.rows]
    assert shown == [
        ("dog", "cat", "0.500"),
        ("cat", "background", "0.250"),
        ("background", "cat", "0.143"),
    ]
    assert isinstance(picture, Picture)  # one for both random seeds
    assert picture.png.startswith(b"\x89PNG")


def test_activation_over_the_threshold(maker: Maker) -> None:
    points = [(0.1, 0.5, 0.1), (0.5, 0.1, 0.6), (0.9, None, None)]
    curve = [
        {"threshold": t, "mean_iou": 0.5, "over_activation": o, "under_activation": u} for t, o, u in points
    ]
    best = {"threshold": 0.1, "mean_iou": 0.5, "chosen_with": "masks"}
    scores = {"mean_iou": 0.5}
    maker.judged("rng0", "cams", "train", "cam", scores, fixed_threshold=0.5, best=best, curve=curve)
    without = [{"threshold": 0.1, "mean_iou": 0.5}]
    maker.judged("rng1", "cams", "train", "cam", scores, fixed_threshold=0.1, best=best, curve=without)
    frame = activation.frame(maker.page())
    assert list(frame["threshold"]) == [0.1, 0.5, 0.9]
    assert list(frame["over_activation"][:2]) == [0.5, 0.1]
    assert math.isnan(frame["under_activation"][2])
    (picture,) = activation.blocks(maker.page(), frame)
    assert picture.png.startswith(b"\x89PNG")


def test_best_and_worst_images(scored: Maker) -> None:
    page = scored.page(samples=2)
    frame = extremes.frame(page)
    assert list(
        frame[frame["rng"] == 0][["end", "place", "image_id", "mean_iou"]].itertuples(index=False)
    ) == [
        ("worst", 1, "v0", 0.0),
        ("best", 1, "v1", 1.0),
    ]
    gallery, table = extremes.blocks(page, frame)
    assert isinstance(gallery, Gallery)
    assert [(sample.image_id, sample.photo.caption) for sample in gallery.samples] == [
        ("v0", "worst: mIoU 0.000"),
        ("v1", "best: mIoU 1.000"),
    ]
    assert all(sample.truth is not None for sample in gallery.samples)
    assert [row[-2] for row in table.rows] == ["v0", "v1"] * 2
    assert not [
        block for block in extremes.blocks(scored.page(samples=0), frame) if isinstance(block, Gallery)
    ]


def test_scores_of_other_images_are_refused(maker: Maker) -> None:
    images = ImageCounts()
    images.add(COUNTS)
    stored = {"images": 1, "packed": images.packed()}
    scores = segmentation.scores(COUNTS, NAMES)
    maker.judged("rng0", "predictions", "val", "prediction", scores, **counted(), image_counts=stored)
    with pytest.raises(SeedbedError, match="expected scores of the 2 images of val, got 1; score it again"):
        extremes.frame(maker.page())


def test_groups_of_classes_of_another_data_set(scored: Maker) -> None:
    groups = {"food": {"meat": ("cat", "dog"), "grass": ("cow",)}}
    page = scored.page(class_groups=groups)
    frame = class_groups.frame(page)
    values = {
        (row["grouping"], row["group"]): row["value"] for row in frame[frame["rng"] == 0].to_dict("records")
    }
    cat, dog = 15 / 40, 5 / 15
    assert values["food", "meat"] == pytest.approx((cat + dog) / 2)
    assert values["food", "grass"] == pytest.approx(1.0)
    assert values["overall", "mean"] == pytest.approx((60 / 75 + cat + dog + 1) / 4)
    assert values["overall", "sd"] == pytest.approx(np.std([cat, dog, 1], ddof=1))
    tables = class_groups.blocks(page, frame)
    assert "By food" in [table.title for table in tables]
    assert cells(tables[1], node="predictions")["grass"] == "1.000 ± 0.000"


def test_correlations_with_properties_of_the_labels(maker: Maker) -> None:
    """Against numpy's coefficient of the same columns; eight images, one of them with two classes."""
    scores = segmentation.scores(COUNTS, NAMES)
    maker.judged("rng0", "pseudo_masks", "train", "pseudo_mask", scores, **counted())
    page = maker.page()
    frame = class_groups.frame(page)
    found = {
        row["group"]: row["value"] for row in frame[frame["grouping"] == "correlation"].to_dict("records")
    }
    ids = page.dataset.image_ids("train")
    labels = np.stack([page.dataset.labels(i) for i in ids])
    pixels = COUNTS.sum(1)[1:] / COUNTS.sum() * len(ids)
    iou = [15 / 40, 5 / 15, 1]
    held = labels.sum(0)
    assert held.tolist() == [3, 3 + 1, 2]
    assert found["size"] == pytest.approx(np.corrcoef(iou, pixels / held)[0, 1])
    assert found["occurrence"] == pytest.approx(np.corrcoef(iou, held)[0, 1])
    assert found["cardinality"] == pytest.approx(np.corrcoef(iou, [4 / 3, 5 / 4, 1])[0, 1])


def test_voc_groups_are_taken_where_classes_have_their_names(scored: Maker) -> None:
    frame = class_groups.frame(scored.page())
    assert {"occurrence", "size", "group"} <= set(frame["grouping"])


def test_unknown_and_missing_classes_of_groups_are_refused(scored: Maker) -> None:
    for members, fault in (
        (
            ("cot",),
            "class_groups of data set 'squares': food: group 'meat': unknown class 'cot'; did you mean",
        ),
        (("cat", "dog"), "class_groups of data set 'squares': food: no group has 'cow'; add what is missing"),
    ):
        with pytest.raises(SeedbedError, match=fault):
            class_groups.frame(scored.page(class_groups={"food": {"meat": members}}))


def test_agreement_of_rounds_is_a_row_each(maker: Maker) -> None:
    for owner, before, agreement in (("round-1", "base", 0.9), ("round-2", "round-1", 0.99)):
        scores = {"agreement": agreement, "class_agreement": agreement / 2, "compared_pixels": 10}
        more = {"before": before, "enough": 0.98, "stop": agreement >= 0.98}
        maker.judged("rng0", "predictions", "train", "round_agreement", scores, owner, **more)
    frame = round_agreement.frame(maker.page())
    (table,) = round_agreement.blocks(maker.page(), frame)
    assert [(row[0], row[4], row[5], row[-1]) for row in table.rows] == [
        ("round-1", "base", "0.900", "no"),
        ("round-2", "round-1", "0.990", "yes"),
    ]


def test_tables_by_class_stand_side_by_side(scored: Maker) -> None:
    """The existing table: a row for each node, a column for each class."""
    table = per_class.class_table(per_class.frame(scored.page()), ["background", *NAMES])
    assert cells(table, node="predictions")["dog"] == "0.333 ± 0.000"
