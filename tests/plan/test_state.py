"""States of results, on manifests made by hand: cached, stale and why, partial, missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipe_files import make_workflow
from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import FileEntry, Manifest, read_manifest, sha256_bytes
from seedbed.plan.state import State, folder_size, index_state, task_states
from seedbed.plan.tasks import Task, TaskGraph

NODES: dict[str, dict[str, Any]] = {
    "classifier": {"stage": "train_classifier", "with": {"lr": 0.1}},
    "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {}},
    "masks_": {"stage": "pseudo_masks", "from": {"cams": "cams"}, "with": {}},
}
INDEX_CONTENT = sha256_bytes(b"index")


def chain(folder: Path, **changes: dict[str, Any]) -> tuple[TaskGraph, list[Task]]:
    """A chain of three nodes over a data set of two shards, with changed parameters by node."""
    toy = {"kind": "folder", "shards": 2, "splits": {"train": {}, "val": {}}}
    nodes = {name: node | {"with": {**node["with"], **changes.get(name, {})}} for name, node in NODES.items()}
    workflow = make_workflow(folder, {"datasets": {"toy": toy}}, base={"nodes": nodes, "scores": []})
    return workflow.graph(), workflow.tasks()


def content_of(task: Task) -> str:
    return sha256_bytes(task.key.encode())


def make(
    folder: Path, parameters: dict[str, Any], inputs: dict[str, list[str]], files: list[Path], content: str
) -> None:
    """An artifact with files of ten bytes."""
    for file in files:
        write_bytes(file, b"0123456789")
    manifest = Manifest(
        stage=parameters["stage"],
        stage_version=1,
        dataset="toy",
        parameters=parameters,
        inputs=inputs,
        files={f.name: FileEntry(size=10, sha256=sha256_bytes(b"0123456789")) for f in files},
        images={},
        facts={},
        ledger=[],
        content=content,
    )
    write_bytes(folder / "manifest.json", manifest.to_bytes())


def make_all(graph: TaskGraph, tasks: list[Task]) -> None:
    folder = graph.index_folder
    make(folder, graph.index_slice(), {}, [folder / "index.csv"], INDEX_CONTENT)
    for task in tasks:
        inputs = {"index": [INDEX_CONTENT]}
        inputs |= {name: [content_of(source)] for name, source in task.inputs.items() if source is not None}
        make(task.folder, task.slice(), inputs, task.data_files(), content_of(task))


def short(states: dict[str, State]) -> list[tuple[str, str]]:
    return [(state.status, state.why) for state in states.values()]


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    assert index_state(graph) == State("missing", "", 0)
    assert short(task_states(graph, tasks)) == [("missing", "")] * 3


def test_what_agrees_is_cached(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    assert index_state(graph).status == "cached"
    states = task_states(graph, tasks)
    assert short(states) == [("cached", "")] * 3
    assert states[tasks[1].key].disk == 2 * 10 + tasks[1].manifest.stat().st_size


@pytest.mark.parametrize(
    ("changes", "whys"),
    [
        ({"classifier": {"lr": 0.2}}, ["lr 0.1 -> 0.2", "input classifier is stale", "input cams is stale"]),
        ({"cams": {"flip": False}}, ["", "flip default -> False", "input cams is stale"]),
        (
            {"masks_": {"crf": "irn", "background_score": 0.3}},
            ["", "", "background_score default -> 0.3, crf default -> irn"],
        ),
    ],
)
def test_changed_parameters_are_told(tmp_path: Path, changes: dict[str, Any], whys: list[str]) -> None:
    make_all(*chain(tmp_path))
    graph, tasks = chain(tmp_path, **changes)
    assert short(task_states(graph, tasks)) == [("stale" if why else "cached", why) for why in whys]


def edit(task: Task, **changes: Any) -> None:
    manifest = read_manifest(task.manifest).model_copy(update=changes)
    write_bytes(task.manifest, manifest.to_bytes())


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda t: (t.folder / "train-1.safetensors").unlink(), "train-1.safetensors is missing"),
        (
            lambda t: (t.folder / "train-0.safetensors").write_bytes(b"1"),
            "train-0.safetensors does not agree with the manifest",
        ),
        (lambda t: edit(t, files={}), "train-0.safetensors does not agree with the manifest"),
        (
            lambda t: edit(t, inputs={"index": [INDEX_CONTENT], "classifier": ["0"]}),
            "input classifier changed",
        ),
        (lambda t: edit(t, parameters=t.slice() | {"stage_version": 0}), "stage_version 0 -> 1"),
        (lambda t: edit(t, parameters=t.slice() | {"shards": 1}), "shards 1 -> 2"),
    ],
    ids=["deleted", "truncated", "unnamed", "input", "version", "shards"],
)
def test_what_disagrees_is_stale_with_the_reason(
    tmp_path: Path, damage: Callable[[Task], Any], why: str
) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    damage(tasks[1])
    assert short(task_states(graph, tasks)) == [
        ("cached", ""),
        ("stale", why),
        ("stale", "input cams is stale"),
    ]


def test_an_unreadable_manifest_is_stale(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    tasks[2].manifest.write_text("{")
    status, why = short(task_states(graph, tasks))[2]
    assert status == "stale"
    assert "is no manifest that this version reads" in why


def test_a_missing_input_is_told(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    tasks[1].manifest.unlink()
    for file in tasks[1].data_files():
        file.unlink()
    assert short(task_states(graph, tasks)) == [
        ("cached", ""),
        ("missing", ""),
        ("stale", "input cams is missing"),
    ]


@pytest.mark.parametrize("damage", ["missing", "other"])
def test_without_its_index_everything_is_stale(tmp_path: Path, damage: str) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    path = graph.index_folder / "manifest.json"
    if damage == "missing":
        path.unlink()
    else:
        old = read_manifest(path)
        write_bytes(path, old.model_copy(update={"parameters": old.parameters | {"dataset": "x"}}).to_bytes())
    assert {why for _, why in short(task_states(graph, tasks))} == {
        "the index of the data set will be made again"
    }


def test_another_content_of_the_index_is_told(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    path = graph.index_folder / "manifest.json"
    write_bytes(path, read_manifest(path).model_copy(update={"content": "1"}).to_bytes())
    assert short(task_states(graph, tasks))[0] == ("stale", "input index changed")


def test_finished_shards_are_partial_work(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    for file in tasks[1].shard_files("train-1"):
        write_bytes(file, b"123")
    states = task_states(graph, tasks)
    assert states[tasks[1].key] == State("partial", "1 of 2 shards", 6)


def test_a_shard_without_its_sidecar_is_not_finished(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    write_bytes(tasks[1].shard_files("train-0")[0], b"123")
    assert task_states(graph, tasks)[tasks[1].key].status == "missing"


def test_a_checkpoint_is_partial_work(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    write_bytes(tasks[0].folder / ".work" / "train_classifier" / "training" / "checkpoint.pt", b"1234")
    assert task_states(graph, tasks)[tasks[0].key] == State("partial", "a checkpoint to resume from", 4)


def test_the_size_of_a_folder(tmp_path: Path) -> None:
    assert folder_size(tmp_path / "none") == 0
    write_bytes(tmp_path / "a" / "b" / "c", b"12345")
    write_bytes(tmp_path / "d", b"123")
    assert folder_size(tmp_path) == 8
