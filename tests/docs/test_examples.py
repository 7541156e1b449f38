"""The examples of README and docs/ that are marked `<!-- tested: … -->` load, plan and run."""

import importlib
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from seedbed.datasets import DATASETS, Dataset, open_dataset
from seedbed.plan.commands import Workflow, prepare_command
from seedbed.plan.config import parse_config
from seedbed.plan.tasks import TaskGraph
from seedbed.recipes import RecipeBook
from seedbed.runtime.options import main
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET
from seedbed.yaml_files import load_yaml

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"<!-- tested: ([^\n]+) -->\n```[a-z]+\n(.*?)```", re.DOTALL)
BLOCKS = [
    (page, name, text)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for name, text in EXAMPLE.findall(page.read_text(encoding="utf-8"))
]
PARAMS = [(page.stem, text) for page, name, text in BLOCKS if name == "params"]
RECIPES = {name.removeprefix("recipes/"): text for _, name, text in BLOCKS if name.startswith("recipes/")}


@pytest.fixture
def book(tmp_path: Path) -> RecipeBook:
    """The committed recipes and those of the pages."""
    folder = tmp_path / "recipes"
    shutil.copytree(ROOT / "recipes", folder)
    for name, text in RECIPES.items():
        assert not (folder / name).exists(), f"the example {name} stands in the way of a committed recipe"
        (folder / name).write_text(text, encoding="utf-8")
    return RecipeBook(folder)


def test_examples_are_found() -> None:
    assert {name for name, _ in PARAMS} == {"README", "params"}
    assert {"small.yaml", "early.yaml", "psa-resnet101.yaml"} <= set(RECIPES)
    assert any(name == "named.py" for _, name, _ in BLOCKS)


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_is_planned(name: str, book: RecipeBook) -> None:
    config = parse_config(load_yaml(ROOT / "params.yaml") | {"recipes": [Path(name).stem]})
    assert Workflow(config, book).commands()


def owners(book: RecipeBook, recipe: str) -> dict[str, str]:
    graph = TaskGraph(parse_config(load_yaml(ROOT / "params.yaml")), book)
    return {node: task.owner for node, task in graph.recipe_tasks(recipe, 0).items()}


def test_what_the_page_says_of_sharing(book: RecipeBook) -> None:
    changed = {node for node, owner in owners(book, "half-walk").items() if owner == "half-walk"}
    assert changed == {"refined_cams", "pseudo_masks", "segmenter", "predictions"}
    assert owners(book, "same-classifier")["classifier"] == "psa-resnet50"
    assert owners(book, "crossed")["cams"] == "psa"


def test_readmes_recipe_plans_a_segmenter_and_its_predictions(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```yaml\n(extends: .*?)```", text, re.DOTALL)
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    (tmp_path / "recipes/mine.yaml").write_text(recipe)
    found = owners(RecipeBook(tmp_path / "recipes"), "mine")
    assert {node for node, owner in found.items() if owner == "mine"} == {"segmenter", "predictions"}


@pytest.mark.parametrize("text", [text for _, text in PARAMS])
def test_own_photographs(text: str, tmp_path: Path, book: RecipeBook) -> None:
    """The README's folder, CSV and declaration make a sound data set that `psa` can be planned on."""
    config = parse_config(yaml.safe_load(text))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```\n(image_id,.*?)```", readme, re.DOTALL)
    root = tmp_path / "birds"
    (root / "garden").mkdir(parents=True)
    (root / "labels.csv").write_text(table)
    for name in ("garden/a.jpg", "garden/b.jpg", "c.jpg"):
        Image.new("RGB", (40, 30), (9, 99, 199)).save(root / name)
    if has_masks := "mask_indices" in text:
        (root / "masks").mkdir()
        Image.new("L", (40, 30), 20).save(root / "masks/c.png")
    dataset = open_dataset("birds", config.declaration("birds"), root)
    assert dataset.faults() == []
    assert dataset.classes == ("robin", "wren")
    assert list(dataset.image_ids("train")) == ["garden/a.jpg", "garden/b.jpg"]
    if has_masks:
        mask = dataset.mask("c.jpg")
        assert mask is not None
        assert (mask == 2).all()
    workflow = Workflow(config, book)
    written = {str(path) for command in workflow.commands() for path in command.writes}
    regions = "bg0.30-fg0.60" if "bg0.30" in text else "bg0.10-fg0.40"
    below = f"results/birds/psa/rng0/{regions}/"
    assert {below + "pseudo_masks/train-0.zip", below + "predictions/val-0.zip"} <= written


def test_the_made_up_data_set_is_indexed(
    tmp_path: Path, book: RecipeBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, declared = (
        next(text for _, name, text in BLOCKS if name == wanted) for wanted in ("named.py", "params named")
    )
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/named_example.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    importlib.invalidate_caches()
    monkeypatch.setitem(DATASETS, "named", "named_example:NamedDataset")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "pictures"
    for name in ("train/cat_1.v2", "train/big_dog_2", "val/big_dog_3"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), (9, 99, 199)).save(root / f"{name}.png")

    config = parse_config(yaml.safe_load(declared))
    dataset = open_dataset("pictures", config.declaration("pictures"), root)
    assert isinstance(dataset, Dataset)
    assert dataset.faults() == []
    assert dataset.classes == ("big_dog", "cat")

    workflow = Workflow(config, book)
    workflow.write_slices()
    words = prepare_command(workflow.graph()).words[2:]
    assert main(PREPARE_DATASET, [*words, "--data-root", str(root)]) == 0
    index = workflow.graph().index_folder
    rows = (index / "index.csv").read_text().splitlines()
    assert [row.split(",")[:4] for row in rows[1:]] == [
        ["train/big_dog_2", "train", "8", "6"],
        ["train/cat_1.v2", "train", "8", "6"],
        ["val/big_dog_3", "val", "8", "6"],
    ]
    assert [row.split(",")[5:] for row in rows] == [["big_dog", "cat"], ["1", "0"], ["0", "1"], ["1", "0"]]
    assert json.loads((index / "manifest.json").read_text())["facts"] == {"classes": ["big_dog", "cat"]}

    (root / "train/big_dog_2.png").write_bytes(b"no image")
    assert any("big_dog_2.png: not a readable image" in fault for fault in dataset.faults())
