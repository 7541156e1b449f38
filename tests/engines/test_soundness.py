"""The examiner on manifests made by hand: cached, stale and why, partial, missing; by size and by SHA-256."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recipe_files import make_workflow
from result_files import change, judgement_bytes, masks_bytes
from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import (
    FileEntry,
    Manifest,
    Record,
    content_digest,
    json_with_digest,
    merge_shards,
    read_manifest,
    sha256_bytes,
)
from seedbed.engines.restored import masks_key
from seedbed.engines.soundness import CACHED, MISSING, Depth, Examiner, State, finished_shards
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task
from seedbed.plan.tasks import TaskGraph
from seedbed.stages.dump_cams import STAGE as DUMP_CAMS

NODES: dict[str, dict[str, Any]] = {
    "classifier": {"stage": "train_classifier", "with": {"lr": 0.1}},
    "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {}},
    "masks_": {"stage": "pseudo_masks", "from": {"cams": "cams"}, "with": {}},
}
INDEX_CONTENT = sha256_bytes(b"index")


def masks_of(graph: TaskGraph) -> bytes:
    return masks_bytes("a,train," + "0" * 64, made_with=masks_key(graph, INDEX_CONTENT))


def workflow_of(folder: Path, **changes: dict[str, Any]) -> Workflow:
    """A chain of three nodes over a data set of two shards, with changed parameters by node."""
    toy = {"kind": "folder", "shards": 2, "splits": {"train": {}, "val": {}}}
    nodes = {name: node | {"with": {**node["with"], **changes.get(name, {})}} for name, node in NODES.items()}
    return make_workflow(folder, {"datasets": {"toy": toy}}, base={"nodes": nodes, "scores": ["cams"]})


def chain(folder: Path, **changes: dict[str, Any]) -> tuple[TaskGraph, list[Task]]:
    workflow = workflow_of(folder, **changes)
    return workflow.graph(), workflow.tasks


def content_of(task: Task) -> str:
    """The content digest that `make_all` gives a node."""
    if task.stage.sharded:
        return content_digest(record(task, shard) for shard in task.shard_names)
    return sha256_bytes(task.key.encode())


DATA = b"0123456789"


def make(
    path: Path, parameters: dict[str, Any], inputs: dict[str, list[str]], files: list[Path], **more: Any
) -> Manifest:
    """A manifest, or a sidecar, with files of ten bytes."""
    for file in files:
        write_bytes(file, DATA)
    manifest = Manifest(
        stage=parameters["stage"],
        stage_version=1,
        dataset="toy",
        parameters=parameters,
        inputs=inputs,
        files={f.name: FileEntry(size=10, sha256=sha256_bytes(DATA)) for f in files},
        images={},
        ledger=[],
        **({"facts": {}} | more),
    )
    write_bytes(path, manifest.to_bytes())
    return manifest


def make_all(graph: TaskGraph, tasks: list[Task]) -> None:
    """The index and every node, sharded ones with their sidecars."""
    folder = graph.index_folder
    make(folder / "manifest.json", graph.index_slice(), {}, [folder / "index.csv"], content=INDEX_CONTENT)
    write_bytes(folder / "masks.csv", masks_of(graph))
    for task in tasks:
        inputs = {"index": [INDEX_CONTENT]}
        inputs |= {name: [content_of(source)] for name, source in task.sources.items()}
        if not task.stage.sharded:
            make(task.manifest, task.slice(), inputs, task.data_files(), content=content_of(task))
            continue
        sidecars = {}
        for shard in task.shard_names:
            data, sidecar = task.shard_files(shard)
            records = [record(task, shard)]
            sidecars[sidecar.name] = make(
                sidecar, task.slice(), inputs, [data], records=records, content=content_digest(records)
            )
        write_bytes(task.manifest, merge_shards(sidecars).to_bytes())


def record(task: Task, shard: str) -> Record:
    return Record(split="train", image_id=shard, name="", sha256=sha256_bytes(task.key.encode()))


def states(graph: TaskGraph, tasks: list[Task], depth: Depth = "size") -> list[State]:
    examiner = Examiner(graph, depth)
    return [examiner.task(task) for task in tasks]


def short(graph: TaskGraph, tasks: list[Task], depth: Depth = "size") -> list[tuple[str, str]]:
    return [(state.status, state.why) for state in states(graph, tasks, depth)]


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    assert Examiner(graph).index() == MISSING
    assert states(graph, tasks) == [MISSING] * 3


@pytest.mark.parametrize("depth", ["size", "hash"])
def test_what_agrees_is_cached(tmp_path: Path, depth: Depth) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    assert Examiner(graph, depth).index() == CACHED
    assert states(graph, tasks, depth) == [CACHED] * 3


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
    assert short(graph, tasks) == [("stale" if why else "cached", why) for why in whys]


def edit(task: Task, **changes: Any) -> None:
    manifest = read_manifest(task.manifest).model_copy(update=changes)
    write_bytes(task.manifest, manifest.to_bytes())


def test_maps_that_become_other_scores_are_a_changed_input(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    edit(tasks[1], facts={"normalisation": "min_max"})
    assert short(graph, tasks)[2] == ("stale", "input cams changed")


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
        (
            lambda t: edit(t, parameters=t.slice() | {"stage_version": 0}),
            f"stage_version 0 -> {DUMP_CAMS.version}",
        ),
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
    assert short(graph, tasks) == [
        ("cached", ""),
        ("stale", why),
        ("stale", "input cams is stale"),
    ]


def test_an_unreadable_manifest_is_stale(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    tasks[2].manifest.write_text("{")
    status, why = short(graph, tasks)[2]
    assert status == "stale"
    assert "is not a manifest that this version reads" in why


def test_a_missing_input_is_told(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    tasks[1].manifest.unlink()
    for file in tasks[1].data_files():
        file.unlink()
    assert short(graph, tasks) == [
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
    assert {why for _, why in short(graph, tasks)} == {"the index of the data set will be made again"}


def test_another_content_of_the_index_is_told(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    path = graph.index_folder / "manifest.json"
    write_bytes(path, read_manifest(path).model_copy(update={"content": "1"}).to_bytes())
    assert short(graph, tasks)[0] == ("stale", "input index changed")


def test_finished_shards_are_partial_work(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    for file in tasks[1].shard_files("train-1"):
        write_bytes(file, b"123")
    assert states(graph, tasks)[1] == State("partial", "1 of 2 shards")


def test_a_shard_without_its_sidecar_is_not_finished(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    write_bytes(tasks[1].shard_files("train-0")[0], b"123")
    assert states(graph, tasks)[1] == MISSING


def test_shards_of_an_interrupted_run_of_all_shards_are_partial_work(tmp_path: Path) -> None:
    """Until all are there it keeps them aside."""
    graph, tasks = chain(tmp_path)
    write_bytes(tasks[1].folder / ".work" / "whole" / "train-0.json", b"{}")
    assert states(graph, tasks)[1] == State("partial", "1 of 2 shards")
    assert finished_shards(tasks[1]) == 1


def test_a_checkpoint_is_partial_work(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    write_bytes(tasks[0].folder / ".work" / "train_classifier" / "training" / "checkpoint.pt", b"1234")
    assert states(graph, tasks)[0] == State("partial", "a checkpoint to resume from")


@pytest.mark.parametrize("name", ["train-0.json", "train-1.json"])
def test_a_shard_whose_sidecar_is_gone_makes_its_node_stale(tmp_path: Path, name: str) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    (tasks[1].folder / name).unlink()
    assert states(graph, tasks)[1] == State("stale", f"{name} is missing")


def test_a_missing_file_of_the_masks_concerns_neither_index_nor_nodes(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    (graph.index_folder / "masks.csv").unlink()
    assert Examiner(graph).masks() == MISSING
    assert Examiner(graph).index() == CACHED
    assert states(graph, tasks) == [CACHED] * 3


def test_a_changed_file_of_the_masks_is_stale(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    assert Examiner(graph).masks() == CACHED
    write_bytes(graph.index_folder / "masks.csv", masks_of(graph).replace(b"train,0", b"train,1"))
    state = Examiner(graph).masks()
    assert state.status == "stale"
    assert "masks.csv was changed" in state.why
    assert states(graph, tasks) == [CACHED] * 3


def test_masks_of_another_index_are_stale(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    path = graph.index_folder / "masks.csv"
    write_bytes(path, masks_bytes(made_with=masks_key(graph, sha256_bytes(b"other"))))
    assert Examiner(graph).masks(alone=True) == State("stale", "it is of another index or declaration")


@pytest.mark.parametrize("depth", ["size", "hash"])
def test_changed_bytes_of_equal_size_are_found_by_hash_or_if_the_file_is_younger_than_its_manifest(
    tmp_path: Path, depth: Depth
) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    changed, manifest = tasks[1].folder / "train-1.safetensors", tasks[1].manifest
    changed.write_bytes(DATA[:-1] + b"!")
    os.utime(changed, ns=(manifest.stat().st_mtime_ns,) * 2)
    assert (states(graph, tasks, depth) == [CACHED] * 3) == (depth == "size")
    os.utime(changed, ns=(manifest.stat().st_mtime_ns + 1,) * 2)
    first, second, third = states(graph, tasks, depth)
    assert first == CACHED
    assert second.status == "stale"
    assert "train-1.safetensors has SHA-256" in second.why
    assert third == State("stale", "input cams is stale")


def test_a_manifest_that_its_shards_do_not_give_is_found_by_hash_alone(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    edit(tasks[2], facts={"x": 1})
    assert states(graph, tasks) == [CACHED] * 3
    assert states(graph, tasks, "hash")[2] == State("stale", "manifest.json does not agree with the shards")


def test_alone_a_node_is_compared_with_the_inputs_that_lie_there(tmp_path: Path) -> None:
    make_all(*chain(tmp_path))
    graph, tasks = chain(tmp_path, classifier={"lr": 0.2})
    assert Examiner(graph).task(tasks[1]) == State("stale", "input classifier is stale")
    assert Examiner(graph).task(tasks[1], alone=True) == CACHED
    assert Examiner(graph).shard(tasks[1], "train-0") == CACHED
    changed, others = chain(tmp_path, cams={"flip": False})
    assert Examiner(changed).shard(others[1], "train-0").status == "stale"


def judged(folder: Path) -> tuple[Workflow, Path]:
    """Everything made, with the CAMs' scores, the choices on them, and the report; the path is that of the scores."""
    workflow = workflow_of(folder)
    make_all(workflow.graph(), workflow.tasks)
    judgement, choices = workflow.judgements.values()
    masks = [sha256_bytes(masks_of(workflow.graph()))]
    inputs = {"index": [INDEX_CONTENT], "target": [content_of(workflow.tasks[1])]}
    for one, more in ((judgement, {"masks": masks}), (choices, {})):
        told = {"parameters": one.slice(), "inputs": inputs | more}
        write_bytes(one.path, judgement_bytes("cams", "train", "cam", {"mean_iou": 0.5}, **told))
    report = workflow.reports["all"]
    sources = {task.key: content_of(task) for task in workflow.tasks}
    for one in (judgement, choices):
        sources[f"toy/base/rng0/{one.judge}/cams-train.json"] = sha256_bytes(one.path.read_bytes())
    make(
        report.folder / "manifest.json",
        report.slice(),
        {"index": [INDEX_CONTENT], "masks": masks},
        report.outputs()[1:],
        facts={"sources": sources},
        content="0",
    )
    return workflow, judgement.path


