"""The supervised ceiling beside weakly supervised rows: which one, and where there is none."""

import math
from typing import Any

import pytest

from report.conftest import Maker, history, maps_of, mask_scores
from seedbed.artifacts.manifest import TRAINED_ON_TRUE_MASKS, LedgerEntry
from seedbed.report.sections import scores

TRAINED = LedgerEntry(use="training", stage="train_segmenter", note=TRAINED_ON_TRUE_MASKS)
WEIGHTS = LedgerEntry(
    use="training", stage="train_segmenter", note="initial weights coco were trained on pixel masks"
)
INHERITED = LedgerEntry(use="training", stage="train_segmenter", note="inherited: weights of COCO's masks")


def predictions(
    maker: Maker, owner: str, miou: float, entry: LedgerEntry | None, rng: int = 0, **parameters: Any
) -> None:
    """A segmenter and its scored predictions on val."""
    ledger = (entry,) if entry else ()
    axes = f"rng{rng}"
    segmenter = maker.node(
        axes, "segmenter", "segmenter", {"history.csv": history()}, owner=owner, parameters=parameters
    )
    maker.node(
        axes,
        "predictions",
        "predictions",
        maps_of(["val"]),
        {"segmenter": segmenter},
        ("val",),
        ledger,
        owner,
    )
    found = [entry.model_dump() for entry in ledger]
    maker.judged(axes, "predictions", "val", "prediction", mask_scores(miou), owner, ledger=found)


@pytest.fixture
def reported(maker: Maker) -> Maker:
    """DeepLabV3+ (the default) and a U-Net, weakly and fully supervised; a weak network that no supervised one is."""
    predictions(maker, "psa", 0.5, None)
    predictions(maker, "psa-unet", 0.4, INHERITED, architecture="unet")
    predictions(maker, "psa-deeplabv2", 0.3, None, architecture="deeplabv2")
    predictions(maker, "psa-coco", 0.9375, WEIGHTS)
    for rng, miou in ((0, 0.75), (1, 0.5)):
        predictions(maker, "supervised-unet", miou, TRAINED, rng, architecture="unet")
    predictions(maker, "supervised", 0.875, TRAINED)
    maker.judged("rng0", "pseudo_masks", "train", "pseudo_mask", mask_scores(0.25))
    return maker


def test_the_ceiling_is_that_of_the_same_network_else_the_highest(reported: Maker) -> None:
    frame = scores.frame(reported.page())
    found = {
        row["owner"] + "/" + row["node"]: (row["ceiling"], row["ceiling_recipe"])
        for row in frame.to_dict("records")
        if isinstance(row["ceiling_recipe"], str)
    }
    assert found == {
        "psa/predictions": (0.875, "supervised"),
        "psa-unet/predictions": (0.625, "supervised-unet"),  # (0.75 + 0.5) / 2
        "psa-deeplabv2/predictions": (0.875, "supervised"),
        "psa-coco/predictions": (0.875, "supervised"),
    }
    table = scores.mask_table(frame)
    assert table.headings[-2:] == ("ceiling", "ground truth used")
    assert len(table.figures) == len(table.headings)
    shown = {row[0]: row[-2] for row in table.rows if row[2] == "predictions"}
    assert shown["psa-unet"] == "0.625 (supervised-unet)"
    assert shown["supervised"] == ""


def test_without_a_supervised_recipe_there_is_no_column(maker: Maker) -> None:
    predictions(maker, "psa", 0.5, INHERITED)
    frame = scores.frame(maker.page())
    assert all(math.isnan(value) for value in frame["ceiling"].astype(float))
    assert "ceiling" not in scores.mask_table(frame).headings
