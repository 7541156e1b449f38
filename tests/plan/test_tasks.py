"""Tasks: axes, paths, slices, splits, sharing along a sweep."""

import json
from pathlib import Path
from typing import Any

import pytest

from recipe_files import BASE, DESCENDANTS, make_workflow
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.task import unique_tasks
from seedbed.plan.tasks import TaskGraph

SUPERVISED = {
    "nodes": {
        "segmenter": {"stage": "train_segmenter", "from": {"labels": "masks"}},
        "predictions": {"stage": "predict", "from": {"segmenter": "segmenter"}},
    },
    "scores": ["predictions"],
}


def graph(folder: Path, config: dict[str, Any] | None = None, **recipes: Any) -> TaskGraph:
    return make_workflow(folder, config, **recipes).graph()


def axes(tasks: dict[str, Any]) -> dict[str, str]:
    return {name: task.axes for name, task in tasks.items()}


# Axes


def test_a_path_carries_only_the_axes_of_its_ancestors(tmp_path: Path) -> None:
    plain, both = "rng0", "rng0/bg0.10-fg0.40"
    assert axes(graph(tmp_path).recipe_tasks("base", 0)) == {
        "classifier": plain,
        "classification": plain,
        "cams": plain,
        "regions": both,
        "affinitynet": both,
        "refined": both,
        "masks_": both,
        "segmenter": both,
        "predictions": both,
    }


def test_a_supervised_baseline_has_only_the_seed(tmp_path: Path) -> None:
    made = graph(tmp_path, baseline=SUPERVISED)
    for regions in (None, "bg0.20-fg0.50"):
        assert axes(made.recipe_tasks("baseline", 3, regions)) == {"segmenter": "rng3", "predictions": "rng3"}


def test_a_baseline_that_extends_the_pipeline_has_only_the_seed(tmp_path: Path) -> None:
    removed: dict[str, Any] = dict.fromkeys(
        ["classifier", "classification", "cams", "regions", "affinitynet", "refined", "masks_"]
    )
    nodes = {**removed, "segmenter": {"from": {"labels": "masks"}}}
    tasks = graph(tmp_path, baseline={"extends": "base", "nodes": nodes}).recipe_tasks("baseline", 0)
    assert {name: task.key for name, task in tasks.items()} == {
        "segmenter": "toy/baseline/rng0/segmenter",
        "predictions": "toy/baseline/rng0/predictions",
    }


def test_without_seed_and_regions_there_are_no_axes(tmp_path: Path) -> None:
    """A node whose random ancestors are pinned depends on neither axis."""
    nodes = {"cams": {"stage": "dump_cams", "from": {"classifier": "base.classifier@rng4"}}}
    task = graph(tmp_path, pinned={"nodes": nodes}).task("pinned", "cams", 0)
    assert task.key == "toy/pinned/shared/cams"
    source = task.inputs["classifier"]
    assert source is not None
    assert source.key == "toy/base/rng4/classifier"


def test_a_pinned_input_keeps_the_seed_of_the_others(tmp_path: Path) -> None:
    nodes = {"refined": {"from": {"cams": "base.cams@rng4"}}}
    tasks = graph(tmp_path, child={"extends": "base", "nodes": nodes}).recipe_tasks("child", 7)
    refined = tasks["refined"]
    assert {name: t.rng for name, t in refined.inputs.items() if t is not None} == {
        "cams": 4,
        "affinitynet": 7,
    }
    assert refined.axes == "rng7/bg0.10-fg0.40"


def test_same_pair_reads_the_regions_and_argmax_does_not(tmp_path: Path) -> None:
    nodes = {
        "by_pair": {"stage": "pseudo_masks", "from": {"cams": "cams"}, "with": {"decide": "same_pair"}},
        "by_argmax": {"stage": "pseudo_masks", "from": {"cams": "cams"}},
    }
    tasks = graph(tmp_path, child={"extends": "base", "nodes": nodes}).recipe_tasks(
        "child", 0, "bg0.20-fg0.50"
    )
    assert axes(tasks)["by_pair"] == "rng0/bg0.20-fg0.50"
    assert axes(tasks)["by_argmax"] == "rng0"
    assert tasks["by_pair"].parameters.model_dump()["regions"] == "bg0.20-fg0.50"


