"""Each recipe's classifiers and CAMs run in process, on real photographs with a tiny backbone."""

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.index import IndexedDataset
from seedbed.plan.commands import Workflow, prepare_command, task_commands
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from stages_in_process import run_command

ROOT = Path(__file__).parents[2]
CHAIN = ("train_classifier", "dump_cams")
ROUND = ("classify", "subcategories")
PUZZLE = {"classifier/tiles", "classifier/reconstruction"}
SCCAM = {
    **{f"sccam-{rounds}": (rounds, 10) for rounds in (1, 2, 3)},
    **{f"sccam-k{clusters}": (3, clusters) for clusters in (5, 20, 50)},
}
"""Rounds, and sub-categories per class."""
SEAM = {"classifier/minimum", "classifier/equivariance", "classifier/cross_equivariance"}
ISIM = {"classifier/classification", "classifier/segmentation", "classifier/labelled_after"}
PARTS = {
    "psa": {"classifier/loss"},
    "cam-randaugment": {"classifier/loss"},
    "cam-randaugment-ls": {"classifier/loss"},
    "puzzle": PUZZLE,
    "threshold-quality": PUZZLE,
    "occse": {"classifier/erasing"},
    "poc": PUZZLE | {"classifier/erasing"},
    "poc-ls": PUZZLE | {"classifier/erasing"},
    "pnoc": PUZZLE | {"classifier/erasing", "adversary/loss"},
    "pnoc-ls": PUZZLE | {"classifier/erasing", "adversary/loss"},
    "pnoc-coco": PUZZLE | {"classifier/erasing", "adversary/loss"},
    "gradcampp": {"classifier/loss"},
    **{recipe: {"classifier/classification", "classifier/subcategories"} for recipe in SCCAM},
    "seam": SEAM,
    "ppc": SEAM | {"classifier/cross_prototype", "classifier/cross_label", "classifier/intra_view"},
    "ppc-resnet101": {"classifier/contrast"},
    "isim-deeplab": ISIM,
    "isim-unet": ISIM,
    "isim-unet-learnable": ISIM,
}
VARIED = {
    *("backbone", "weights", "batch_norm", "dilated", "augmentation"),
    *("lr", "poly_epochs", "decoder_lr_factor", "cross_entropy", "padding", "regenerate"),
    *("batch_size", "momentum", "weight_decay", "head_lr_factor", "loss_classes", "mask_order"),
    *("head_init", "dropout", "accumulate", "accumulation", "adversary_gradient", "adversary_phase"),
}
"""Parameters whose values have tests of their own: a recipe that changes nothing else in a classifier is not run."""
SMALL = {
    "backbone": "test_resnet",
    "weights": "none",
    "output_stride": 16,
    "batch_norm": "trained",
    "epochs": 1,
    "batch_size": 8,
    "lr": 0.001,
}
BRIEF = {"epochs": 2, "first_labels": 1, "label_scales": [0.25], "label_crf": "none"}
"""For recipes with labels of their own, which are made after one epoch."""


@pytest.fixture(scope="module")
def workflow(test_data, tmp_path_factory):
    """The committed recipes with small classifiers, crops of 64 pixels, and all recipes selected."""
    folder = tmp_path_factory.mktemp("recipes")
    for path in (ROOT / "recipes").glob("*.yaml"):
        recipe = yaml.safe_load(re.sub(r"@epoch\d+", "", path.read_text()))  # one epoch is all there is
        for node in recipe["nodes"].values():
            if node is not None and node.get("stage") == "train_classifier":
                node["with"] |= SMALL
            elif node is not None and "weights" in (node.get("with") or {}):
                node["with"] |= {name: SMALL[name] for name in ("backbone", "weights")}
            if node is not None and (node.get("with") or {}).get("method") == "isim":
                node["with"] |= BRIEF
            if node is not None and "augmentation" in (node.get("with") or {}):
                node["with"]["augmentation"] |= {"resize_long": [64, 96], "crop": 64}
            if node is not None and "sizes" in (node.get("with") or {}):
                node["with"]["sizes"] = [32, 64]
        (folder / path.name).write_text(yaml.safe_dump(recipe, sort_keys=False))
    config = {
        "dataset": "tiny",
        "recipes": list(PARTS),
        "datasets": {
            "tiny": {
                "kind": "voc",
                "root": str(test_data / "voc-animals-tiny"),
                "splits": {"train": {}, "val": {}},
                "with": {"labels": "csv"},
            }
        },
        "settings": {
            "tiny": {
                "train_classifier": {
                    "augmentation": {"resize_long": [64, 96], "crop": 64},
                },
                "dump_cams": {"scales": [0.25]},
            }
        },
    }
    made = Workflow(parse_config(config), RecipeBook(folder), tmp_path_factory.mktemp("results"))
    made.write_slices()
    graph = made.graph()
    run_command(prepare_command(graph))
    return made


def run(workflow, task):
    """Run the commands of a task, once."""
    if task.manifest.exists():
        return
    for command in task_commands(workflow.graph(), task):
        run_command(command)


def chain(workflow, recipe):
    """The tasks of the CAMs and of all classifiers before them."""
    return list(workflow.graph().task(recipe, "cams", 0).ancestors())


def _refuse(self, image_id):
    raise AssertionError(f"the mask of {image_id} was read")


