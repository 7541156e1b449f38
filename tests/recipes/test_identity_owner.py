"""Identity and owner: a change reaches exactly its descendants, and what is equal is shared.

The graph and the descendants of each node are written down by hand in `recipe_files`.
"""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe_files import BASE, DESCENDANTS, make_workflow
from seedbed import recipes
from seedbed.plan.task import Task
from seedbed.stages.registry import STAGES

NODES = list(BASE["nodes"])
CHANGES: dict[str, list[dict[str, Any]]] = {
    "train_classifier": [{"lr": 0.2}, {"epochs": 4}, {"dropout": 0.5}, {"augmentation": {"crop": 96}}],
    "classify": [{"splits": ["train", "val"]}, {"torch_threads": 2}],
    "dump_cams": [{"flip": False}, {"scales": [1]}, {"splits": ["train", "val"]}, {"torch_threads": 2}],
    "confident_regions": [{"crf": "none"}, {"crf": "psa"}],
    "train_affinitynet": [{"lr": 0.2}, {"radius": 4}],
    "random_walk": [{"beta": 10}, {"log2_steps": 6}],
    "pseudo_masks": [{"background_score": 0.3}, {"crf": "irn"}],
    "train_segmenter": [{"architecture": "unet"}, {"keep_epochs": [1]}],
    "predict": [{"flip": False}, {"splits": ["train"]}],
}
"""By stage, parameters that differ from those of `BASE`."""


def tasks_of(folder: Path, name: str, **more: Any) -> dict[str, Task]:
    return make_workflow(folder, **more).graph().recipe_tasks(name, 0)


def identities(tasks: dict[str, Task]) -> dict[str, str]:
    return {name: task.identity for name, task in tasks.items()}


