"""Snakemake's command line: values over params.yaml as with `seedbed`, other folders, and other runs in this one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from recipe_files import CONFIG, write_recipes
from seedbed.engines.tree_lock import hold_tree
from seedbed.plan.commands import Workflow
from seedbed.plan.overrides import Overrides
from workflow.engine_checkout import REPOSITORY

UNET = {"extends": "base", "nodes": {"segmenter": {"with": {"architecture": "unet"}}}}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    for part in ("Snakefile", "rules", "report", "envs"):
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    write_recipes(folder / "recipes", unet=UNET)
    (folder / "params.yaml").write_text(yaml.safe_dump(CONFIG))
    monkeypatch.chdir(folder)
    return folder


def snakemake(*words: str) -> tuple[int, list[str]]:
    """Exit status, and lines of both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *words],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


def slices(folder: Path) -> dict[str, str]:
    root = folder / "results" / ".params"
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*.json"))}


def test_set_and_configfile_mean_what_config_and_configfile_mean(checkout: Path) -> None:
    """Also numbers inside mappings, which Snakemake itself reads as text."""
    more = {"rngs": [1, 2], "settings": {"toy": {"train_classifier": {"batch_size": 9}}}}
    (checkout / "more.yaml").write_text(yaml.safe_dump(more))
    nested = "datasets={toy: {with: {mask_indices: {cat: 7}}}}"
    status, _ = snakemake(
        *("-n", "--quiet", "all", "--configfile", "more.yaml"),
        *("--config", "recipes=[unet]", "rngs=0", nested),
    )
    assert status == 0
    found = slices(checkout)
    shutil.rmtree(checkout / "results")
    given = Overrides(
        (Path("more.yaml"),), ("recipes=[unet]", "rngs=0", "datasets.toy.with.mask_indices.cat=7")
    )
    Workflow.read(overrides=given).write_slices()
    assert slices(checkout) == found
    assert '"batch_size": 9' in found["toy/base/rng0/classifier.json"]
    assert '"cat": 7' in found["toy/index.json"]
    assert "toy/unet/rng0/bg0.10-fg0.40/segmenter.json" in found
    assert not any("rng1" in path for path in found)


def test_another_working_directory_stops_at_once(checkout: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy("params.yaml", elsewhere)
    status, lines = snakemake("-n", "--quiet", "all", "-d", str(elsewhere))
    assert status == 1
    (told,) = (line for line in lines if line.startswith("expected to run in the checkout "))
    assert f"{checkout}, not in {elsewhere} (`-d`, or another folder)" in told
    assert not (elsewhere / "results").exists()


@pytest.fixture
def held(checkout: Path) -> None:
    """Another run holds the tree, whose slices are written, until the test ends."""
    workflow = Workflow.read()
    workflow.write_slices()
    with hold_tree(workflow):
        yield


@pytest.mark.usefixtures("held")
def test_a_second_run_says_one_line_even_if_it_is_to_be_quiet() -> None:
    status, lines = snakemake("--quiet", "all")
    assert status == 1
    (told,) = (line for line in lines if "profile" not in line)
    assert told.startswith("results (run) is being written by another run (pid ")


@pytest.mark.usefixtures("held")
def test_what_is_selected_during_a_run_is_refused_by_name() -> None:
    status, lines = snakemake("-n", "--quiet", "all", "--config", "recipes=[unet]")
    assert status == 1
    (told,) = (line for line in lines if line.startswith("another run writes to results"))
    assert "segmenter.json and" in told
    assert not any("MissingInput" in line for line in lines)
