"""The committed experiments are planned as their commands say."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(warm_python: Path) -> Run:
    """Runs a script with arguments; returns its status, and what it says."""

    def started(script: str, *arguments: str) -> tuple[int, str]:
        command = [str(warm_python / "python"), str(EXPERIMENTS / script), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return started


def test_methods_train_each_classifier_once_and_nothing_below_cams(tmp_path: Path, run: Run) -> None:
    status, told = run("methods/run.py", str(tmp_path), "-n")
    assert status == 0, told
    # As published 11 recipes, 3 of them with two more seeds; 3 with frozen batch norm. Scoring every epoch adds none.
    assert len(re.findall(r"^Job \d+: train_classifier ", told, flags=re.MULTILINE)) == 11 + 2 * 3 + 3
    assert "train_affinitynet" not in told


def test_some_recipes_alone(tmp_path: Path, run: Run) -> None:
    pixel = ("--experiment", str(EXPERIMENTS / "pixel_methods"))
    seam = ("--recipes", "seam-stride16", "seam-stride16-plain")
    status, told = run("methods/run.py", str(tmp_path), *pixel, *seam, "--rngs", "0", "-n")
    assert status == 0, told
    assert len(re.findall(r"^Job \d+: train_classifier ", told, flags=re.MULTILINE)) == 1
    status, told = run("methods/run.py", str(tmp_path), "--recipes", "ocse", "-n")
    assert status == 2
    assert "unknown recipe 'ocse'; did you mean occse" in told


def test_saliency_down_to_pseudo_masks(tmp_path: Path, run: Run) -> None:
    folders = (str(EXPERIMENTS / "saliency"), str(EXPERIMENTS / "puzzle_family"))
    options = ("--experiment", *folders, "--to", "pseudo_masks")
    status, told = run("methods/run.py", str(tmp_path), *options, "--dataset", "voc-animals-320", "-n")
    assert status == 0, told
    # C²AM once, C²AM-H once per set of CAMs, PoolNet on each of these.
    jobs = Counter(re.findall(r"^Job \d+: (\w+) ", told, flags=re.MULTILINE))
    assert (jobs["train_saliency"], jobs["train_affinitynet"]) == (5 + 5, 12)
    assert jobs["train_segmenter"] == jobs["predict"] == 0
    assert len(re.findall(r"^Job \d+: judge \S+/affinity_labels/", told, flags=re.MULTILINE)) == 12
    status, told = run("methods/run.py", str(tmp_path), *options, "--dataset", "voc-animals-32", "-n")
    assert status == 2
    assert "unknown data set 'voc-animals-32'; did you mean" in told


def test_table_says_what_is_missing(tmp_path: Path, run: Run) -> None:
    tables = ("table", "rounds", "labels", "saliency", "stages", "self_training", "levers")
    for name, folder in product(tables, (tmp_path / "nowhere", tmp_path)):
        status, told = run(f"methods/{name}.py", str(folder))
        assert status == 1
        assert "run.py" in told
        assert "Traceback" not in told


def test_an_empty_table_names_the_data_set(tmp_path: Path, run: Run) -> None:
    shutil.copytree(EXPERIMENTS.parent / "recipes", tmp_path / "recipes")
    (tmp_path / "params.yaml").write_text((EXPERIMENTS.parent / "params.yaml").read_text())
    status, told = run("methods/levers.py", str(tmp_path))
    assert status == 1
    assert "holds nothing of composites" in told


def test_self_training_trains_each_round_on_the_one_before(tmp_path: Path, run: Run) -> None:
    experiment = ("--experiment", str(EXPERIMENTS / "self_training"), "--to", "predictions")
    status, told = run("methods/run.py", str(tmp_path), *experiment, "-n")
    assert status == 0, told
    jobs = Counter(re.findall(r"^Job \d+: (\w+) ", told, flags=re.MULTILINE))
    assert (jobs["train_classifier"], jobs["train_segmenter"], jobs["superpixel_vote"]) == (
        1,
        1 + 3 + 3 + 1 + 1 + 2,
        4,
    )


def test_levers_share_what_they_leave_alone(tmp_path: Path, run: Run) -> None:
    folders = [str(EXPERIMENTS / name) for name in ("levers", "puzzle_family", "saliency", "pixel_methods")]
    options = ("--to", "predictions", "--rngs", "0", "-n")
    status, told = run("methods/run.py", str(tmp_path), "--experiment", *folders, *options)
    assert status == 0, told
    jobs = Counter(re.findall(r"^Job \d+: (\w+) ", told, flags=re.MULTILINE))
    assert (jobs["train_classifier"], jobs["train_affinitynet"], jobs["train_segmenter"]) == (17, 24, 49)
    assert (jobs["train_saliency"], jobs["subcategories"], jobs["label_agreement"]) == (7, 2, 2 * 2)
