"""Self-training in process, on photographs of 64 pixels with tiny networks: three rounds, and what agreement says."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from adapted_recipes import adapted
from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.index import IndexedDataset
from seedbed.datasets.table import open_dataset
from seedbed.labels import IGNORE
from seedbed.plan.commands import Workflow, judgement_command, prepare_command, task_commands
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.refine.superpixels import majority_vote, slic_superpixels
from stages_in_process import run_command

ROOT = Path(__file__).parents[2]
LAST = "pets-selftraining-3"
ROUNDS = ["pets-gradcampp-epoch5", "pets-selftraining-1", "pets-selftraining-2", LAST]
TINY = {"backbone": "test_resnet", "weights": "none", "batch_size": 8}


def smaller(values: dict[str, Any]) -> None:
    """Give a node's parameters tiny networks and few epochs."""
    if "backbone" in values:
        values |= TINY
    if "epochs" in values:
        values["epochs"] = 2 if values["epochs"] == 20 else 1
    if "keep_epochs" in values:
        values["keep_epochs"] = [1]
    if "regions" in values:
        # Hardly any background: so few steps would teach these networks nothing else.
        values["regions"] = "bg0.01-fg0.20"
    if "sizes" in values:
        values["sizes"] = [32, 64]


@pytest.fixture(scope="module")
def workflow(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The committed recipes with tiny networks, of 2 epochs instead of 20 and 1 instead of 5, all run."""
    folder = tmp_path_factory.mktemp("recipes")
    for name, text in adapted((path.stem for path in (ROOT / "recipes").glob("*.yaml")), smaller).items():
        (folder / f"{name}.yaml").write_text(text.replace("@epoch5", "@epoch1"))
    small = {"epochs": 1, "augmentation": {"resize_long": [48, 64], "crop": 64}}
    config = {
        "dataset": "tiny",
        "recipes": [*ROUNDS[1:], "pets-selftraining-plain-1"],
        "datasets": {
            "tiny": {
                "kind": "voc",
                "root": str(test_data / "voc-animals-tiny"),
                "longest": 64,
                "splits": {"train": {}, "val": {"masks": False}},
                "with": {"labels": "csv"},
            }
        },
        "settings": {"tiny": {"train_classifier": small, "train_segmenter": small}},
    }
    made = Workflow(parse_config(config), RecipeBook(folder), tmp_path_factory.mktemp("results"))
    made.write_slices()
    graph = made.graph()
    with pytest.MonkeyPatch.context() as patch:
        run_command(prepare_command(graph))
        patch.setattr(IndexedDataset, "mask", _refuse)
        for task in graph.task(LAST, "predictions", 0).ancestors():
            if not task.manifest.exists():
                for command in task_commands(graph, task):
                    run_command(command)
        for judgement in made.reports["all"].judged_by("round_agreement"):
            if judgement.task.owner in ROUNDS:
                run_command(judgement_command(graph, judgement))
    return made


def _refuse(self: IndexedDataset, image_id: str) -> None:
    raise AssertionError(f"the mask of {image_id} was read")


def test_each_round_learns_from_the_votes_on_the_predictions_before(workflow: Workflow) -> None:
    graph = workflow.graph()
    for before, after in pairwise(ROUNDS):
        vote, segmenter = (graph.task(after, node, 0) for node in ("superpixel_masks", "segmenter"))
        assert vote.sources["labels"] is graph.task(before, "predictions", 0)
        assert segmenter.sources["labels"] is vote
        assert {vote.owner, segmenter.owner} == {after}
    plain = graph.task("pets-selftraining-plain-1", "segmenter", 0)
    assert plain.sources["labels"] is graph.task(ROUNDS[0], "predictions", 0)


def test_label_maps_of_all_training_images_without_a_mask(workflow: Workflow) -> None:
    task = workflow.graph().task(LAST, "superpixel_masks", 0)
    artifact = Artifact(task.manifest)
    voted, predicted = artifact.open("train"), Artifact(task.sources["labels"].manifest).open("train")
    ids = list(voted)
    assert len(ids) == 40
    assert max(voted[ids[0]].shape) == 64
    assert not any((voted[i] == IGNORE).any() for i in ids)
    photographs = open_dataset("tiny", workflow.graph().declaration)
    for image_id in ids[:3]:
        superpixels = slic_superpixels(np.array(photographs.image(image_id)), compactness=0.001)
        assert (voted[image_id] == majority_vote(predicted[image_id], superpixels)).all()
    assert {entry.use for entry in artifact.manifest.ledger} == {"threshold"}
    assert any("compactness 0.001" in entry.note for entry in artifact.manifest.ledger)


def test_agreement_of_rounds(workflow: Workflow) -> None:
    """By a loop over the images; of predictions on both splits and of votes, each with the nearest round before."""
    found = {
        (j.task.owner, j.name): j
        for j in workflow.reports["all"].judged_by("round_agreement")
        if j.task.owner in ROUNDS
    }
    expected = {(owner, f"predictions-{split}") for owner in ROUNDS[1:] for split in ("train", "val")}
    assert set(found) == expected | {(owner, "superpixel_masks-train") for owner in ROUNDS[2:]}
    for before, after in pairwise(ROUNDS):
        judgement = found[after, "predictions-train"]
        old, new = (
            Artifact(workflow.graph().task(r, "predictions", 0).manifest).open("train")
            for r in (before, after)
        )
        equal = np.concatenate([(old[i] == new[i]).ravel() for i in new])
        content = json.loads(judgement.path.read_text())
        assert content["before"] == before
        assert content["scores"]["agreement"] == pytest.approx(equal.mean())
        assert content["stop"] == (equal.mean() >= 0.98)
        assert content["ledger"] == json.loads(judgement.task.manifest.read_text())["ledger"]


def test_no_other_recipe_is_judged_by_agreement() -> None:
    """A recipe without rounds has no such jobs."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    others = ["pets-gradcampp", "isim-deeplab", "sccam-2"]
    planned = Workflow(parse_config(params | {"recipes": others}), RecipeBook(ROOT / "recipes"))
    assert planned.reports["all"].judged_by("round_agreement") == []
