"""docs/adding-a-method.md is followed to the letter: pip installs its package, whose methods train by their recipes."""

import csv
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from file_blocks import write_blocks

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.methods import table
from seedbed.plan.commands import Workflow, prepare_command, task_commands
from seedbed.plan.config import parse_config
from seedbed.plan.task import Task
from seedbed.recipes import RecipeBook
from seedbed.runtime.options import main
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding-a-method.md").read_text(encoding="utf-8")
CONFIG = {
    "dataset": "composites",
    "recipes": ["spread", "memory"],
    "datasets": {
        "composites": {
            "kind": "composites",
            "splits": {"train": {}, "val": {}},
            "with": {"size": 64, "images": {"train": 8, "val": 2}},
        }
    },
    "settings": {
        "composites": {
            "train_classifier": {
                "epochs": 2,
                "batch_size": 4,
                "augmentation": {"resize_long": [64, 64], "crop": 64},
            },
            "dump_cams": {"scales": [1.0]},
        }
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files."""
    folder = tmp_path_factory.mktemp("page") / "seedbed-spread"
    write_blocks(PAGE, folder)
    return folder


@pytest.fixture(scope="module")
def installed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip makes of the page's files."""
    target = tmp_path_factory.mktemp("site")
    offline = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *offline, "--target", target, folder], check=True)
    return target


@pytest.fixture
def package(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The installed package on the path."""
    monkeypatch.syspath_prepend(installed)
    importlib.invalidate_caches()
    table.all_methods.cache_clear()
    yield installed
    table.all_methods.cache_clear()
    for name in [name for name in sys.modules if name.startswith("seedbed_spread")]:
        del sys.modules[name]


def test_the_page_gives_every_file_that_it_lists(folder: Path) -> None:
    listed = re.findall(r"^  (\S+\.(?:py|toml|yaml))", PAGE, re.MULTILINE)
    assert len(listed) == 4
    assert all((folder / path).is_file() for path in listed)


def test_pip_installs_the_package_and_nothing_else(installed: Path) -> None:
    assert {path.name for path in installed.iterdir()} == {
        "seedbed_spread",
        "seedbed_spread-0.1.0.dist-info",
    }


def test_the_formula_is_what_the_page_works_out(package: Path) -> None:
    from seedbed_spread.losses import spread_penalty

    maps = torch.tensor([[[[1.0, 3.0]], [[9.0, 0.0]]]])
    assert spread_penalty(maps, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(1 / 3, abs=1e-5)
    assert spread_penalty(maps, torch.tensor([[0.0, 0.0]])).item() == 0


def test_planning_imports_no_torch_for_it(package: Path) -> None:
    code = (
        "import sys; from seedbed.methods.table import method_entry; method_entry('spread'); method_entry('memory');"
        "print('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": ":".join([str(package), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.fixture
def workflow(package: Path, folder: Path, tmp_path: Path) -> Workflow:
    """The page's recipes among ours, whose classifier is a small one, on a few composites; the index is there."""
    recipes = tmp_path / "recipes"
    shutil.copytree(ROOT / "recipes", recipes)
    shutil.copytree(folder / "recipes", recipes, dirs_exist_ok=True)
    base = yaml.safe_load((recipes / "psa.yaml").read_text())
    base["nodes"]["classifier"]["with"] |= {
        "backbone": "test_resnet",
        "weights": "none",
        "batch_norm": "trained",
    }
    (recipes / "psa.yaml").write_text(yaml.safe_dump(base))
    workflow = Workflow(parse_config(CONFIG), RecipeBook(recipes), tmp_path / "results")
    workflow.write_slices()
    assert main(PREPARE_DATASET, prepare_command(workflow.graph()).words[2:]) == 0
    return workflow


def run(workflow: Workflow, task: Task) -> list[dict[str, str]]:
    """Make a task and what it needs; the rows of its history."""
    for one in task.ancestors():
        (command,) = task_commands(workflow.graph(), one)
        assert main(one.stage, command.words[2:]) == 0
    with (task.folder / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_the_recipe_trains(workflow: Workflow) -> None:
    classifier = workflow.graph().task("spread", "classifier", 0)
    assert classifier.owner == "spread"
    rows = run(workflow, classifier)
    assert [float(row["classifier/spread"]) > 0 for row in rows] == [True] * 4
    assert Artifact(classifier.manifest).manifest.parameters["parameters"]["spread_weight"] == 0.5


def test_the_method_with_hints_and_a_memory_trains(workflow: Workflow) -> None:
    classifier = workflow.graph().task("memory", "classifier", 0)
    assert classifier.sources["hints"].owner == "psa"
    rows = run(workflow, classifier)
    assert [float(row["classifier/memory"]) > 0 for row in rows] == [True] * 4
    assert [0 < float(row["classifier/hints"]) < 1 for row in rows] == [True] * 4


def test_a_misspelt_parameter_is_answered_as_the_page_says(
    package: Path, folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    text = (folder / "recipes/spread.yaml").read_text().replace("spread_weight", "spread_wieght")
    (tmp_path / "recipes/spread.yaml").write_text(text)
    promised = "unknown key 'spread_wieght'; did you mean spread_weight"
    assert promised in PAGE
    with pytest.raises(SeedbedError, match=re.escape(promised)):
        RecipeBook(tmp_path / "recipes")["spread"]
