"""Sub-categories from a classifier's features: same bytes for any number of shards, and inputs that are refused."""

import csv
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow, prepare_command, task_commands
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.runtime.contract import Job
from seedbed.stages.subcategories import SubcategoriesParameters, run
from stages_in_process import run_command

RECIPE = {
    "nodes": {
        "classifier": {
            "stage": "train_classifier",
            "with": {
                "backbone": "test_resnet",
                "weights": "none",
                "conv_head": False,
                "epochs": 1,
                "batch_size": 4,
            },
        },
        "features": {
            "stage": "classify",
            "from": {"classifier": "classifier"},
            "with": {"splits": ["train"]},
        },
        "subcategories": {
            "stage": "subcategories",
            "from": {"features": "features"},
            "with": {"clusters": 3},
        },
    }
}


def made(folder: Path, shards: int) -> Artifact:
    """The sub-categories of 16 composites, with features in some shards."""
    (folder / "recipes").mkdir(parents=True)
    (folder / "recipes" / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    config = {
        "dataset": "composites",
        "recipes": ["small"],
        "datasets": {
            "composites": {
                "kind": "composites",
                "shards": shards,
                "splits": {"train": {}, "val": {}},
                "with": {"images": {"train": 16, "val": 2}, "size": 64},
            }
        },
        "settings": {
            "composites": {"train_classifier": {"augmentation": {"resize_long": [64, 72], "crop": 64}}}
        },
    }
    workflow = Workflow(parse_config(config), RecipeBook(folder / "recipes"), folder / "results")
    workflow.write_slices()
    graph = workflow.graph()
    run_command(prepare_command(graph))
    task = graph.task("small", "subcategories", 0)
    for one in task.ancestors():
        for command in task_commands(graph, one):
            run_command(command)
    assert len(graph.task("small", "features", 0).shard_names) == shards
    return Artifact(task.manifest)


@pytest.fixture(scope="module")
def one_shard(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return made(tmp_path_factory.mktemp("one"), 1)


def test_the_table_is_the_same_for_any_number_of_shards(one_shard: Artifact, tmp_path: Path) -> None:
    three = made(tmp_path, 3)
    assert three.file("table.csv").read_bytes() == one_shard.file("table.csv").read_bytes()
    assert three.manifest.to_bytes() == one_shard.manifest.to_bytes()


def test_an_image_with_m_classes_has_m_rows(one_shard: Artifact) -> None:
    with one_shard.file("table.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["image_id", "class", "cluster"]
    by_image: dict[str, list[int]] = {}
    for row in rows:
        by_image.setdefault(row["image_id"], []).append(int(row["class"]))
    assert len(by_image) == 16
    assert max(map(len, by_image.values())) > 1
    assert {int(row["cluster"]) for row in rows} == {0, 1, 2}
    manifest = one_shard.manifest
    assert (manifest.facts["clusters"], manifest.images, manifest.ledger) == (3, {"train": 16}, [])


def job(vectors: dict[str, np.ndarray], present: bool = True, **parameters: int) -> Job:
    """A job on two images of one class, whose features have these vectors."""

    class Features(Artifact):
        def __init__(self) -> None:
            self.folder = Path("features")

        def open(
            self, split: str | None = None, shard: str | None = None
        ) -> dict[str, dict[str, np.ndarray]]:
            return dict.fromkeys("ab", vectors)

    dataset = SimpleNamespace(
        classes=("cat",), image_ids=lambda split: ("a", "b"), labels=lambda image_id: np.array([present])
    )
    found = object.__new__(Job)
    for name, value in {
        "parameters": SubcategoriesParameters(**parameters),
        "dataset": dataset,
        "inputs": {"features": Features()},
        "rng": 0,
        "progress": lambda items, total, label: iter(items),
    }.items():
        setattr(found, name, value)
    return found


def test_equal_features_are_one_subcategory() -> None:
    made = run(job({"features": np.ones(3, np.float32)}))
    assert made.files["table.csv"] == b"image_id,class,cluster\na,0,0\nb,0,0\n"


@pytest.mark.parametrize(
    ("vectors", "present", "message"),
    [
        (
            {"pooled": np.ones(1, np.float32)},
            True,
            "expected vectors named features in features, got pooled; give a",
        ),
        (
            {"features": np.array([np.nan], np.float32)},
            True,
            "features of image a in features are not finite",
        ),
        (
            {"features": np.ones(1, np.float32)},
            False,
            "no image of split train has a class; check the labels",
        ),
    ],
)
def test_what_cannot_be_clustered_is_refused(
    vectors: dict[str, np.ndarray], present: bool, message: str
) -> None:
    with pytest.raises(SeedbedError, match=message):
        run(job(vectors, present))