@pytest.mark.parametrize("recipe", PARTS)
def test_classifiers_and_cams_of_a_recipe(workflow, recipe, monkeypatch):
    monkeypatch.setattr(IndexedDataset, "mask", _refuse)
    tasks = chain(workflow, recipe)
    assert {task.stage.name for task in tasks} == {*CHAIN, *(ROUND if recipe in SCCAM else ())}
    assert ("ordinary_classifier" in tasks[-2].inputs) == ("classifier/erasing" in PARTS[recipe])
    for task in tasks:
        run(workflow, task)
    classifier, cams = tasks[-2:]
    with (classifier.folder / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert PARTS[recipe] <= set(rows[0])
    assert not {name for name in rows[0] if name.startswith("adversary")} - PARTS[recipe]
    assert all(math.isfinite(float(value)) for row in rows for value in row.values() if value)
    assert all(rows[-1].values())
    assert Artifact(classifier.manifest).manifest.facts["player"] == "classifier"
    found = Artifact(cams.manifest).open("train")
    assert len(list(found)) == 40
    maps = [array for image_id in found for scale in found[image_id].maps for array in scale]
    assert all(np.isfinite(array).all() and array.min() >= 0 for array in maps)
    assert max(float(np.ptp(array)) for array in maps) > 0


@pytest.mark.parametrize("recipe", SCCAM)
def test_a_round_clusters_the_features_of_the_round_before(workflow, recipe):
    """Every round trains a network of its own, from the initial weights, with as many outputs as the table has."""
    rounds, clusters = SCCAM[recipe]
    tasks = chain(workflow, recipe)
    for task in tasks:
        run(workflow, task)
    names = ["classifier"]
    for number in range(1, rounds + 1):
        names += [f"features_{number}", f"subcategories_{number}", f"classifier_{number}"]
    assert [task.name for task in tasks] == [*names, "cams"]
    before = next(task for task in tasks if task.name == "classifier")
    for features, table, classifier in zip(*(tasks[start:-1:3] for start in (1, 2, 3)), strict=True):
        source, pooled, found, trained = (
            Artifact(task.manifest).manifest for task in (before, features, table, classifier)
        )
        assert pooled.inputs["classifier"] == [source.content]
        assert found.inputs["features"] == [pooled.content]
        assert trained.inputs["subcategories"] == [found.content]
        assert set(classifier.inputs) == {"subcategories"}
        assert trained.facts["parameters"]["subcategories"] == clusters
        before = classifier


def test_rounds_are_trained_once(workflow):
    """`sccam-3` takes rounds 1 and 2 from the recipes that own them, and all of them the plain classifier of `psa`."""
    owners = {task.name: task.owner for task in chain(workflow, "sccam-3")}
    assert owners == {"classifier": "psa", "cams": "sccam-3"} | {
        f"{node}_{number}": f"sccam-{number}"
        for node in ("features", "subcategories", "classifier")
        for number in (1, 2, 3)
    }
    assert workflow.graph().task("sccam-k5", "features_1", 0).owner == "sccam-1"


def test_every_method_recipe_is_run(workflow):
    """A recipe that owns its CAMs is in the table above, or differs from one there that it extends in `VARIED` only."""
    book, graph = workflow.book, workflow.graph()
    with_cams = [name for name in book.names() if "cams" in book[name].nodes]
    own = {name for name in with_cams if graph.task(name, "cams", 0).owner == name}
    assert own - {name for name in own if _is_varied(book, name)} <= set(PARTS) <= own


def _is_varied(book, name):
    *above, _ = book[name].chain
    found = book[name].nodes["classifier"].raw
    for parent in set(above) & set(PARTS):
        other = book[parent].nodes["classifier"].raw
        changed = {key for key in {*found, *other} if found.get(key) != other.get(key)}
        if changed and changed <= VARIED:
            return True
    return False


def test_same_ordinary_classifier_is_trained_once(workflow):
    graph = workflow.graph()
    makers = {graph.task(recipe, "ordinary_classifier", 0).key for recipe in ("occse", "poc", "pnoc")}
    assert makers == {"tiny/cam-randaugment/rng0/classifier"}


def test_adversary_starts_from_other_bytes_than_without(workflow):
    """The ordinary classifier's content is among the digests of the inputs."""
    for task in chain(workflow, "poc"):
        run(workflow, task)
    ordinary, classifier = (workflow.graph().task("poc", n, 0) for n in ("ordinary_classifier", "classifier"))
    expected = Artifact(ordinary.manifest).manifest.content
    assert Artifact(classifier.manifest).manifest.inputs["ordinary_classifier"] == [expected]


def test_isims_network_gives_cams_and_predictions(workflow):
    """`decoder_predictions` reads the same artifact as `cams`."""
    task = workflow.graph().task("isim-deeplab", "decoder_predictions", 0)
    assert (
        task.sources["segmenter"].key
        == workflow.graph().task("isim-deeplab", "cams", 0).sources["classifier"].key
    )
    for one in task.ancestors():
        run(workflow, one)
    found = Artifact(task.manifest)
    maps = found.open("val")
    assert len(list(maps)) > 0
    assert {maps[i].dtype for i in maps} == {np.dtype(np.uint8)}
    assert {int(v) for i in maps for v in np.unique(maps[i])} <= set(range(7))
    (threshold,) = {entry.note for entry in found.manifest.ledger}
    assert threshold == "inherited: label_threshold 0.30 is ISIM's, found on VOC's masks"