def test_the_own_setting_of_an_extending_recipe_is_the_label(tmp_path: Path) -> None:
    """The node at that label is the base recipe's at that label: a sweep of the base has made it already."""
    child = {"extends": "base", "nodes": {"regions": {"with": {"regions": "bg0.2-fg0.5"}}}}
    made = graph(tmp_path, child=child)
    assert made.task("child", "refined", 0).key == "toy/base/rng0/bg0.20-fg0.50/refined"
    assert made.task("child", "refined", 0).key == made.task("base", "refined", 0, "bg0.20-fg0.50").key


def test_a_recipe_without_a_setting_takes_that_of_the_nodes_it_refers_to(tmp_path: Path) -> None:
    nodes = {
        "segmenter": {"stage": "train_segmenter", "from": {"labels": "base.masks_"}},
        "old": {"ref": "base.regions"},
    }
    tasks = graph(tmp_path, second={"nodes": nodes}).recipe_tasks("second", 0)
    assert tasks["segmenter"].key == "toy/second/rng0/bg0.10-fg0.40/segmenter"
    assert tasks["old"].key == "toy/base/rng0/bg0.10-fg0.40/regions"


def test_two_settings_in_one_recipe_are_refused(tmp_path: Path) -> None:
    more = {"stage": "confident_regions", "from": {"cams": "cams"}, "with": {"regions": "bg0.20-fg0.40"}}
    made = graph(tmp_path, child={"extends": "base", "nodes": {"more": more}})
    with pytest.raises(
        SeedbedError,
        match=r"^recipe child: expected one regions setting per recipe, got child\.regions bg0\.10",
    ):
        made.recipe_tasks("child", 0)


@pytest.mark.parametrize("written", ["bg0.3-fg0.4", "bg0.30-fg0.40", "bg.3-fg0.40"])
def test_thresholds_have_one_spelling(tmp_path: Path, written: str) -> None:
    child = {"extends": "base", "nodes": {"regions": {"with": {"regions": written}}}}
    workflow = make_workflow(tmp_path, {"thresholds": [written]}, child=child)
    assert workflow.config.thresholds == ("bg0.30-fg0.40",)
    made = workflow.graph()
    paths = {made.task("child", "regions", 0).key, made.task("base", "regions", 0, written).key}
    assert paths == {"toy/base/rng0/bg0.30-fg0.40/regions"}


def test_psas_alphas_are_a_setting(tmp_path: Path) -> None:
    child = {"extends": "base", "nodes": {"regions": {"with": {"regions": "alpha4-24"}}}}
    assert graph(tmp_path, child=child).task("child", "masks_", 1).axes == "rng1/alpha4-24"


# Sharing


def test_a_fifth_pair_adds_its_own_nodes_only(tmp_path: Path) -> None:
    pairs = ["bg0.05-fg0.30", "bg0.10-fg0.40", "bg0.15-fg0.50", "bg0.20-fg0.60"]

    def keys(thresholds: list[str]) -> set[str]:
        report = make_workflow(tmp_path, {"thresholds": thresholds}).reports["sweep"]
        return {task.key for task in report.tasks}

    four = keys(pairs)
    assert len(four) == 3 + 4 * 6
    five = keys([*pairs, "bg0.25-fg0.70"])
    assert {key for key in five - four if "bg0.25-fg0.70" in key} == five - four
    assert len(five - four) == 6
    assert four < five


@pytest.mark.parametrize(
    ("nodes", "new"),
    [
        ({"segmenter": {"with": {"architecture": "unet"}}}, {"segmenter", "predictions"}),
        (
            {
                "segmenter": {"from": {"labels": "regions"}},
                "affinitynet": None,
                "refined": None,
                "masks_": None,
            },
            {"segmenter", "predictions"},
        ),
        ({"cams": {"with": {"flip": False}}}, DESCENDANTS["cams"]),
    ],
)
def test_an_ablation_plans_no_job_above_its_change(
    tmp_path: Path, nodes: dict[str, Any], new: set[str]
) -> None:
    child = {"extends": "base", "nodes": nodes}
    before = make_workflow(tmp_path, child=child).tasks
    after = make_workflow(tmp_path, {"recipes": ["base", "child"]}, child=child).tasks
    added = {task.key for task in after} - {task.key for task in before}
    assert {key.rpartition("/")[2] for key in added} == new
    assert all(key.startswith("toy/child/") for key in added)