def of_scores_and_page(workflow: Workflow) -> list[State]:
    found = Examiner(workflow.graph()).states(workflow.reports.values())
    assert list(found) == [command.unit for command in workflow.commands()]
    scores, _, page = list(found.values())[-3:]
    return [scores, page]


def test_scores_and_reports_that_agree_are_cached(tmp_path: Path) -> None:
    assert of_scores_and_page(judged(tmp_path)[0]) == [CACHED, CACHED]


def test_scores_say_what_they_were_made_from(tmp_path: Path) -> None:
    workflow, path = judged(tmp_path)
    content = json.loads(path.read_text())
    damages = {
        "input masks changed": content | {"inputs": content["inputs"] | {"masks": ["0"]}},
        "curve_step 0.5 -> default": content
        | {"parameters": content["parameters"] | {"parameters": {"curve_step": 0.5}}},
    }
    for why, changed in damages.items():
        write_bytes(path, json_with_digest(changed))
        state, page = of_scores_and_page(workflow)
        assert state == State("stale", why)
        assert page == State("stale", "input scores/cams-train is stale")
    write_bytes(path, json_with_digest(content))
    edit(workflow.tasks[0], parameters={})
    assert of_scores_and_page(workflow)[0] == State("stale", "input cams is stale")
    path.unlink()
    assert of_scores_and_page(workflow)[0] == MISSING