def changed(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


@st.composite
def one_change(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    node = draw(st.sampled_from(NODES))
    return node, draw(st.sampled_from(CHANGES[BASE["nodes"][node]["stage"]]))


@given(change=one_change())
@settings(max_examples=40, deadline=None)
def test_a_changed_parameter_changes_the_node_and_its_descendants_only(
    tmp_path_factory: pytest.TempPathFactory, change: tuple[str, dict[str, Any]]
) -> None:
    node, parameters = change
    child = {"extends": "base", "nodes": {node: {"with": parameters}}}
    folder = tmp_path_factory.mktemp("r")
    base = tasks_of(folder, "base", child=child)
    other = tasks_of(folder, "child", child=child)
    assert changed(identities(base), identities(other)) == DESCENDANTS[node]
    for name, task in other.items():
        assert task.owner == ("child" if name in DESCENDANTS[node] else "base")
        assert (task.key == base[name].key) == (name not in DESCENDANTS[node])


@given(node=st.sampled_from(NODES))
@settings(max_examples=8, deadline=None)
def test_a_raised_stage_version_changes_the_node_and_its_descendants_only(
    tmp_path_factory: pytest.TempPathFactory, node: str
) -> None:
    """Each stage stands at one node of `BASE`, so that raising it is a change of that node."""
    folder = tmp_path_factory.mktemp("r")
    before = identities(tasks_of(folder, "base"))
    stage = STAGES[BASE["nodes"][node]["stage"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.STAGES, stage.name, replace(stage, version=stage.version + 1))
        after = identities(tasks_of(folder, "base"))
    assert changed(before, after) == DESCENDANTS[node]


@pytest.mark.parametrize(
    ("node", "inputs"),
    [
        ("segmenter", {"labels": "regions"}),
        ("segmenter", {"labels": "masks"}),
        ("masks_", {"cams": "cams"}),
        ("regions", {"cams": "other"}),
        ("cams", {"classifier": "classifier@epoch2"}),
        ("cams", {"classifier": "classifier@rng1"}),
    ],
)
def test_a_changed_input_changes_the_node_and_its_descendants_only(
    tmp_path: Path, node: str, inputs: dict[str, str]
) -> None:
    other = {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {"flip": False}}
    child = {"extends": "base", "nodes": {"other": other, node: {"from": inputs}}}
    kept = {"settings": {"toy": {"train_classifier": {"keep_epochs": [2]}}}}
    made = make_workflow(tmp_path, kept, child=child).graph()
    base, tasks = made.recipe_tasks("base", 0), made.recipe_tasks("child", 0)
    del tasks["other"]
    assert changed(identities(base), identities(tasks)) == DESCENDANTS[node]
    assert {name for name, task in tasks.items() if task.owner == "child"} == DESCENDANTS[node]


def test_an_inherited_use_of_masks_is_part_of_the_identity(tmp_path: Path) -> None:
    number = {"settings": {"toy": {"pseudo_masks": {"background_score": 0.25}}}}
    child = {"extends": "base", "nodes": {"masks_": {"inherited": {"threshold": "0.25, by the paper"}}}}
    graph = make_workflow(tmp_path, number, child=child).graph()
    base, tasks = graph.recipe_tasks("base", 0), graph.recipe_tasks("child", 0)
    assert changed(identities(base), identities(tasks)) == DESCENDANTS["masks_"]


@pytest.mark.parametrize(
    ("change", "everything"),
    [
        ({"kind": "folder", "root": "elsewhere", "splits": {"train": {}, "val": {}}}, False),
        ({"kind": "folder", "root": "nowhere", "splits": {"train": {}, "val": {}}, "shards": 4}, False),
        ({"kind": "folder", "root": "nowhere", "splits": {"train": {"list": "x"}, "val": {}}}, True),
        ({"kind": "voc", "root": "nowhere", "splits": {"train": {}, "val": {}}}, True),
    ],
    ids=["root", "shards", "list", "kind"],
)
def test_the_data_set_counts_less_what_is_of_the_machine(
    tmp_path: Path, change: dict[str, Any], everything: bool
) -> None:
    before = identities(tasks_of(tmp_path, "base"))
    after = identities(make_workflow(tmp_path, {"datasets": {"toy": change}}).graph().recipe_tasks("base", 0))
    assert changed(before, after) == (set(NODES) if everything else set())


def test_another_seed_changes_what_is_random_and_what_follows(tmp_path: Path) -> None:
    graph = make_workflow(tmp_path).graph()
    assert changed(
        identities(graph.recipe_tasks("base", 0)), identities(graph.recipe_tasks("base", 1))
    ) == set(NODES)


def test_equal_settings_written_out_are_shared(tmp_path: Path) -> None:
    """Every parameter of every node with its default value, in the other spelling that YAML offers."""
    base = make_workflow(tmp_path).graph().recipe_tasks("base", 0)
    nodes = {name: {"with": task.parameters.model_dump(mode="json")} for name, task in base.items()}
    nodes["cams"]["with"]["scales"] = [0.5, 1, 1.5, 2]
    tasks = tasks_of(tmp_path, "child", child={"extends": "base", "nodes": nodes})
    assert {name: task.key for name, task in tasks.items()} == {name: task.key for name, task in base.items()}


def test_back_to_the_default_is_shared_again(tmp_path: Path) -> None:
    tasks = tasks_of(
        tmp_path,
        "back",
        away={"extends": "base", "nodes": {"cams": {"with": {"flip": False}}}},
        back={"extends": "away", "nodes": {"cams": {"with": {"flip": True}}}},
    )
    assert {task.owner for task in tasks.values()} == {"base"}


def test_a_removed_parameter_is_back_at_its_default(tmp_path: Path) -> None:
    child = {"extends": "base", "nodes": {"classifier": {"with": {"lr": None, "epochs": None}}}}
    plain = copy.deepcopy(BASE)
    del plain["nodes"]["classifier"]["with"]
    tasks = tasks_of(tmp_path, "child", child=child, plain=plain)
    assert identities(tasks) == identities(tasks_of(tmp_path, "plain", child=child, plain=plain))


def test_the_owner_is_the_first_of_the_chain_that_agrees(tmp_path: Path) -> None:
    tasks = tasks_of(
        tmp_path,
        "c",
        b={"extends": "base", "nodes": {"refined": {"with": {"beta": 10}}}},
        c={"extends": "b", "nodes": {"segmenter": {"with": {"lr": 0.5}}}},
    )
    owners = {name: task.owner for name, task in tasks.items()}
    assert owners == {
        "classifier": "base",
        "classification": "base",
        "cams": "base",
        "regions": "base",
        "affinitynet": "base",
        "refined": "b",
        "masks_": "b",
        "segmenter": "c",
        "predictions": "c",
    }


def test_a_ref_is_owned_where_it_is_defined(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, "lone", lone={"nodes": {"mine": {"ref": "base.cams"}}, "scores": ["mine"]})
    assert tasks["mine"].key == "toy/base/rng0/cams"


def test_brothers_that_make_the_same_change_do_not_share(tmp_path: Path) -> None:
    """Sharing runs along `extends`; brothers that want it refer to each other."""
    brothers = {n: {"extends": "base", "nodes": {"segmenter": {"with": {"lr": 0.5}}}} for n in "xy"}
    x, y = tasks_of(tmp_path, "x", **brothers)["segmenter"], tasks_of(tmp_path, "y", **brothers)["segmenter"]
    assert x.identity == y.identity
    assert x.key != y.key


def test_data_set_settings_lie_beneath_the_recipe(tmp_path: Path) -> None:
    config = {"settings": {"toy": {"train_classifier": {"lr": 0.7, "momentum": 0.5}}}}
    task = make_workflow(tmp_path, config).graph().task("base", "classifier", 0)
    assert task.parameters.slice() == {"lr": 0.1, "epochs": 3, "momentum": 0.5}
