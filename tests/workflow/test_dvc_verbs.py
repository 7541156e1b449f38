"""What DVC users do: experiments, metrics, plots, trees without git; only scores are made again, on a finished tree."""

import shutil
import time
from pathlib import Path

import pytest

from workflow.engine_checkout import TINY, Checkout, two_shards

pytestmark = pytest.mark.slow

CURVE = "settings.composites.evaluate.curve_step"
PARAMS = {
    **two_shards(TINY),
    "recipes": ["cut"],
    "settings": {"composites": {**TINY["settings"]["composites"], "evaluate": {"curve_step": 0.02}}},
}
SCORES_ON = sorted(
    [
        "evaluate psa/rng0/scores/classifier-val.json",
        "evaluate psa/rng0/scores/cams-train.json",
        "evaluate psa/rng0/bg0.10-fg0.40/scores/confident_regions-train.json",
        "report reports/all",
    ]
)


@pytest.fixture(scope="module")
def tree(by_shell, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of a finished tree, known to DVC and committed with its dvc.lock."""
    checkout = Checkout(tmp_path_factory.mktemp("verbs") / "tree")
    shutil.copytree(by_shell.checkout.folder, checkout.folder, symlinks=True)
    checkout.seedbed("sync-dvc")
    checkout.write_params(PARAMS)
    checkout.seedbed("dvc")
    assert sorted(checkout.repro()) == SCORES_ON
    checkout.commit("Scored at steps of 0.02")
    return checkout


def test_exp_run_sets_a_parameter_and_runs_what_depends_on_it(tree: Checkout) -> None:
    tree.run("dvc", "exp", "run", "--quiet", "-n", "coarse", "-S", f"{CURVE}=0.1")
    assert sorted(tree.calls()) == SCORES_ON
    assert tree.snakemake() == []
    shown = tree.run("dvc", "metrics", "diff", "--all")
    assert "cams-train.json" in shown
    assert "scores.mean_iou" in shown
    changed = [
        line.split() for line in tree.run("dvc", "metrics", "diff").splitlines() if "curve_step" in line
    ]
    assert [line[2:4] for line in changed] == [["0.02", "0.1"]] * 3
    assert "curve_step" in tree.run("dvc", "exp", "diff", "HEAD", "coarse")
    tree.run("git", "checkout", "-q", ".")
    assert tree.repro() == []


def test_another_set_of_stages_stops_an_experiment_with_one_line(tree: Checkout) -> None:
    told = tree.run("dvc", "exp", "run", "-S", "rngs=[0,1]", status=255)
    assert "resolve: error: dvc.yaml does not match params.yaml and recipes/ (lacks " in told
    assert "run `seedbed dvc`" in told
    assert tree.calls() == []
    tree.run("git", "checkout", "-q", ".")


def test_experiments_are_queued_and_run_in_copies(tree: Checkout) -> None:
    tree.run("dvc", "exp", "run", "--queue", "-n", "queued", "-S", f"{CURVE}=0.05")
    tree.run("dvc", "queue", "start", "-j", "1")
    try:
        deadline = time.monotonic() + 120
        while "Success" not in (told := tree.run("dvc", "queue", "status")):
            assert "Failed" not in told, tree.run("dvc", "queue", "logs", "queued", status=None)
            assert time.monotonic() < deadline, told
            time.sleep(1)
    finally:
        tree.run("dvc", "queue", "stop", "--kill", status=None)
    assert sorted(tree.calls()) == SCORES_ON
    shown = tree.run("dvc", "metrics", "diff", "HEAD", "queued")
    assert shown.count("curve_step") == 3
    assert "M params.yaml" not in tree.run("git", "status", "--short")


def test_metrics_and_plots_are_shown(tree: Checkout) -> None:
    shown = tree.run("dvc", "metrics", "show", "--md")
    assert "scores.mean_iou" in shown
    assert shown.count(".json") == 3
    told = tree.run("dvc", "plots", "show", "-o", "plots")
    assert "WARNING" not in told
    page = (tree.folder / "plots" / "index.html").read_text()
    assert "classifier/loss" in page
    assert "WARNING" not in tree.run("dvc", "plots", "diff", "-o", "plots", "HEAD")


def test_dvc_works_in_a_tree_without_git(tmp_path: Path) -> None:
    checkout = Checkout.make(tmp_path / "tree", PARAMS, git=False)
    assert checkout.repro("composites--index") == ["prepare_dataset index"]
    assert checkout.repro("composites--index") == []
    assert "composites--index" not in checkout.run("dvc", "status", "composites--index")
    assert checkout.snakemake("results/composites/index/manifest.json") == []


def test_dvc_init_without_git_keeps_working(tmp_path: Path) -> None:
    checkout = Checkout.make(tmp_path / "tree", PARAMS, git=False)
    checkout.run("dvc", "init", "--quiet", "--no-scm", "--force")
    assert checkout.repro("composites--index") == ["prepare_dataset index"]
