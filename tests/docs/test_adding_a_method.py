"""docs/adding-a-method.md is followed to the letter: its files make a package, whose method trains by its recipe."""

import csv
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import yaml

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.methods import table
from seedbed.plan.commands import Workflow, task_commands
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.runtime.options import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding-a-method.md").read_text()
BLOCK = re.compile(r"^```\w+\n# file: (?P<path>\S+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The page's files, and the metadata that an installer writes, in a folder on the path."""
    folder = tmp_path / "seedbed-spread"
    for block in BLOCK.finditer(PAGE):
        path = folder / block["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block["text"])
    (folder / "seedbed_spread/__init__.py").touch()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / "seedbed_spread-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(folder)
    table.all_methods.cache_clear()
    yield folder
    table.all_methods.cache_clear()
    for name in [n for n in sys.modules if n.startswith("seedbed_spread")]:
        del sys.modules[name]


def test_the_page_gives_every_file_that_it_lists(package):
    listed = re.findall(r"^  (\S+\.(?:py|toml))", PAGE, re.MULTILINE)
    assert len(listed) == 5
    assert all((package / path).is_file() for path in listed)


def test_the_formula_is_what_the_page_works_out(package):
    from seedbed_spread.losses import spread_penalty

    maps = torch.tensor([[[[1.0, 3.0]], [[9.0, 0.0]]]])
    assert spread_penalty(maps, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(1 / 3, abs=1e-5)
    assert spread_penalty(maps, torch.tensor([[0.0, 0.0]])).item() == 0


def test_planning_imports_no_torch_for_it(package):
    code = (
        "import sys; from seedbed.methods.table import method_entry; method_entry('spread');"
        "print('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": ":".join([str(package), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_recipe_trains(package, tmp_path):
    recipes = tmp_path / "recipes"
    shutil.copytree(ROOT / "recipes", recipes)
    shutil.copy(package / "recipes/spread.yaml", recipes)
    base = yaml.safe_load((recipes / "psa.yaml").read_text())
    base["nodes"]["classifier"]["with"] |= {
        "backbone": "test_resnet",
        "weights": "none",
        "batch_norm": "trained",
    }
    (recipes / "psa.yaml").write_text(yaml.safe_dump(base))
    config = parse_config(
        {
            "dataset": "composites",
            "recipes": ["spread"],
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
                    }
                }
            },
        }
    )
    workflow = Workflow(config, RecipeBook(recipes), tmp_path / "results")
    workflow.write_slices()
    graph = workflow.graph()
    assert (
        main(
            "prepare_dataset", ["--params", str(graph.index_slice_path), "--output", str(graph.index_folder)]
        )
        == 0
    )
    classifier = graph.task("spread", "classifier", 0)
    assert classifier.owner == "spread"
    (command,) = task_commands(graph, classifier)
    assert main("train_classifier", list(command.words[2:])) == 0
    with (classifier.folder / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["classifier/spread"]) > 0 for row in rows] == [True] * 4
    assert Artifact(classifier.manifest).manifest.parameters["parameters"]["spread_weight"] == 0.5


def test_a_misspelt_parameter_is_answered_as_the_page_says(package, tmp_path):
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    text = (package / "recipes/spread.yaml").read_text().replace("spread_weight", "spread_wieght")
    (tmp_path / "recipes/spread.yaml").write_text(text)
    promised = "unknown key 'spread_wieght'; did you mean spread_weight"
    assert promised in PAGE
    with pytest.raises(SeedbedError, match=re.escape(promised)):
        RecipeBook(tmp_path / "recipes")["spread"]
