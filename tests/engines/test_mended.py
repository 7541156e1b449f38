"""A damaged file of results: planning makes it again, or a stage names the command after which planning does."""

import os
import re
import shlex
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.engines.mtimes import newer_inputs, settle, steps
from seedbed.engines.soundness import Depth, Examiner, State
from seedbed.plan.commands import Command, Workflow
from stages_in_process import run_command

SMALL = {"epochs": 1, "batch_size": 2, "augmentation": {"resize_long": [32, 32], "crop": 32}}
RECIPE: dict[str, Any] = {
    "nodes": {
        "classifier": {
            "stage": "train_classifier",
            "with": {"backbone": "test_resnet", "weights": "none", "conv_head": False, **SMALL},
        },
        "cams": {
            "stage": "dump_cams",
            "from": {"classifier": "classifier"},
            "with": {"scales": [1.0], "splits": ["train"]},
        },
        "pseudo": {"stage": "pseudo_masks", "from": {"cams": "cams"}},
    },
    "scores": ["pseudo"],
}
PARAMS: dict[str, Any] = {
    "dataset": "composites",
    "recipes": ["one"],
    "datasets": {
        "composites": {
            "kind": "composites",
            "splits": {"train": {}, "val": {"masks": False}},
            "with": {"images": {"train": 2, "val": 2}, "size": 32},
        }
    },
}
NODE = "results/composites/one/rng0"
READ_BY = {
    f"{NODE}/classifier/model.safetensors": "cams/train-0",
    f"{NODE}/classifier/manifest.json": "cams/train-0",
    f"{NODE}/cams/train-0.safetensors": "pseudo/train-0",
    f"{NODE}/cams/train-0.json": "cams",
    f"{NODE}/cams/manifest.json": "pseudo/train-0",
    f"{NODE}/pseudo/train-0.zip": "scores/pseudo-train",
    f"{NODE}/pseudo/manifest.json": "scores/pseudo-train",
}
"""Files and the command that reads them, by the end of its unit."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the results of every command but the report's."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("recipes").mkdir()
        Path("recipes/one.yaml").write_text(yaml.safe_dump(RECIPE))
        Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
        Workflow.read().write_slices()
        for command, _ in planned():
            run_command(command)
    return folder


@pytest.fixture
def checkout(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")


def planned(depth: Depth = "size") -> list[tuple[Command, Callable[[], State]]]:
    """Commands in an order that runs, as Snakemake plans them, each with the state of what it wrote."""
    workflow = Workflow.read()
    found = steps(workflow, Examiner(workflow.graph(), depth))
    return [(command, state) for command, state in found if "reports/" not in command.unit]


def states() -> dict[str, str]:
    return {command.unit: state().status for command, state in planned()}


def writer(path: Path) -> Command:
    return next(command for command, _ in planned() if path in command.writes)


def runs_again(command: Command) -> bool:
    """Whether Snakemake runs a command: an output is missing, or an input is younger."""
    return not all(path.exists() for path in command.writes) or bool(newer_inputs(command))


def flip(path: Path, keep_time: bool) -> None:
    """Change one bit in the middle of a file; its size stays."""
    data, stat = bytearray(path.read_bytes()), path.stat()
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def cut(path: Path, keep_time: bool) -> None:
    stat = path.stat()
    path.write_bytes(path.read_bytes()[:-3])
    if keep_time:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_what_was_made_is_left_alone(checkout: None) -> None:
    assert set(states().values()) == {"cached"}
    assert settle(Workflow.read()) == []
    assert not any(runs_again(command) for command, _ in planned())


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        *((partial(flip, keep_time=False), name) for name in READ_BY),
        *((partial(cut, keep_time=True), name) for name in READ_BY if name != f"{NODE}/cams/train-0.json"),
    ],
)
def test_planning_sees_it_and_makes_it_again(
    checkout: None, damage: Callable[[Path], None], name: str
) -> None:
    """Of what the manifest says nothing, a shard's sidecar, the time alone tells."""
    path = Path(name)
    sound = path.read_bytes()
    damage(path)
    command = writer(path)
    assert states()[command.unit] == "stale"
    settle(Workflow.read())
    assert runs_again(command)
    run_command(command)
    assert path.read_bytes() == sound
    assert set(states().values()) == {"cached"}


@pytest.mark.parametrize("name", [name for name in READ_BY if not name.endswith(".json")])
def test_what_a_stage_finds_first_is_mended_by_the_command_that_it_names(
    checkout: None, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bit that changed on the disk: size and time are as they were, so planning does not look into the file."""
    path = Path(name)
    sound = path.read_bytes()
    flip(path, keep_time=True)
    command = writer(path)
    assert states()[command.unit] == "cached"
    reader = next(command for command, _ in planned() if command.unit.endswith(READ_BY[name]))
    with pytest.raises(AssertionError):
        run_command(reader)
    told = capsys.readouterr().err
    (remove,) = re.findall(r"run its stage again: `(.*)`, then the same run", told)
    words = shlex.split(remove)
    assert words == ["rm", name]
    Path(words[1]).unlink()
    settle(Workflow.read())
    assert runs_again(command)
    run_command(command)
    assert path.read_bytes() == sound
    run_command(reader)
    assert set(states().values()) == {"cached"}
