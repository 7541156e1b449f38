"""Recipes of other methods under Snakemake: two rounds of SC-CAM, and labels that are made anew in a training."""

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
ISIM = """\
extends: isim-deeplab
nodes:
  classifier: {with: {epochs: 3, first_labels: 1, regenerate: {every: 1}, keep_epochs: [1, 2], label_scales: [1.0]}}
  cams_epoch1: {stage: dump_cams, from: {classifier: classifier@epoch1}}
  cams_epoch2: {stage: dump_cams, from: {classifier: classifier@epoch2}}
  labels_epoch1:
    stage: pseudo_masks
    from: {cams: cams_epoch1}
    with: {background_score: 0.3, crf: irn, crf_labels: present}
  labels_epoch2:
    stage: pseudo_masks
    from: {cams: cams_epoch2}
    with: {background_score: 0.3, crf: irn, crf_labels: present}
  classification: null
  confident_regions: null
  affinitynet: null
  refined_cams: null
  pseudo_masks: null
  segmenter: null
  predictions: null
scores: [cams, decoder_predictions, labels_epoch1, labels_epoch2]
"""
"""isim-deeplab's own part in the smallest time, with the labels that its network saw."""
SCORED = {
    "isim-brief": {"cams", "decoder_predictions", "labels_epoch1", "labels_epoch2"},
    "sccam-short": {"cams"},
}
# sccam-2 with networks that cost seconds, without what follows the CAMs.
SHORT = """\
extends: sccam-2
nodes:
  classifier: {with: &small {backbone: test_resnet, weights: none, batch_norm: trained, epochs: 1, lr: 0.001}}
  classifier_1: {with: *small}
  classifier_2: {with: *small}
  subcategories_1: {with: {clusters: 3}}
  subcategories_2: {with: {clusters: 3}}
  classification: null
  confident_regions: null
  affinitynet: null
  refined_cams: null
  pseudo_masks: null
  segmenter: null
  predictions: null
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, test_data: Path, warm_python: Path) -> Checkout:
    """A checkout in which `snakemake` ran."""
    params = photographs(test_data, list(SCORED), CLASSIFIER)
    more = {"sccam-short": SHORT, "isim-brief": ISIM}
    made = Checkout.make(tmp_path_factory.mktemp("methods"), params, recipes=more, warm=warm_python)
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
def test_each_round_reads_the_features_of_the_one_before(checkout: Checkout) -> None:
    folder = checkout.results / "animals/sccam-short/rng0"
    made = {path.parent.name: json.loads(path.read_bytes()) for path in folder.glob("*/manifest.json")}
    assert made["features_1"]["inputs"]["classifier"] == [made["classifier"]["content"]]
    assert made["features_2"]["inputs"]["classifier"] == [made["classifier_1"]["content"]]
    assert made["cams"]["inputs"]["classifier"] == [made["classifier_2"]["content"]]
    with (folder / "subcategories_2/table.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["image_id"] for row in rows}) == 40
    assert {row["cluster"] for row in rows} == {"0", "1", "2"}
    page = (checkout.results / "animals/reports/all/index.html").read_text()
    assert "subcategories_2 (sccam-short)" in page
    with (checkout.results / "animals/reports/all/rounds.csv").open() as stream:
        assert {(row["owner"], row["round"]) for row in csv.DictReader(stream)} == {("sccam-short", "2")}


@pytest.mark.slow
def test_the_page_shows_the_labels_of_each_regeneration(checkout: Checkout) -> None:
    with (checkout.results / "animals/reports/all/label_epochs.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["node"], row["epoch"]) for row in rows] == [("labels_epoch1", "1"), ("labels_epoch2", "2")]
    for row in rows:
        assert 0 < float(row["foreground"]) < 1
        assert 0 < float(row["mean_iou"]) < 1
    assert rows[0]["changed"] == ""
    assert 0 < float(rows[1]["changed"]) < 1
    page = (checkout.results / "animals/reports/all/index.html").read_text()
    assert "<h2>Labels over training</h2>" in page
    assert "<th>after epoch 2</th>" in page
