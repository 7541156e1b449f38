"""Three rounds of self-training on Oxford-IIIT Pet's layout, pets against background: by Snakemake, and by DVC.

The recipes are the committed `pets-selftraining-3` and those before it, with networks, maps and numbers of epochs that
cost seconds; only the last round predicts the test images.
"""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adapted_recipes import adapted
from pet_files import write_pets
from seedbed.datasets.pets import ANIMAL, BACKGROUND, BORDER, FOLDER
from seedbed.datasets.shrunk import nearest, shrunk_image, shrunk_size
from seedbed.labels import IGNORE
from seedbed.refine.superpixels import majority_vote, slic_superpixels
from workflow.engine_checkout import TRAINING, Checkout, outputs_of

pytestmark = pytest.mark.slow

LONGEST = 64
LISTS = {"train": "trainval", "val": "test"}
FIRST, LAST = "pets-gradcampp-epoch5", "pets-selftraining-3"
ROUNDS = [FIRST, "pets-selftraining-1", "pets-selftraining-2", LAST]
CHANGED = ["gradcampp", "gradcampp-deeplabv3", "pets-gradcampp", "pets-selftraining-1", LAST]
ROUND = {"superpixel_masks", "segmenter", "predictions"}
OWNERS = {
    "pets-gradcampp": {"classifier", "cams", "confident_regions", "segmenter"},
    FIRST: {"predictions"},
    **dict.fromkeys(ROUNDS[1:], ROUND),
}
SCORED = {"superpixel_masks-train", "predictions-train", "predictions-val"}
COMPARED = {
    ("pets-selftraining-2", "predictions-train"),
    (LAST, "predictions-train"),
    (LAST, "superpixel_masks-train"),
}
"""Owner and name of what `round_agreement` compares with the round before."""


def smaller(values: dict[str, Any]) -> None:
    """Let a node's parameters cost seconds."""
    if "backbone" in values:
        values["backbone"] = "test_resnet"
    if "sizes" in values:
        values["sizes"] = [32, 64]
    if "keep_epochs" in values:
        values |= {"epochs": 6, "keep_epochs": [5]}
    if "regions" in values:
        # At the recipe's 0.40 and 0.60 the last round is nearly all background, of which nothing can be learnt.
        values["regions"] = "bg0.30-fg0.50"
    if "splits" in values:
        values["splits"] = ["train"]


def recipes() -> dict[str, str]:
    """The recipes that differ from those committed."""
    found = adapted(CHANGED, smaller)
    found[LAST] += "  predictions: {with: {splits: [train, val]}}\n"
    return found


def params(root: Path) -> dict[str, Any]:
    """Contents of params.yaml."""
    augmentation = TRAINING["augmentation"]
    return {
        "dataset": "pets",
        "recipes": [LAST],
        "datasets": {
            "pets": {
                "kind": "pets",
                "root": str(root),
                "longest": LONGEST,
                "class_map": {"masks": {"pet": "*"}},
                "splits": {split: {"list": name} for split, name in LISTS.items()},
            }
        },
        "settings": {
            "pets": {
                "train_classifier": {"epochs": 4, "batch_size": 4, "augmentation": augmentation},
                "train_segmenter": {"batch_size": 2, "augmentation": augmentation},
            }
        },
    }


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> Path:
    """Eight photographs to train on and four others, of four breeds."""
    folder = tmp_path_factory.mktemp("pets")
    write_pets(test_data / "voc-animals-tiny", folder, trainval=8, test=4)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, root: Path, warm_python: Path) -> Checkout:
    """A checkout in which `snakemake` ran."""
    checkout = Checkout.make(
        tmp_path_factory.mktemp("snakemake") / "tree", params(root), recipes=recipes(), warm=warm_python
    )
    checkout.snakemake("--cores", "2")
    return checkout


def ids_of(root: Path, split: str) -> list[str]:
    lines = (root / FOLDER / f"annotations/{LISTS[split]}.txt").read_text().splitlines()
    return [line.split()[0] for line in lines]


def test_every_node_is_made_by_its_owner_and_judged(made: Checkout) -> None:
    assert {owner: set(found) for owner, found in made.nodes().items()} == OWNERS
    scores, agreement = made.judged("scores"), made.judged("round_agreement")
    assert set(scores) == {(LAST, name) for name in SCORED}
    assert set(agreement) == COMPARED
    assert all(0 < found["scores"]["mean_iou"] < 1 for found in scores.values())
    assert all(0 < found["scores"]["agreement"] <= 1 for found in agreement.values())
    assert "Agreement" in (made.results / "pets/reports/all/index.html").read_text()