def test_the_ablation_alone_plans_only_what_it_needs(tmp_path: Path) -> None:
    nodes = {
        "segmenter": {"from": {"labels": "regions"}},
        "affinitynet": None,
        "refined": None,
        "masks_": None,
    }
    workflow = make_workflow(tmp_path, {"recipes": ["child"]}, child={"extends": "base", "nodes": nodes})
    names = [task.name for task in workflow.tasks]
    assert names == ["classifier", "classification", "cams", "regions", "segmenter", "predictions"]


def test_inputs_come_before_their_consumers_each_once(tmp_path: Path) -> None:
    tasks = unique_tasks(reversed(graph(tmp_path).recipe_tasks("base", 0).values()))
    names = [task.name for task in tasks]
    assert sorted(names) == sorted(BASE["nodes"])
    for task in tasks:
        for source in task.inputs.values():
            assert source is not None
            assert names.index(source.name) < names.index(task.name)


# Paths


def every_task(workflow: Workflow) -> list[tuple[str, str, str]]:
    return [(task.owner, task.axes, task.name) for task in workflow.tasks]


def test_a_path_leads_back_to_its_task(tmp_path: Path) -> None:
    pinned = {"extends": "base", "nodes": {"cams": {"from": {"classifier": "base.classifier@rng4@epoch2"}}}}
    workflow = make_workflow(
        tmp_path,
        {
            "recipes": ["base", "baseline", "pinned"],
            "rngs": [0, 5],
            "thresholds": ["bg0.05-fg0.30", "alpha4-24"],
            "settings": {"toy": {"train_classifier": {"keep_epochs": [2]}}},
        },
        baseline=SUPERVISED,
        pinned=pinned,
    )
    tasks = workflow.tasks
    assert {task.axes for task in tasks} >= {"shared", "bg0.10-fg0.40", "rng4", "rng0", "rng5/alpha4-24"}
    for task in tasks:
        found = workflow.graph().from_path(task.owner, task.axes, task.name)
        assert (found.key, found.identity) == (task.key, task.identity)


@pytest.mark.parametrize(
    ("owner", "where", "node", "place"),
    [
        ("child", "rng0", "cams", "toy/base/rng0/cams"),
        ("base", "rng0/bg0.10-fg0.40", "cams", "toy/base/rng0/cams"),
        ("base", "rng0/bg0.1-fg0.4", "refined", "toy/base/rng0/bg0.10-fg0.40/refined"),
        ("base", "rng00", "cams", "toy/base/rng0/cams"),
        ("base", "bg0.10-fg0.40", "refined", "toy/base/rng0/bg0.10-fg0.40/refined"),
        ("base", "rng0", "refined", "toy/base/rng0/bg0.10-fg0.40/refined"),
        ("base", "shared", "cams", "toy/base/rng0/cams"),
    ],
)
def test_a_path_that_is_not_the_place_is_refused_with_the_place(
    tmp_path: Path, owner: str, where: str, node: str, place: str
) -> None:
    child = {"extends": "base", "nodes": {"segmenter": {"with": {"lr": 0.5}}}}
    made = graph(tmp_path, child=child)
    with pytest.raises(SeedbedError, match=r"is at .*; ask for that path") as caught:
        made.from_path(owner, where, node)
    assert f"is at {tmp_path / 'results' / place};" in str(caught.value)


@pytest.mark.parametrize("where", ["rng", "rngx", "rng0/rng1", "rng0/", "/rng0", "rng-1", "x", "rng0/bg0.10"])
def test_axes_that_are_none_are_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(SeedbedError, match=r"^expected ") as caught:
        graph(tmp_path).from_path("base", where, "cams")
    assert "\n" not in str(caught.value)


# Splits


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        (
            {"cams": {"with": {"splits": ["trian"]}}},
            "recipe child, node cams: unknown split 'trian'; did you mean train?",
        ),
        (
            {"classifier": {"with": {"split": "trian"}}},
            "recipe child, node classifier: unknown split 'trian'; did you mean train?",
        ),
        (
            {"masks_": {"with": {"splits": ["train", "val"]}}},
            "recipe child, node masks_: split val is asked for, but input cams (refined) has only train; "
            "add it to its `splits`",
        ),
        (
            {"segmenter": {"with": {"split": "val"}}},
            "recipe child, node segmenter: split val is asked for, but input labels (masks_) has only train; "
            "add it to its `splits`",
        ),
        (
            {"segmenter": {"from": {"labels": "masks"}}},
            "recipe child, node segmenter: input labels is the true masks, but split train is declared without masks",
        ),
    ],
)
def test_a_split_that_cannot_be_had_is_refused(tmp_path: Path, nodes: dict[str, Any], problem: str) -> None:
    toy = {"kind": "folder", "splits": {"train": {"masks": False}, "val": {}}}
    made = graph(tmp_path, {"datasets": {"toy": toy}}, child={"extends": "base", "nodes": nodes})
    with pytest.raises(SeedbedError) as caught:
        made.recipe_tasks("child", 0)
    assert str(caught.value) == problem


