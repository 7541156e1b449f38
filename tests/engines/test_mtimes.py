"""File times put in the order of the work, on an index and a chain that the stage commands themselves made."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.engines.mtimes import benchmark, newer_inputs, settle
from seedbed.engines.soundness import CACHED, MISSING, Examiner, State
from seedbed.plan.commands import Workflow, masks_command, prepare_command
from stages_in_process import run_command

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
    for command in (prepare_command(found.graph()), masks_command(found.graph())):
        run_command(command)
    return found


def configured(**changes: Any) -> Workflow:
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | changes))
    return Workflow.read()


def states(workflow: Workflow) -> dict[str, State]:
    return Examiner(workflow.graph(), "hash").states(workflow.reports.values())


def older(path: Path, seconds: float) -> None:
    """Make a file older."""
    changed = path.stat().st_mtime - seconds
    os.utime(path, (changed, changed))


def test_what_is_there_is_sound_and_the_rest_is_missing(workflow: Workflow) -> None:
    found = states(workflow)
    assert found.pop("composites/index") == CACHED
    assert found.pop("composites/masks") == CACHED
    assert set(found.values()) == {MISSING}
    assert len(found) == 5


def test_another_slice_is_named(workflow: Workflow) -> None:
    datasets = {"composites": PARAMS["datasets"]["composites"] | {"with": {"size": 48}}}
    state = states(configured(datasets=datasets))["composites/index"]
    assert state.status == "stale"
    assert "with" in state.why


def test_changed_bytes_of_equal_size_are_found(workflow: Workflow) -> None:
    path = INDEX / "index.csv"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert "index.csv has SHA-256" in states(workflow)["composites/index"].why


def test_a_slice_written_anew_does_not_outdate_what_was_made_with_an_equal_one(workflow: Workflow) -> None:
    command = prepare_command(workflow.graph())
    for path in command.writes:
        older(path, 100)
    assert newer_inputs(command) == list(command.reads)
    assert settle(workflow) == ["composites/index", "composites/masks"]
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
    assert settle(workflow) == ["composites/index", "composites/masks"]
    assert newer_inputs(command) == []


HOUR = 3600.0
OTHER = {
    "composites": PARAMS["datasets"]["composites"] | {"with": {"images": {"train": 2, "val": 2}, "size": 48}}
}


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["yet to come", "past by now"])
def test_what_is_stale_is_older_than_its_slice_whatever_the_clock_said(
    workflow: Workflow, ahead: float
) -> None:
    """Written by a clock that was ahead of the one that dated the slice."""
    changed = configured(datasets=OTHER)
    changed.write_slices()
    command = prepare_command(changed.graph())
    for path in command.writes:
        older(path, -ahead)
    for path in command.reads:
        older(path, 2 * HOUR)
    assert newer_inputs(command) == []
    assert settle(changed)[0] == "composites/index"
    assert newer_inputs(command) == list(command.reads)
    assert settle(changed) == []


def test_sound_files_of_times_to_come_get_the_present_time_and_stay_sound(workflow: Workflow) -> None:
    command = prepare_command(workflow.graph())
    for path in (*command.reads, *command.writes):
        older(path, -HOUR)
    older(command.reads[0], -HOUR)
    settle(workflow)
    assert newer_inputs(command) == []
    assert max(path.stat().st_mtime for path in (*command.reads, *command.writes)) <= time.time()
    assert settle(workflow) == []


def test_what_is_stale_stays_as_it_is_where_an_input_is_missing(workflow: Workflow) -> None:
    """Snakemake makes the input first; a target that does not need it is left alone."""
    changed = configured(datasets=OTHER)
    prepare_command(changed.graph()).reads[0].unlink()
    masks_command(changed.graph()).reads[0].unlink()
    assert settle(changed) == []


def test_benchmarks_lie_where_the_rules_put_them(workflow: Workflow) -> None:
    told = [str(benchmark(command)) for command in workflow.commands(by_shard=True)]
    assert told == [
        "logs/composites/index.tsv",
        "logs/composites/masks.tsv",
        "logs/composites/one/rng0/classifier.tsv",
        "logs/composites/one/rng0/cams-train-0.tsv",
        "logs/composites/one/rng0/cams-gather.tsv",
        "logs/composites/one/rng0/scores/cams-train.tsv",
        "logs/composites/one/rng0/choices/cams-train.tsv",
        "logs/composites/reports/all.tsv",
    ]
