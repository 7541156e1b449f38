"""P-NOC on COCO's JSON, some of its classes joined and the others without label: by Snakemake, and by DVC.

The recipe is the committed `pnoc-coco`, but for the sizes of images in training.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from coco_files import convert_yolo
from seedbed.datasets.shrunk import shrunk_size
from seedbed.labels import IGNORE
from workflow.engine_checkout import TRAINING, Checkout, outputs_of

pytestmark = pytest.mark.slow

LONGEST = 64
SPLITS = {"train": ("train2017", 16, 0), "val": ("val2017", 8, 16)}
"""Of each split: its list, photographs, and the place of the first one."""
SMALL = """\
extends: pnoc-coco
nodes:
  ordinary_classifier: {with: {augmentation: {resize_long: [64, 72], crop: 64}}}
  classifier: {with: {augmentation: {resize_long: [64, 72], crop: 64}}}
"""
GROUPS = {"person": [1], "vehicle": range(2, 10), "animal": range(16, 26), "food": range(52, 62)}
"""COCO's ids of the categories that are joined; what else there is has no label."""
NODES = {
    *("ordinary_classifier", "classifier", "classification", "cams", "confident_regions", "affinitynet"),
    *("refined_cams", "pseudo_masks", "segmenter", "predictions"),
}
SCORED = {
    *("classification-val", "cams-train", "confident_regions-train", "refined_cams-train"),
    *("pseudo_masks-train", "predictions-val"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Path:
    """A folder in COCO's layout."""
    folder = tmp_path_factory.mktemp("coco")
    for name, number, first in SPLITS.values():
        convert_yolo(test_data / "coco128-seg", folder, name, number, first)
    return folder


def params(root: Path) -> dict[str, Any]:
    """Contents of params.yaml."""
    oracle = COCO(str(root / "annotations/instances_train2017.json"))
    names = {number: category["name"] for number, category in oracle.cats.items()}
    joined = {group: [names[k] for k in ids if k in names] for group, ids in GROUPS.items()}
    classifier = {"epochs": 4, "batch_size": 8}
    return {
        "dataset": "coco",
        "recipes": ["small"],
        "datasets": {
            "coco": {
                "kind": "coco",
                "root": str(root),
                "longest": LONGEST,
                "class_map": {"labels": {**joined, "void": "*"}},
                "splits": {split: {"list": name} for split, (name, _, _) in SPLITS.items()},
            }
        },
        "settings": {
            "coco": {
                "train_classifier": classifier,
                "train_affinitynet": TRAINING,
                "train_segmenter": TRAINING,
                "dump_cams": {"scales": [1.0]},
                "predict": {"scales": [1.0]},
            }
        },
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path, warm_python: Path) -> Checkout:
    """A checkout in which `snakemake` ran."""
    checkout = Checkout.make(
        tmp_path_factory.mktemp("snakemake") / "tree",
        params(root),
        recipes={"small": SMALL},
        warm=warm_python,
    )
    checkout.snakemake("--cores", "2")
    return checkout


def truth(root: Path, split: str) -> Counter[int]:
    """Pixels of each value in the masks of a split, drawn by pycocotools: the smaller of two objects is in front."""
    values = {k: place for place, ids in enumerate(GROUPS.values(), 1) for k in ids}
    oracle = COCO(str(root / f"annotations/instances_{SPLITS[split][0]}.json"))
    found: Counter[int] = Counter()
    for number, image in oracle.imgs.items():
        mask = np.zeros((image["height"], image["width"]), np.uint8)
        objects = [(a["category_id"], oracle.annToMask(a) > 0) for a in oracle.imgToAnns[number]]
        for category, pixels in sorted(objects, key=lambda one: -int(one[1].sum())):
            mask[pixels] = values.get(category, IGNORE)
        size = shrunk_size((image["width"], image["height"]), LONGEST)
        found.update(
            np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)).ravel().tolist()
        )
    return found


def test_every_node_is_made_and_scored(made: Checkout) -> None:
    nodes = made.nodes()
    assert {owner: set(found) for owner, found in nodes.items()} == {"small": NODES}
    found = made.judged("scores")
    assert set(found) == {("small", name) for name in SCORED}
    for (_, name), content in found.items():
        metric = "mean_average_precision" if name == "classification-val" else "mean_iou"
        assert 0 < content["scores"][metric] < 1, name
    ordinary = nodes["small"]["ordinary_classifier"].manifest.content
    assert nodes["small"]["classifier"].manifest.inputs["ordinary_classifier"] == [ordinary]
    assert "pseudo_masks" in (made.results / "coco/reports/all/index.html").read_text()


def test_networks_have_the_joined_classes(made: Checkout) -> None:
    nodes = made.nodes()["small"]
    for node in ("classifier", "cams", "pseudo_masks", "segmenter", "predictions"):
        assert nodes[node].manifest.facts["classes"] == list(GROUPS), node
    for node, outputs in (("ordinary_classifier", 4), ("classifier", 4), ("segmenter", 5)):
        assert outputs_of(nodes[node]) == outputs


@pytest.mark.parametrize(("node", "split"), [("pseudo_masks", "train"), ("predictions", "val")])
def test_what_is_not_joined_has_no_label(made: Checkout, root: Path, node: str, split: str) -> None:
    expected = truth(root, split)
    assert expected[IGNORE] > 0
    assert all(expected[value] > 0 for value in range(1 if split == "val" else 5))
    counts = np.array(made.judged("scores")["small", f"{node}-{split}"]["counts"])
    assert counts.sum(1).tolist() == [expected[value] for value in range(5)]


def test_no_mask_was_used_for_training(made: Checkout) -> None:
    nodes = made.nodes()["small"]
    assert [nodes[node].manifest.ledger for node in ("classifier", "cams")] == [[], []]
    ledger = nodes["predictions"].manifest.ledger
    assert {entry.use for entry in ledger} == {"threshold"}
    assert any("0.10 and 0.40 are Puzzle-CAM's" in entry.note for entry in ledger)


def test_dvc_makes_the_same_bytes_and_neither_runs_twice(
    made: Checkout, root: Path, tmp_path: Path, warm_python: Path
) -> None:
    checkout = Checkout.make(tmp_path / "tree", params(root), recipes={"small": SMALL}, warm=warm_python)
    calls = Counter(call.split()[0] for call in checkout.repro())
    assert calls["train_classifier"] == 2
    assert calls["evaluate"] == len(SCORED)
    assert calls["threshold_choice"] == 2  # CAMs and refined CAMs
    assert sum(calls.values()) == len(NODES) + len(SCORED) + 2 + 3  # index, masks and report
    assert len(made.artifacts()) > 50
    assert checkout.artifacts() == made.artifacts()
    assert checkout.repro() == made.snakemake() == []