# Shards and slices


def test_shards_belong_to_the_data_set(tmp_path: Path) -> None:
    toy = {"kind": "folder", "shards": 3, "splits": {"train": {}, "val": {}}}
    child = {"extends": "base", "nodes": {"cams": {"with": {"splits": ["train", "val"]}}}}
    task = graph(tmp_path, {"datasets": {"toy": toy}}, child=child).task("child", "cams", 0)
    assert task.shard_names == ("train-0", "train-1", "train-2", "val-0", "val-1", "val-2")
    assert task.shard_files("val-1") == (task.folder / "val-1.safetensors", task.folder / "val-1.json")
    assert task.data_files("train-2") == [task.folder / "train-2.safetensors"]
    assert len(task.data_files()) == 6


def test_a_slice_holds_what_differs_from_the_defaults(tmp_path: Path) -> None:
    tasks = graph(tmp_path).recipe_tasks("base", 2)
    assert tasks["classifier"].slice() == {
        "stage": "train_classifier",
        "stage_version": tasks["classifier"].stage.version,
        "dataset": "toy",
        "parameters": {"lr": 0.1, "epochs": 3},
        "rng": 2,
    }
    assert tasks["cams"].slice() == {
        "stage": "dump_cams",
        "stage_version": tasks["cams"].stage.version,
        "dataset": "toy",
        "parameters": {},
        "shards": 1,
    }


def test_a_slice_tells_the_epoch_and_what_was_inherited(tmp_path: Path) -> None:
    nodes = {
        "classifier": {"with": {"keep_epochs": [2]}},
        "cams": {
            "from": {"classifier": "classifier@epoch2"},
            "inherited": {"epoch": "2, as published"},
        },
    }
    content = graph(tmp_path, child={"extends": "base", "nodes": nodes}).task("child", "cams", 0).slice()
    assert content["epochs"] == {"classifier": 2}
    assert content["inherited"] == {"epoch": "2, as published"}


def test_a_note_on_the_recipes_own_pair_does_not_follow_a_sweep(tmp_path: Path) -> None:
    nodes = {"regions": {"inherited": {"threshold": "the paper's pair"}}}
    made = graph(tmp_path, child={"extends": "base", "nodes": nodes})
    own = made.task("child", "regions", 0)
    swept = made.task("child", "regions", 0, "bg0.05-fg0.30")
    assert own.inherited == {"threshold": "the paper's pair"}
    assert swept.inherited == {}
    assert swept.regions != own.regions


@pytest.mark.parametrize(
    ("keep", "epoch", "kept"), [((), 2, "none"), ([1, 3], 2, r"\(1, 3\)"), ("all", 4, "all")]
)
def test_an_epoch_that_is_not_kept_is_told_before_anything_runs(
    tmp_path: Path, keep: Any, epoch: int, kept: str
) -> None:
    nodes = {
        "classifier": {"with": {"keep_epochs": keep}},
        "cams": {"from": {"classifier": f"classifier@epoch{epoch}"}},
    }
    made = graph(tmp_path, child={"extends": "base", "nodes": nodes})
    told = rf"asks for epoch {epoch} of (base|child)\.classifier, which trains 3 epochs and keeps {kept}; "
    with pytest.raises(SeedbedError, match=f"recipe child, node cams: input classifier {told}"):
        made.task("child", "cams", 0)


def test_the_slice_of_the_index_holds_no_fact_of_a_machine(tmp_path: Path) -> None:
    toy = {
        "kind": "voc",
        "root": "/some/where",
        "shards": 3,
        "splits": {"train": {}},
        "with": {"labels": "csv"},
    }
    content = graph(tmp_path, {"datasets": {"toy": toy}}).index_slice()
    assert content["parameters"] == {"kind": "voc", "splits": {"train": {}}, "with": {"labels": "csv"}}
    assert "where" not in json.dumps(content)
