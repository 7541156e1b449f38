"""The whole of recipe psa under Snakemake on real photographs (voc-animals-tiny), as a user types it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from workflow.engine_checkout import Checkout, photographs

# Shorter or faster training on 40 photographs leaves constant CAMs, which are refused.
CLASSIFIER = {
    "epochs": 4,
    "batch_size": 8,
    "lr": 0.002,
    "augmentation": {"resize_long": [96, 128], "crop": 96},
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, test_data: Path, warm_python: Path) -> Checkout:
    """A checkout in which `snakemake` ran."""
    params = photographs(test_data, ["psa"], CLASSIFIER)
    made = Checkout.make(tmp_path_factory.mktemp("photographs"), params, warm=warm_python)
    assert "no faults" in made.seedbed("doctor")
    made.snakemake("--cores", "2")
    return made


def changed(checkout: Checkout, **changes: Any) -> str:
    """What `snakemake -n` would run after a change of params.yaml."""
    params = photographs(checkout.results, ["psa"], CLASSIFIER)  # planning reads no data
    checkout.write_params({**params, **changes})
    targets = ["sweep"] if "thresholds" in changes else []
    return checkout.run("snakemake", *targets, "-n", "--rerun-triggers", "input", "mtime")


def planned(told: str) -> dict[str, int]:
    """Jobs by rule, from Snakemake's table."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", told, flags=re.MULTILINE)}


@pytest.mark.slow
def test_every_node_is_scored_and_no_mask_was_used_for_training(checkout: Checkout) -> None:
    scores = {
        path.stem: json.loads(path.read_bytes())
        for path in checkout.results.glob("animals/psa/**/scores/*.json")
    }
    assert set(scores) == {
        "classification-val",
        "cams-train",
        "confident_regions-train",
        "refined_cams-train",
        "pseudo_masks-train",
        "predictions-val",
    }
    for name, found in scores.items():
        metric = "mean_average_precision" if name == "classification-val" else "mean_iou"
        assert 0 <= found["scores"][metric] <= 1
        assert {entry["use"] for entry in found["ledger"]} <= {"threshold"}
    assert (
        sum(map(sum, scores["cams-train"]["counts"]))
        == scores["cams-train"]["scores"]["labelled_pixels"]
        > 100_000
    )
    page = (checkout.results / "animals" / "reports" / "all" / "index.html").read_text()
    assert "pseudo_masks" in page
    assert "http" not in re.sub(r"data:[^\"']+", "", page).replace("http-equiv", "")


@pytest.mark.slow
def test_everything_is_cached_afterwards(checkout: Checkout) -> None:
    assert checkout.snakemake() == []
    assert re.search(r"9 nodes: 9 cached", checkout.seedbed("plan"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "above", "own"),
    [
        (
            "psa-unet",
            {"train_classifier", "dump_cams", "confident_regions", "train_affinitynet", "random_walk"},
            "train_segmenter",
        ),
        (
            "regions-only",
            {"train_classifier", "dump_cams", "confident_regions", "random_walk"},
            "train_segmenter",
        ),
    ],
)
def test_a_recipe_of_three_lines_plans_nothing_above_its_change(
    checkout: Checkout, recipe: str, above: set[str], own: str
) -> None:
    jobs = planned(changed(checkout, recipes=["psa", recipe]))
    assert jobs[own] == 1
    assert not above & set(jobs)


@pytest.mark.slow
def test_a_sweep_shares_classifier_and_cams(checkout: Checkout) -> None:
    pairs = ["bg0.10-fg0.40", "bg0.10-fg0.50", "bg0.20-fg0.50", "bg0.20-fg0.60"]
    four = planned(changed(checkout, thresholds=pairs))
    five = planned(changed(checkout, thresholds=[*pairs, "bg0.30-fg0.60"]))
    for jobs in (four, five):
        assert not {"train_classifier", "dump_cams"} & set(jobs)
    # The recipe's own pair is there; each other one trains its AffinityNet.
    assert (four["train_affinitynet"], five["train_affinitynet"]) == (3, 4)
    assert five["confident_regions"] - four["confident_regions"] == 1
