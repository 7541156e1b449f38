"""P-NOC's whole pipeline, in process, on photographs of 64 pixels with tiny networks; no mask is read on the way."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.index import IndexedDataset
from seedbed.plan.commands import (
    Workflow,
    judgement_command,
    masks_command,
    prepare_command,
    task_commands,
)
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from stages_in_process import run_command

ROOT = Path(__file__).parents[2]
TINY = {"backbone": "test_resnet", "weights": "none"}
EVERYTHING = {"epochs": 1, "augmentation": {"resize_long": [48, 64], "crop": 64}}
TRAININGS = ("train_classifier", "train_saliency", "train_affinitynet", "train_segmenter")
OWNERS = {
    "cam-randaugment-ls": {"classifier"},
    "pnoc-ls": {"classifier", "cams"},
    "c2am-h": {"saliency_network", "saliency_priors"},
    "poolnet": {"poolnet", "saliency"},
    "pnoc-full": {
        *("confident_regions", "affinitynet", "refined_cams", "pseudo_masks", "segmenter", "predictions"),
    },
}
"""The recipe that owns each node; the classifier of the first is P-NOC's ordinary classifier."""


def planned(folder: Path, test_data: Path) -> Workflow:
    """The committed recipes with tiny networks."""
    (folder / "recipes").mkdir(exist_ok=True)
    for path in (ROOT / "recipes").glob("*.yaml"):
        recipe = yaml.safe_load(path.read_text())
        for node in recipe["nodes"].values():
            if node is not None and "backbone" in (node.get("with") or {}):
                node["with"] |= TINY
            if node is not None and node.get("stage") in ("train_classifier", "train_saliency"):
                node["with"] |= {"batch_norm": "trained"}
            if node is not None and node.get("stage") == "dump_cams":
                node["with"] = {"scales": [1.0]}
            if node is not None and node.get("stage") == "dump_saliency":
                # After five steps batch norm's running statistics are such that no logit need be above 0.
                node["with"]["fusion"] = "mean"
            if node is not None and (node.get("with") or {}).get("method") == "poolnet":
                node["with"] |= {"decoder_width": 4}
        (folder / "recipes" / path.name).write_text(yaml.safe_dump(recipe, sort_keys=False))
    settings = {stage: EVERYTHING | {"batch_size": 8} for stage in TRAININGS}
    settings["dump_saliency"] = {"scales": [1.0]}
    config = {
        "dataset": "tiny",
        "recipes": ["pnoc-full", "poolnet"],
        "datasets": {
            "tiny": {
                "kind": "voc",
                "root": str(test_data / "voc-animals-tiny"),
                "longest": 64,
                "shards": 2,
                "splits": {"train": {}, "val": {}},
                "with": {"labels": "csv"},
            }
        },
        "settings": {"tiny": settings},
    }
    made = Workflow(parse_config(config), RecipeBook(folder / "recipes"), folder / "results")
    made.write_slices()
    run_command(prepare_command(made.graph()))
    return made


@pytest.fixture(scope="module")
def workflow(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The same after everything that `pnoc-full` needs was made without masks."""
    made = planned(tmp_path_factory.mktemp("full"), test_data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IndexedDataset, "mask", _refuse)
        for task in made.graph().task("pnoc-full", "predictions", 0).ancestors():
            for command in task_commands(made.graph(), task):
                run_command(command)
    return made


def _refuse(self: IndexedDataset, image_id: str) -> None:
    raise AssertionError(f"the mask of {image_id} was read")


def artifact(workflow: Workflow, node: str) -> Artifact:
    return Artifact(workflow.graph().task("pnoc-full", node, 0).manifest)


def test_every_node_was_made_by_its_owner(workflow: Workflow) -> None:
    tasks = workflow.graph().task("pnoc-full", "predictions", 0).ancestors()
    owners: dict[str, set[str]] = {}
    for task in tasks:
        assert task.manifest.exists()
        owners.setdefault(task.owner, set()).add(task.name)
    assert owners == OWNERS


def test_saliency_reaches_the_regions(workflow: Workflow) -> None:
    """The regions were made from the saliency of PoolNet, which learnt what is 0 or 1."""
    priors, saliency, regions = (
        artifact(workflow, name).open("train")
        for name in ("saliency_priors", "saliency", "confident_regions")
    )
    assert len(list(regions)) == len(list(saliency)) == 40
    assert {float(v) for i in priors for v in np.unique(priors.scores(i))} <= {0.0, 1.0}
    assert all(saliency.scores(i).min() >= 0 and saliency.scores(i).max() <= 1 for i in saliency)
    digest = artifact(workflow, "saliency").manifest.content
    assert artifact(workflow, "confident_regions").manifest.inputs["saliency"] == [digest]


def test_the_ledger_names_what_was_inherited(workflow: Workflow) -> None:
    notes = {entry.note for entry in artifact(workflow, "predictions").manifest.ledger}
    assert {entry.use for entry in artifact(workflow, "predictions").manifest.ledger} == {"threshold"}
    for words in ("hint_threshold 0.4", "0.2 is P-NOC's", "0.10 is P-NOC's", "0.30 is P-NOC's"):
        assert any(words in note for note in notes), words


def test_saliency_is_judged_with_the_cams_of_the_recipe(workflow: Workflow) -> None:
    judgements = workflow.reports["all"].judged_by("saliency_scores")
    assert sorted(judgement.name for judgement in judgements) == [
        "saliency-train-pnoc-ls",
        "saliency_priors-train-pnoc-ls",
    ]
    run_command(masks_command(workflow.graph()))
    for judgement in judgements:
        run_command(judgement_command(workflow.graph(), judgement))
        found = json.loads(judgement.path.read_text())
        assert set(found["mean_iou_joined"]) == {"true_classes", "inverse", "cut"}
        assert found["prior"] == "pnoc-ls"
        assert found["scores"]["f1_all_salient"] > 0
