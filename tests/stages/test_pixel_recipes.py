"""The recipes of SEAM and PPC in process, from photograph to pseudo mask, on a few composites with a tiny backbone."""

from pathlib import Path

import pytest
import yaml

from seedbed.artifacts.artifact import Artifact
from seedbed.plan.commands import Workflow, prepare_command, task_commands
from seedbed.plan.config import parse_config
from seedbed.plan.task import Task
from seedbed.recipes import RecipeBook
from stages_in_process import run_command

ROOT = Path(__file__).parents[2]
SMALL = {"backbone": "test_resnet", "weights": "none", "output_stride": 16, "batch_norm": "trained"}
TRAINING = {
    "epochs": 1,
    "batch_size": 4,
    "lr": 0.001,
    "augmentation": {"resize_long": [64, 72], "crop": 64},
}
STOPPED = {
    "extends": "ppc-resnet101",
    "nodes": {"classifier": {"with": {"epochs": 3, "keep_epochs": None}}},
}
"""The third epoch is the last."""
CHAINS = {
    "seam": {"classifier", "cams", "confident_regions", "affinitynet", "refined_cams", "pseudo_masks"},
    "ppc": {"classifier", "cams", "confident_regions", "affinitynet", "refined_cams", "pseudo_masks"},
    "ppc-resnet101-epoch3": {"seam/classifier", "seam/cams", "classifier", "cams", "pseudo_masks"},
    "stopped": {"seam/classifier", "seam/cams", "classifier", "cams", "pseudo_masks"},
}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """The committed recipes on tiny networks; of ppc-resnet101 four epochs instead of twenty."""
    folder = tmp_path_factory.mktemp("recipes")
    for path in (ROOT / "recipes").glob("*.yaml"):
        recipe = yaml.safe_load(path.read_text())
        for node in recipe["nodes"].values():
            if node is not None and node.get("stage") in ("train_classifier", "train_affinitynet"):
                node["with"] |= SMALL
            if path.stem == "ppc-resnet101" and node.get("stage") == "train_classifier":
                node["with"] |= {"epochs": 4}
        if path.stem == "seam":
            recipe["nodes"]["classifier"]["with"]["output_stride"] = 16
        (folder / path.name).write_text(yaml.safe_dump(recipe, sort_keys=False))
    (folder / "stopped.yaml").write_text(yaml.safe_dump(STOPPED))
    composites = {
        "kind": "composites",
        "splits": {"train": {}, "val": {}},
        "with": {"images": {"train": 8, "val": 4}, "size": 64},
    }
    config = {
        "dataset": "composites",
        "recipes": [*CHAINS, "ppc-resnet101"],
        "datasets": {"composites": composites},
        "settings": {
            "composites": {
                "train_classifier": TRAINING,
                "train_affinitynet": TRAINING,
                "dump_cams": {"scales": [1.0]},
            }
        },
    }
    made = Workflow(parse_config(config), RecipeBook(folder), tmp_path_factory.mktemp("results"))
    made.write_slices()
    run_command(prepare_command(made.graph()))
    return made


def made(workflow: Workflow, recipe: str, node: str) -> Task:
    """A task, with what it needs, run once."""
    task = workflow.graph().task(recipe, node, 0)
    for one in task.ancestors():
        if not one.manifest.exists():
            for command in task_commands(workflow.graph(), one):
                run_command(command)
    return task


@pytest.mark.parametrize("recipe", CHAINS)
def test_the_chain_to_pseudo_masks(workflow: Workflow, recipe: str) -> None:
    task = made(workflow, recipe, "pseudo_masks")
    own = {
        one.name if one.owner != "seam" or recipe == "seam" else f"seam/{one.name}"
        for one in task.ancestors()
    }
    assert own == CHAINS[recipe]
    masks = Artifact(task.manifest).open("train")
    labels = {int(v) for image_id in masks for v in set(masks[image_id].ravel())}
    assert 0 in labels
    assert len(labels) > 1


def test_what_the_ledger_says(workflow: Workflow) -> None:
    notes = {
        recipe: {
            entry.note for entry in Artifact(made(workflow, recipe, "pseudo_masks").manifest).manifest.ledger
        }
        for recipe in ("seam", "ppc", "stopped")
    }
    for recipe, expected in (("seam", "power 6"), ("seam", "powers 4 and 24"), ("ppc", "0.27")):
        assert any(expected in note for note in notes[recipe]), (recipe, expected)
    assert not any("0.50" in note for note in notes["seam"])
    assert notes["stopped"] == set()


def test_at_a_constant_rate_a_kept_epoch_is_a_training_that_stopped_there(workflow: Workflow) -> None:
    """So the paper's rows of 3, 5, 10 and 20 epochs need one training."""
    kept, stopped = (made(workflow, recipe, "cams") for recipe in ("ppc-resnet101-epoch3", "stopped"))
    assert kept.owner != stopped.owner
    contents = [Artifact(task.manifest).manifest.content for task in (kept, stopped)]
    assert contents[0] == contents[1]
    last = made(workflow, "ppc-resnet101", "cams")
    assert Artifact(last.manifest).manifest.content != contents[0]