def test_classifier_tells_breeds_and_segmenters_pets_from_background(made: Checkout) -> None:
    nodes = made.nodes()
    classifier = nodes["pets-gradcampp"]["classifier"]
    assert classifier.manifest.facts["classes"] == ["Abyssinian", "Beagle", "Bengal", "Pug"]
    assert outputs_of(classifier) == 4
    segmenters = [nodes[owner]["segmenter"] for owner in ("pets-gradcampp", *ROUNDS[1:])]
    assert [one.manifest.facts["classes"] for one in segmenters] == [["pet"]] * 4
    assert [outputs_of(one) for one in segmenters] == [2] * 4


def test_the_first_segmenter_learns_from_regions_with_pixels_that_have_no_label(made: Checkout) -> None:
    nodes = made.nodes()
    regions, segmenter = (nodes["pets-gradcampp"][name] for name in ("confident_regions", "segmenter"))
    maps = regions.open("train")
    assert {int(value) for i in maps for value in np.unique(maps[i])} == {0, 1, IGNORE}
    assert segmenter.manifest.inputs["labels"] == [regions.manifest.content]
    predictions = nodes[FIRST]["predictions"].manifest
    assert predictions.inputs["segmenter"] == [segmenter.manifest.content]
    assert predictions.parameters["epochs"] == {"segmenter": 5}


def test_labels_of_each_round_are_votes_on_the_predictions_before(made: Checkout, root: Path) -> None:
    nodes = made.nodes()
    kinds = set()
    for before, after in pairwise(ROUNDS):
        predicted, voted = nodes[before]["predictions"], nodes[after]["superpixel_masks"]
        segmenter = nodes[after]["segmenter"].manifest
        assert voted.manifest.inputs["labels"] == [predicted.manifest.content]
        assert segmenter.inputs["labels"] == [voted.manifest.content]
        assert nodes[after]["predictions"].manifest.inputs["segmenter"] == [segmenter.content]
        old, new = predicted.open("train"), voted.open("train")
        assert sorted(old) == sorted(new) == sorted(ids_of(root, "train"))
        for image_id in new:
            photograph = shrunk_image(Image.open(root / FOLDER / f"images/{image_id}.jpg"), LONGEST)
            superpixels = slic_superpixels(np.array(photograph), compactness=0.001)
            assert (new[image_id] == majority_vote(old[image_id], superpixels)).all()
            kinds |= set(np.unique(new[image_id]).tolist())
    assert kinds == {0, 1}


@pytest.mark.parametrize("split", LISTS)
def test_the_border_of_trimaps_is_not_scored(made: Checkout, root: Path, split: str) -> None:
    """Rows of the counts are the pixels of trimaps, shrunk as the photographs are, but for those of the border."""
    pixels: Counter[int] = Counter()
    for image_id in ids_of(root, split):
        with Image.open(root / FOLDER / f"annotations/trimaps/{image_id}.png") as image:
            trimap = nearest(np.array(image), shrunk_size(image.size, LONGEST))
        pixels.update(trimap.ravel().tolist())
    assert pixels[BORDER] > 100
    counts = np.array(made.judged("scores")[LAST, f"predictions-{split}"]["counts"])
    assert counts.sum(1).tolist() == [pixels[BACKGROUND], pixels[ANIMAL]]


def test_no_mask_was_used_for_training(made: Checkout) -> None:
    nodes = made.nodes()
    assert [nodes["pets-gradcampp"][node].manifest.ledger for node in ("classifier", "cams")] == [[], []]
    for after in ROUNDS[1:]:
        ledger = nodes[after]["predictions"].manifest.ledger
        assert [(entry.use, entry.stage) for entry in ledger] == [
            ("threshold", "confident_regions"),
            ("threshold", "superpixel_vote"),
        ]
        assert "compactness 0.001" in ledger[1].note


def test_dvc_makes_the_same_bytes_and_neither_runs_twice(
    made: Checkout, root: Path, tmp_path: Path, warm_python: Path
) -> None:
    checkout = Checkout.make(tmp_path / "tree", params(root), recipes=recipes(), warm=warm_python)
    calls = Counter(call.split()[0] for call in checkout.repro())
    assert calls["train_segmenter"] == 4
    assert calls["superpixel_vote"] == 3
    assert sum(calls.values()) == sum(map(len, OWNERS.values())) + len(SCORED) + len(COMPARED) + 3
    assert len(made.artifacts()) > 50
    assert checkout.artifacts() == made.artifacts()
    assert checkout.repro() == made.snakemake() == []
