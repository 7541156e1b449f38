"""`seedbed epochs`: the recipe that it writes, node by node, and the table of its scores."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from recipe_files import write_recipes
from result_files import change, judgement_bytes
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.recipes import RecipeBook
from seedbed.verbs.epochs import epochs_text

KEPT = {
    "toy": {
        "train_classifier": {"keep_epochs": "all"},
        "train_segmenter": {"epochs": 4, "keep_epochs": [2, 4]},
    }
}


def keeping(tree: Any, **config: Any) -> Workflow:
    made: Workflow = tree.workflow(settings=KEPT, rngs=[0], thresholds=[], **config)
    return made


def written(tree: Any, name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((tree.folder / "recipes" / f"{name}.yaml").read_text())
    return content


def test_each_kept_epoch_has_the_nodes_that_read_the_classifier(tree: Any) -> None:
    epochs_text(keeping(tree), "base.classifier")
    content = written(tree, "base-classifier-epochs")
    assert content["scores"] == [
        f"{node}_epoch{epoch}" for epoch in (1, 2, 3) for node in ("classification", "cams")
    ]
    assert content["nodes"]["classification_epoch2"] == {
        "stage": "classify",
        "from": {"classifier": "base.classifier@epoch2"},
        "with": {"splits": ["val"]},
    }
    assert content["nodes"]["cams_epoch3"] == {
        "stage": "dump_cams",
        "from": {"classifier": "base.classifier@epoch3"},
        "with": {"splits": ["val"]},
        "inherited": {"epoch": "3 of base.classifier; by mIoU, chosen with masks"},
    }


def test_the_nodes_are_ordinary_ones_that_share_the_trained_network(tree: Any) -> None:
    workflow = keeping(tree)
    epochs_text(workflow, "base.classifier")
    graph = Workflow(workflow.config, RecipeBook(tree.folder / "recipes")).graph()
    cams = graph.task("base-classifier-epochs", "cams_epoch2", 0)
    assert cams.key == "toy/base-classifier-epochs/rng0/cams_epoch2"
    assert cams.epochs == {"classifier": 2}
    assert cams.sources["classifier"].key == workflow.graph().task("base", "classifier", 0).key
    assert dict(graph.task("base-classifier-epochs", "classification_epoch2", 0).inherited) == {}


def test_a_segmenter_is_compared_by_its_predictions_and_shares_what_it_was_trained_on(tree: Any) -> None:
    epochs_text(keeping(tree), "unet.segmenter", split="train")
    content = written(tree, "unet-segmenter-epochs")
    assert list(content["nodes"]) == ["predictions_epoch2", "predictions_epoch4"]
    assert content["nodes"]["predictions_epoch4"]["from"] == {"segmenter": "unet.segmenter@epoch4"}
    assert content["nodes"]["predictions_epoch4"]["with"] == {"splits": ["train"]}


def test_a_node_with_more_inputs_keeps_them_and_its_splits(tree: Any) -> None:
    settings = {"toy": {"train_affinitynet": {"epochs": 2, "keep_epochs": [1]}}}
    epochs_text(tree.workflow(settings=settings, thresholds=[]), "base.affinitynet")
    assert written(tree, "base-affinitynet-epochs")["nodes"]["refined_epoch1"] == {
        "stage": "random_walk",
        "from": {"cams": "base.cams", "affinitynet": "base.affinitynet@epoch1"},
        "inherited": {"epoch": "1 of base.affinitynet; by mIoU, chosen with masks"},
    }


def test_a_classifier_is_classified_with_even_if_its_recipe_does_not(tree: Any) -> None:
    tree.workflow()
    write_recipes(tree.folder / "recipes", bare={"extends": "base", "nodes": {"classification": None}})
    epochs_text(keeping(tree), "bare.classifier")
    assert "classification_epoch1" in written(tree, "bare-classifier-epochs")["nodes"]


def test_the_table_has_an_epoch_per_line_and_says_what_masks_chose(tree: Any) -> None:
    workflow = keeping(tree)
    folder = tree.results / "toy/base-classifier-epochs/rng0/scores"
    folder.mkdir(parents=True)
    for epoch, value in ((1, 0.5), (3, 0.75)):
        scores = {"mean_average_precision": value}
        name = f"classification_epoch{epoch}"
        (folder / f"{name}-val.json").write_bytes(judgement_bytes(name, "val", "classification", scores))
    (folder / "cams_epoch2-val.json").write_bytes(
        judgement_bytes("cams_epoch2", "val", "cam", {"mean_iou": 0.25})
    )
    head, *lines = epochs_text(workflow, "base.classifier").splitlines()
    assert head.split("  ") == ["EPOCH", "AXES", "classification val", *head.split("  ")[3:]]
    assert head.endswith("cams val (chosen with masks)")
    assert [line.split() for line in lines[:3]] == [
        ["1", "rng0", "mean_average_precision", "0.500", "(stale)", "missing"],
        ["2", "rng0", "missing", "mean_iou", "0.250", "(stale)"],
        ["3", "rng0", "mean_average_precision", "0.750", "(stale)", "missing"],
    ]
    assert lines[-1] == (
        "scores: 3 missing, 3 stale; run `snakemake --config 'recipes=[base-classifier-epochs]'`"
    )


def test_scores_are_stale_where_a_run_would_make_them_again(tree: Any) -> None:
    epochs_text(keeping(tree), "base.classifier")
    planned = keeping(tree, recipes=["base-classifier-epochs"])
    tree.make(planned)
    tree.judge(planned)
    workflow = keeping(tree)
    *rows, last = epochs_text(workflow, "base.classifier").splitlines()
    assert last.startswith("recipe: ")
    assert not any("stale" in row or "missing" in row for row in rows)
    change(tree.results / "toy/base-classifier-epochs/rng0/scores/cams_epoch2-val.json", parameters={})
    _, first, second, *_, last = epochs_text(workflow, "base.classifier").splitlines()
    assert "stale" not in first
    assert second.endswith("mean_iou 0.500 (stale)")
    assert last.startswith("scores: 1 stale; run ")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ("base.affinitynet", "keeps no epochs; set `keep_epochs: all`"),
        ("base.cams", r"expected a node that is trained, got base.cams \(stage dump_cams\)"),
        ("base.classifer", "unknown node 'classifer'; did you mean classifier"),
        ("bas.classifier", "unknown recipe 'bas'; did you mean base"),
        ("base", "expected a trained node as recipe.node"),
    ],
)
def test_mistakes(tree: Any, node: str, message: str) -> None:
    with pytest.raises(SeedbedError, match=message):
        epochs_text(keeping(tree), node)


def test_a_recipe_of_someone_else_is_not_overwritten(tree: Any) -> None:
    workflow = keeping(tree)
    mine: Path = tree.folder / "recipes" / "base-classifier-epochs.yaml"
    mine.write_text("extends: base\n")
    with pytest.raises(SeedbedError, match="was not written by `seedbed epochs`; rename it"):
        epochs_text(workflow, "base.classifier")
    assert mine.read_text() == "extends: base\n"
