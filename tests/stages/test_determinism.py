"""What the stage contract promises: same bytes whatever the shard count, the cores, and the interruptions.

Every command here is the one that a person would paste, from `Workflow.commands`. What is compared with them was
made by the same commands in this process, which starts torch once.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.artifacts.manifest import read_manifest
from seedbed.artifacts.models import read_epoch
from seedbed.plan.commands import Command, Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from stages_in_process import run_command

REPOSITORY = Path(__file__).resolve().parents[2]
TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "augmentation": {"resize_long": [64, 72], "crop": 64},
    "keep_epochs": [1],
}
RECIPE = {
    "nodes": {
        "classifier": {
            "stage": "train_classifier",
            "with": {"backbone": "test_resnet", "weights": "none", "output_stride": 32, "conv_head": False},
        },
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {"scales": [1.0, 1.5]}},
        "regions": {"stage": "confident_regions", "from": {"cams": "cams"}},
        "masks": {"stage": "pseudo_masks", "from": {"cams": "cams"}},
    },
    "scores": ["cams", "regions"],
}


def workflow(folder: Path, shards: int = 1) -> Workflow:
    """The workflow of a folder with one small recipe on composites, slices written."""
    recipes = folder / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    (recipes / "small.yaml").write_text(
        yaml.safe_dump(json.loads(json.dumps(RECIPE).replace('"masks"', '"pseudo"')))
    )
    raw: dict[str, Any] = {
        "dataset": "composites",
        "recipes": ["small"],
        "datasets": {
            "composites": {
                "kind": "composites",
                "shards": shards,
                "splits": {"train": {}, "val": {}},
                "with": {"images": {"train": 12, "val": 4}, "size": 64},
            }
        },
        "settings": {"composites": {"train_classifier": TRAINING}},
    }
    made = Workflow(parse_config(raw), RecipeBook(recipes), folder / "results")
    made.write_slices()
    return made


def words(command: Command) -> list[str]:
    return [sys.executable, str(REPOSITORY / command.words[1]), *command.words[2:]]


def environment(**changes: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"} | changes


def run(commands: list[Command], **changes: str) -> None:
    for command in commands:
        done = subprocess.run(
            words(command), env=environment(**changes), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command.line()}\n{done.stderr}"


def commands_of(made: Workflow, *nodes: str) -> list[Command]:
    """Commands of the index and of some nodes."""
    wanted = ["index", *nodes]
    return [c for c in made.commands(by_shard=True) if any(part in wanted for part in c.unit.split("/"))]


def file_bytes(folder: Path) -> dict[str, bytes]:
    """Declared files of a folder: no logs, no run facts, no work."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    made = workflow(tmp_path_factory.mktemp("undisturbed"))
    for command in commands_of(made, "classifier", "cams", "regions", "pseudo"):
        run_command(command)
    return made


def copy_of(source: Workflow, folder: Path, shards: int = 1, without: tuple[str, ...] = ()) -> Workflow:
    """A copy of the results, less some nodes, under another number of shards."""
    made = workflow(folder, shards)
    shutil.copytree(source.results / "composites", made.results / "composites", dirs_exist_ok=True)
    for task in made.tasks:
        if task.name in without:
            shutil.rmtree(task.folder, ignore_errors=True)
    return made


@pytest.mark.slow
def test_one_and_four_shards_have_equal_content(undisturbed: Workflow, tmp_path: Path) -> None:
    sharded = copy_of(undisturbed, tmp_path, shards=4, without=("cams", "regions", "pseudo"))
    for command in commands_of(sharded, "cams", "regions", "pseudo")[1:]:
        run_command(command)
    for one, four in zip(undisturbed.tasks, sharded.tasks, strict=True):
        assert read_manifest(one.manifest).content == read_manifest(four.manifest).content
        if one.stage.sharded:
            assert (len(one.shard_names), len(four.shard_names)) == (1, 4)


@pytest.mark.slow
def test_any_number_of_cores_gives_equal_bytes(undisturbed: Workflow, tmp_path: Path) -> None:
    other = workflow(tmp_path)
    run(
        commands_of(other, "classifier", "cams"),
        OMP_NUM_THREADS="2",
        MKL_NUM_THREADS="2",
        NUMBA_NUM_THREADS="2",
    )
    for one, two in zip(undisturbed.tasks[:2], other.tasks[:2], strict=True):
        assert file_bytes(one.folder) == file_bytes(two.folder)


def kill_when(command: Command, happens: Any, timeout_s: float = 120) -> None:
    """Start a command, and SIGKILL it as soon as something happens."""
    process = subprocess.Popen(words(command), env=environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + timeout_s
    while not happens():
        assert process.poll() is None, "the command ended before it could be killed"
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_killed_training_goes_on_to_equal_bytes(undisturbed: Workflow, tmp_path: Path) -> None:
    made = copy_of(undisturbed, tmp_path, without=("classifier",))
    task = made.tasks[0]
    (command,) = [c for c in made.commands() if c.unit == task.key]
    kill_when(command, lambda: list(task.folder.rglob("checkpoint.pt")))
    assert not task.manifest.exists()
    assert not (task.folder / "model.safetensors").exists()
    done = subprocess.run(words(command), env=environment(), capture_output=True, text=True, check=True)
    assert "resuming at epoch 2" in done.stderr
    assert read_epoch(task.folder / "epochs.safetensors", 1)
    assert file_bytes(task.folder) == file_bytes(undisturbed.tasks[0].folder)


@pytest.mark.slow
def test_killed_shard_is_made_again_to_equal_bytes(undisturbed: Workflow, tmp_path: Path) -> None:
    made = copy_of(undisturbed, tmp_path, without=("cams",))
    task = made.tasks[1]
    shard, gather = [c for c in made.commands(by_shard=True) if c.unit.startswith(task.key)]
    log = tmp_path / "shard.log"
    logged = Command(shard.unit, shard.log, (*shard.words, "--log", str(log)), shard.reads, shard.writes)
    kill_when(logged, lambda: log.exists() and "3/12" in log.read_text())
    assert file_bytes(task.folder) == {}
    run([shard, gather])
    assert file_bytes(task.folder) == file_bytes(undisturbed.tasks[1].folder)


@pytest.mark.slow
def test_changed_input_is_refused_by_name(undisturbed: Workflow, tmp_path: Path) -> None:
    made = copy_of(undisturbed, tmp_path, without=("regions",))
    cams = made.tasks[1]
    data = cams.folder / "train-0.safetensors"
    data.write_bytes(data.read_bytes()[:-1] + b"\xff")
    command = next(c for c in made.commands(by_shard=True) if "/regions/train-0" in c.unit)
    done = subprocess.run(words(command), env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "train-0.safetensors" in done.stderr.splitlines()[-1]
    assert "run its stage again" in done.stderr.splitlines()[-1]
