"""P-NOC's whole pipeline on photographs of 64 pixels: by one Snakemake command, and by one of DVC in a tree of its own.

The recipe is the committed `pnoc-full`, but for the width of PoolNet's decoder, which takes most of the time.
"""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.artifacts.artifact import Artifact
from workflow.engine_checkout import TRAINING, Checkout, photographs

pytestmark = pytest.mark.slow

NARROW = "extends: pnoc-full\nnodes: {poolnet: {with: {decoder_width: 8}}}\n"
# Shorter or faster training leaves constant CAMs, which are refused.
CLASSIFIER = {"epochs": 2, "batch_size": 8, "lr": 0.002, "augmentation": TRAINING["augmentation"]}
OWNERS = {
    "cam-randaugment-ls": {"classifier"},
    "pnoc-ls": {"classifier", "cams", "classification"},
    "c2am-h": {"saliency_network", "saliency_priors"},
    "narrow": {
        *("poolnet", "saliency", "confident_regions", "affinitynet", "refined_cams", "pseudo_masks"),
        *("segmenter", "predictions"),
    },
}
"""The recipe that owns each node; the classifier of the first is P-NOC's ordinary classifier."""
JUDGED = {
    "scores": {
        *("classification-val", "cams-train", "confident_regions-train", "refined_cams-train"),
        *("pseudo_masks-train", "predictions-val"),
    },
    "saliency_scores": {"saliency_priors-train-pnoc-ls", "saliency-train-pnoc-ls"},
    "affinity_labels": {"affinitynet-train"},
}


def params(test_data: Path) -> dict[str, Any]:
    """Contents of params.yaml."""
    found = photographs(test_data, ["narrow"], CLASSIFIER)
    found["datasets"]["animals"]["longest"] = 64
    found["settings"]["animals"] |= {
        "train_saliency": CLASSIFIER | {"epochs": 1},
        "dump_saliency": {"scales": [1.0]},
        "predict": {"scales": [1.0]},
    }
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, test_data: Path, warm_python: Path) -> Checkout:
    """A checkout in which `snakemake` ran."""
    folder = tmp_path_factory.mktemp("full") / "tree"
    checkout = Checkout.make(folder, params(test_data), recipes={"narrow": NARROW}, warm=warm_python)
    checkout.snakemake("--cores", "2")
    return checkout


def artifact(checkout: Checkout, node: str) -> Artifact:
    (manifest,) = checkout.results.glob(f"animals/*/**/{node}/manifest.json")
    return Artifact(manifest)


def judged(checkout: Checkout, judge: str) -> dict[str, Any]:
    """What a judge wrote, by name of the file."""
    return {p.stem: json.loads(p.read_bytes()) for p in checkout.results.glob(f"animals/**/{judge}/*.json")}


def test_every_node_is_made_by_its_owner_and_judged(made: Checkout) -> None:
    owners: dict[str, set[str]] = {}
    for manifest in made.results.glob("animals/*/rng0/**/manifest.json"):
        owner, _, *axes = manifest.relative_to(made.results / "animals").parts
        owners.setdefault(owner, set()).add(axes[-2])
    assert owners == OWNERS
    assert {judge: set(judged(made, judge)) for judge in JUDGED} == JUDGED


def test_saliency_reaches_the_regions(made: Checkout) -> None:
    """The regions were made from the saliency of PoolNet, which learnt what is 0 or 1."""
    priors, saliency = (artifact(made, name).open("train") for name in ("saliency_priors", "saliency"))
    assert len(list(priors)) == len(list(saliency)) == 40
    assert {float(v) for i in priors for v in np.unique(priors.scores(i))} == {0.0, 1.0}
    assert all(saliency.scores(i).min() >= 0 and saliency.scores(i).max() <= 1 for i in saliency)
    digest = artifact(made, "saliency").manifest.as_input
    assert artifact(made, "confident_regions").manifest.inputs["saliency"] == [digest]


def test_no_mask_was_used_and_the_ledger_names_what_was_inherited(made: Checkout) -> None:
    ledger = artifact(made, "predictions").manifest.ledger
    assert {entry.use for entry in ledger} == {"threshold"}
    for words in ("hint_threshold 0.4", "0.2 is P-NOC's", "0.10 is P-NOC's", "0.30 is P-NOC's"):
        assert any(words in entry.note for entry in ledger), words


def test_saliency_and_affinity_labels_are_judged_and_shown(made: Checkout) -> None:
    for found in judged(made, "saliency_scores").values():
        assert set(found["mean_iou_joined"]) == {"true_classes", "inverse", "cut"}
        assert found["prior"] == "pnoc-ls"
        assert found["scores"]["f1_all_salient"] > 0
    (labels,) = judged(made, "affinity_labels").values()
    assert labels["saliency"] is True
    assert (labels["stride"], labels["radius"]) == (4, 10)
    assert sum(labels["scores"]["pixels"].values()) == pytest.approx(1)
    assert sum(labels["scores"]["pairs"].values()) > 0
    reports = made.results / "animals/reports/all"
    with (reports / "affinity_labels.csv").open() as stream:
        assert {row["class"] for row in csv.DictReader(stream)} > {"", "background", "cat"}
    page = (reports / "index.html").read_text()
    assert "<h2>Saliency</h2>" in page
    assert "<h2>Affinity labels</h2>" in page


def test_dvc_makes_the_same_bytes(made: Checkout, tmp_path: Path, test_data: Path, warm_python: Path) -> None:
    checkout = Checkout.make(
        tmp_path / "tree", params(test_data), recipes={"narrow": NARROW}, warm=warm_python
    )
    calls = [call.split()[0] for call in checkout.repro()]
    assert calls.count("train_classifier") == calls.count("train_saliency") == 2
    assert calls.count("dump_saliency") == 2
    assert calls[-1] == "report"
    assert checkout.artifacts() == made.artifacts()
