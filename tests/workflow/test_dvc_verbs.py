"""What DVC users do: experiments, metrics, plots, trees without git; only scores are made again, on a finished tree."""

import shutil
import time
from pathlib import Path

import pytest

from workflow.engine_checkout import TINY, Checkout, two_shards

pytestmark = pytest.mark.slow

SCORE = "settings.composites.evaluate.background_score"
PARAMS = {
    **two_shards(TINY),
    "recipes": ["cut"],
    "settings": {"composites": {**TINY["settings"]["composites"], "evaluate": {"background_score": 0.3}}},
}
SCORES_ON = sorted(
    [
        "evaluate psa/rng0/scores/classification-val.json",
        "evaluate psa/rng0/scores/cams-train.json",
        "evaluate psa/rng0/bg0.10-fg0.40/scores/confident_regions-train.json",
        "report reports/all",
    ]
)


@pytest.fixture(scope="module")
def tree(by_shell, tmp_path_factory: pytest.TempPathFactory, warm_python: Path) -> Checkout:
    """A copy of a finished tree, known to DVC and committed with its dvc.lock."""
    checkout = Checkout(tmp_path_factory.mktemp("verbs") / "tree", warm_python)
    shutil.copytree(by_shell.checkout.folder, checkout.folder, symlinks=True)
    checkout.seedbed("sync-dvc")
    checkout.write_params(PARAMS)
    checkout.seedbed("dvc")
    assert sorted(checkout.repro()) == SCORES_ON
    checkout.commit("Scored at 0.3")
    return checkout


def test_exp_run_sets_a_parameter_and_runs_what_depends_on_it(tree: Checkout) -> None:
    tree.run("dvc", "exp", "run", "--quiet", "-n", "high", "-S", f"{SCORE}=0.6")
    assert sorted(tree.calls()) == SCORES_ON
    assert tree.snakemake() == []
    shown = tree.run("dvc", "metrics", "diff")
    assert "metrics.json" in shown
    assert "cams.train.mIoU" in shown
    assert "classification" not in shown
    assert "background_score" in tree.run("dvc", "exp", "diff", "HEAD", "high")
    tree.run("git", "checkout", "-q", ".")
    assert tree.repro() == []


def test_another_set_of_stages_stops_an_experiment_with_one_line(tree: Checkout) -> None:
    told = tree.run("dvc", "exp", "run", "-S", "rngs=[0,1]", status=255)
    assert "resolve: error: dvc.yaml does not match params.yaml and recipes/ (lacks " in told
    assert "run `seedbed dvc`" in told
    assert tree.calls() == []
    tree.run("git", "checkout", "-q", ".")


def test_experiments_are_queued_and_run_in_copies(tree: Checkout) -> None:
    tree.run("dvc", "exp", "run", "--queue", "-n", "queued", "-S", f"{SCORE}=0.5")
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
    assert "cams.train.mIoU" in shown
    assert "M params.yaml" not in tree.run("git", "status", "--short")


def test_metrics_and_plots_are_shown(tree: Checkout) -> None:
    shown = tree.run("dvc", "metrics", "show", "--md")
    assert shown.count(".json") == 1
    for name in ("classification.val.mAP", "cams.train.mIoU", "confident_regions.train.mIoU"):
        assert name in shown
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
