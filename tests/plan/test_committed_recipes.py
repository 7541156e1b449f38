"""Every committed recipe is loaded, checked and planned on every data set of the committed params.yaml."""

from pathlib import Path

import pytest

from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET
from seedbed.yaml_files import load_yaml

ROOT = Path(__file__).parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "recipes").glob("*.yaml"))
PARAMS = load_yaml(ROOT / "params.yaml")
BOOK = RecipeBook(ROOT / "recipes")


def planned(recipe: str, dataset: str, *more: str) -> Workflow:
    changes = {"dataset": dataset, "recipes": [recipe, *more], "thresholds": PARAMS["thresholds"][:1]}
    return Workflow(parse_config(PARAMS | changes), BOOK)


def test_there_are_recipes() -> None:
    assert {"psa", "psa-unet", "regions-only", "supervised"} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_valid_and_says_what_differs(name: str) -> None:
    recipe = RecipeBook(ROOT / "recipes").check(name)
    assert recipe.nodes
    assert recipe.scores
    assert recipe.paper or recipe.differs


@pytest.mark.parametrize("dataset", PARAMS["datasets"])
@pytest.mark.parametrize("name", RECIPES)
def test_it_is_planned(name: str, dataset: str) -> None:
    workflow = planned(name, dataset)
    units = [command.unit for command in workflow.commands(tuple(workflow.reports))]
    assert len(units) == len(set(units))
    assert {task.name for task in workflow.tasks} >= set(workflow.book[name].nodes) - _refs(workflow, name)
    for task in workflow.tasks:
        assert workflow.graph().from_path(task.owner, task.axes, task.name).key == task.key
        assert task.stage.validate(task.slice()["parameters"], "slice") == task.parameters
    PREPARE_DATASET.validate(workflow.graph().index_slice()["parameters"], "slice")


def _refs(workflow: Workflow, name: str) -> set[str]:
    return {node.name for node in workflow.book[name].nodes.values() if node.ref is not None}


@pytest.mark.parametrize("name", ["psa-unet", "regions-only"])
def test_an_ablation_beside_psa_adds_segmenter_and_predictions_only(name: str) -> None:
    before = {task.key for task in planned("psa", "composites").reports["all"].tasks}
    after = {task.key for task in planned("psa", "composites", name).reports["all"].tasks}
    assert {key.rpartition("/")[2] for key in after - before} == {"segmenter", "predictions"}
    assert all(key.startswith(f"composites/{name}/") for key in after - before)


def test_all_recipes_can_be_run_together() -> None:
    """Their node names are unambiguous: a name means one stage."""
    workflow = planned(RECIPES[0], "composites", *RECIPES[1:])
    assert sum(len(nodes) for nodes in workflow.nodes_by_stage.values()) > 0
