"""Certificates, file times and company, on an index that the stage command itself made."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.engines.mtimes import benchmark, newer_inputs, settle
from seedbed.engines.soundness import Examiner, Verdict
from seedbed.engines.tree_lock import DVC_LOCK, has_company, hold_tree, refuse_company
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow, prepare_command, task_commands
from seedbed.runtime.options import main

INDEX = Path("results/composites/index")
PARAMS: dict[str, Any] = {
    "dataset": "composites",
    "recipes": ["one"],
    "datasets": {
        "composites": {
            "kind": "composites",
            "splits": {"train": {}, "val": {}},
            "with": {"images": {"train": 2, "val": 2}, "size": 32},
        }
    },
}
RECIPE = {
    "nodes": {
        "classifier": {"stage": "train_classifier"},
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}},
    },
    "scores": ["cams"],
}


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    """A checkout whose data set is indexed and nothing else."""
    monkeypatch.chdir(tmp_path)
    Path("recipes").mkdir()
    Path("recipes/one.yaml").write_text(yaml.safe_dump(RECIPE))
    found = configured()
    found.write_slices()
    assert main("prepare_dataset", prepare_command(found.graph()).words[2:]) == 0
    return found


def configured(**changes: Any) -> Workflow:
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | changes))
    return Workflow.read()


def verdicts(workflow: Workflow) -> dict[str, Verdict]:
    return {verdict.command.unit: verdict for verdict in Examiner(workflow).verdicts()}


def older(path: Path, seconds: float) -> None:
    """Make a file older."""
    time = path.stat().st_mtime - seconds
    os.utime(path, (time, time))


def test_what_is_there_is_sound_and_the_rest_is_missing(workflow: Workflow) -> None:
    found = verdicts(workflow)
    assert list(found) == [command.unit for command in workflow.commands()]
    assert [unit for unit, verdict in found.items() if verdict.sound] == ["composites/index"]
    assert all(verdict.missing for unit, verdict in found.items() if unit != "composites/index")


def test_another_slice_is_named(workflow: Workflow) -> None:
    datasets = {"composites": PARAMS["datasets"]["composites"] | {"with": {"size": 48}}}
    verdict = verdicts(configured(datasets=datasets))["composites/index"]
    assert not verdict.sound
    assert not verdict.missing
    assert "with" in verdict.why


def test_changed_bytes_of_equal_size_are_found(workflow: Workflow) -> None:
    path = INDEX / "index.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert "index.csv has SHA-256" in verdicts(workflow)["composites/index"].why


def test_a_lacking_file_is_named(workflow: Workflow) -> None:
    (INDEX / "masks.csv").unlink()
    verdict = verdicts(workflow)["composites/index"]
    assert (verdict.why, verdict.missing) == ("masks.csv is missing", False)


def test_an_unsound_input_makes_what_was_made_from_it_unsound(workflow: Workflow) -> None:
    path = INDEX / "index.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    task = workflow.tasks()[0]
    command = task_commands(workflow.graph(), task)[0]
    for file in command.writes:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    assert verdicts(workflow)[task.key].why == "input composites/index is not up to date"


def test_a_slice_written_anew_does_not_outdate_what_was_made_with_an_equal_one(workflow: Workflow) -> None:
    command = prepare_command(workflow.graph())
    for path in command.writes:
        older(path, 100)
    assert newer_inputs(command) == [command.reads[0]]
    assert settle(workflow) == ["composites/index"]
    assert newer_inputs(command) == []
    assert settle(workflow) == []


def test_another_slice_outdates_what_was_made_before(workflow: Workflow) -> None:
    datasets = {"composites": PARAMS["datasets"]["composites"] | {"with": {"size": 48}}}
    changed = configured(datasets=datasets)
    changed.write_slices()
    for path in prepare_command(changed.graph()).writes:
        older(path, 100)
    assert settle(changed) == []


def test_changed_bytes_do_not_get_a_new_time(workflow: Workflow) -> None:
    command = prepare_command(workflow.graph())
    path = INDEX / "index.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    for written in command.writes:
        older(written, 100)
    assert settle(workflow) == []


def test_an_old_benchmark_counts_as_an_output(workflow: Workflow) -> None:
    """Snakemake's `output_mintime` takes the benchmark's time in."""
    command = prepare_command(workflow.graph())
    path = benchmark(command)
    path.parent.mkdir(parents=True)
    path.write_text("")
    older(path, 100)
    assert settle(workflow) == ["composites/index"]
    assert newer_inputs(command) == []


def test_benchmarks_lie_where_the_rules_put_them(workflow: Workflow) -> None:
    told = [str(benchmark(command)) for command in workflow.commands()]
    assert told == [
        "logs/composites/index.tsv",
        "logs/composites/one/rng0/classifier.tsv",
        "logs/composites/one/rng0/cams-train-0.tsv",
        "logs/composites/one/rng0/cams-gather.tsv",
        "logs/composites/one/rng0/scores/cams-train.tsv",
        "logs/composites/reports/all.tsv",
    ]


def test_a_claimed_tree_is_refused_to_others_until_it_is_let_go(workflow: Workflow) -> None:
    with hold_tree(workflow):
        assert has_company(workflow)
        with pytest.raises(
            SeedbedError, match=rf"results \(run\) is being written by another run \(pid {os.getpid()}\)"
        ):
            refuse_company(workflow)
    assert not has_company(workflow)


@pytest.mark.parametrize(("pid", "there"), [(os.getpid(), True), (2**22 + 1, False)])
def test_dvc_is_company_while_its_process_lives(workflow: Workflow, pid: int, there: bool) -> None:
    """DVC's rwlock as its source writes it: writers by path, readers by path."""
    DVC_LOCK.parent.mkdir(parents=True)
    out, dep = "results/a", "results/b"
    info = {"pid": pid, "cmd": "dvc repro"}
    DVC_LOCK.write_text(json.dumps({"write": {out: info}, "read": {dep: [info]}}))
    assert has_company(workflow) is there
    if there:
        with pytest.raises(SeedbedError, match=rf"is being written by DVC \(pid {pid}\); wait for it"):
            hold_tree(workflow)
