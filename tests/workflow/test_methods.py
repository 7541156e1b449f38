"""Two recipes of other methods from photograph to score under Snakemake: alternating players, and Grad-CAM++."""

import csv
import json
from pathlib import Path

import pytest

from workflow.engine_checkout import Checkout, photographs

CLASSIFIER = {
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.002,
    "batch_norm": "frozen",
    "augmentation": {"resize_long": [96, 128], "crop": 96},
}
SCORED = {
    "pnoc": {"classification", "cams", "confident_regions", "refined_cams", "pseudo_masks", "predictions"},
    "gradcampp": {"classification", "cams", "confident_regions", "predictions"},
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Checkout:
    """A checkout in which `snakemake` ran."""
    made = Checkout.make(tmp_path_factory.mktemp("methods"), photographs(test_data, list(SCORED), CLASSIFIER))
    made.snakemake("--cores", "2")
    return made


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SCORED)
def test_every_node_of_the_recipe_is_scored(checkout: Checkout, recipe: str) -> None:
    scores = {
        path.stem.rpartition("-")[0]: json.loads(path.read_bytes())["scores"]
        for path in checkout.results.glob(f"animals/{recipe}/**/scores/*.json")
    }
    assert set(scores) == SCORED[recipe]
    for name, found in scores.items():
        assert 0 < found["mean_average_precision" if name == "classification" else "mean_iou"] < 1


@pytest.mark.slow
def test_the_adversary_starts_from_the_ordinary_classifier_of_its_recipe(checkout: Checkout) -> None:
    folders = checkout.results / "animals"
    ordinary = json.loads((folders / "cam-randaugment/rng0/classifier/manifest.json").read_bytes())
    classifier = json.loads((folders / "pnoc/rng0/classifier/manifest.json").read_bytes())
    assert classifier["inputs"]["ordinary_classifier"] == [ordinary["content"]]
    assert not (folders / "cam-randaugment/rng0/cams").exists()


@pytest.mark.slow
def test_the_parts_of_the_loss_are_logged_by_name(checkout: Checkout) -> None:
    with (checkout.results / "animals/pnoc/rng0/classifier/history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    parts = {"classification", "tiles", "reconstruction", "erasing", "loss"}
    assert {f"classifier/{part}" for part in parts} | {"adversary/loss"} <= set(rows[0])
    assert {row["epoch"] for row in rows} == {"1", "2", "3"}