def test_a_report_of_other_scores_is_stale(tmp_path: Path) -> None:
    workflow, path = judged(tmp_path)
    change(path, scores={"mean_iou": 1.0})
    assert of_scores_and_page(workflow) == [CACHED, State("stale", "what the page shows has changed since")]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            b'"mean_iou": 0.5',
            b'"mean_iou": 0.9',
            "cams-train.json was changed: its own digest does not match",
        ),
        (b'"node": "cams"', b'"node": "masks_"', "cams-train.json was changed"),
        (b'"digest"', b'"other"', "cams-train.json was made by an older version"),
    ],
)
def test_changed_scores_are_stale(tmp_path: Path, old: bytes, new: bytes, why: str) -> None:
    workflow, path = judged(tmp_path)
    assert old in path.read_bytes()
    write_bytes(path, path.read_bytes().replace(old, new))
    state, page = of_scores_and_page(workflow)
    assert state.status == "stale"
    assert why in state.why
    assert page == State("stale", "input scores/cams-train is stale")


def test_a_changed_fact_of_a_manifest_is_stale(tmp_path: Path) -> None:
    graph, tasks = chain(tmp_path)
    make_all(graph, tasks)
    edit(tasks[0], facts={"meaning": "classifier"})
    path = tasks[0].manifest
    write_bytes(path, path.read_bytes().replace(b'"classifier"', b'"segmenterx"'))
    assert "manifest.json was changed: its own digest does not match" in states(graph, tasks)[0].why
