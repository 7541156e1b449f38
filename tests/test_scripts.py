"""Scripts outside the package run rarely: what they import exists, and the experiments' recipes can be planned."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from seedbed.plan.commands import Workflow
from seedbed.plan.config import read_config
from seedbed.plan.judges import Point, judgements_at
from seedbed.recipes import RecipeBook

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    path
    for folder in ("benchmarks", "docs", "experiments", "report")
    for path in (ROOT / folder).rglob("*.py")
)


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that a script imports from the package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "seedbed":
            yield from ((str(node.module), alias.name) for alias in node.names)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_scripts_import_exists(path: Path) -> None:
    missing = [f"{module}.{name}" for module, name in imported(path) if not _exists(module, name)]
    assert not missing


def _exists(module: str, name: str) -> bool:
    try:
        return hasattr(importlib.import_module(module), name) or bool(
            importlib.import_module(f"{module}.{name}")
        )
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("experiment", ["methods", "puzzle_family", "sccam"])
def test_the_comparisons_of_methods_can_be_planned(experiment: str, tmp_path: Path) -> None:
    for folder in ("recipes", f"experiments/{experiment}/recipes"):
        for path in (ROOT / folder).glob("*.yaml"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    config = read_config(ROOT / "experiments" / experiment / "params.yaml")
    workflow = Workflow(config, RecipeBook(tmp_path))
    for dataset in config.datasets:
        graph = workflow.graph(dataset)
        judged = {
            judgement.task.stage.makes
            for recipe in config.recipes
            for judgement in judgements_at(graph, Point(recipe, config.rngs[0]))
        }
        assert {"cams", "classification"} <= judged


def test_the_puzzle_family_shares_its_ordinary_classifier(tmp_path: Path) -> None:
    """Eleven recipes train eleven classifiers; that of cam-randaugment is also the judge of six others."""
    for folder in ("recipes", "experiments/puzzle_family/recipes"):
        for path in (ROOT / folder).glob("*.yaml"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    config = read_config(ROOT / "experiments/puzzle_family/params.yaml")
    graph = Workflow(config, RecipeBook(tmp_path)).graph()
    judges, trained = [], set()
    for recipe in config.recipes:
        tasks = graph.recipe_tasks(recipe, 0)
        trained |= {task.folder for task in tasks.values() if task.stage.name == "train_classifier"}
        judges += [task.folder for name, task in tasks.items() if name == "ordinary_classifier"]
    assert len(trained) == len(config.recipes) == 11
    assert judges == 6 * [graph.recipe_tasks("cam-randaugment", 0)["classifier"].folder]
