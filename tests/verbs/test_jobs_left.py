"""What is left to do: `seedbed plan` counts it as `snakemake -n` does."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from recipe_files import CONFIG
from seedbed.engines.jobs import counted_by_rule, jobs_left
from seedbed.engines.soundness import Examiner
from seedbed.plan.commands import Workflow
from seedbed.verbs.show import Columns, plan_text
from workflow.engine_checkout import REPOSITORY

TOY = {"kind": "folder", "root": "nowhere", "shards": 2, "splits": {"train": {}, "val": {}}}
TWO = {"recipes": ["base", "unet"], "rngs": [0], "thresholds": [], "datasets": {"toy": TOY}}


def by_snakemake(folder: Path) -> dict[str, int]:
    """The table of `snakemake -n`."""
    for part in ("Snakefile", "rules", "report", "envs"):
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    (folder / "params.yaml").write_text(yaml.safe_dump(CONFIG | TWO))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)}


def by_plan(workflow: Workflow) -> dict[str, int]:
    return counted_by_rule(jobs_left(workflow, ["all"], Examiner(workflow.graph())), ["all"])


def test_both_count_the_same(tree: Any) -> None:
    """A shard of base's predictions is gone, and unet's segmenter was made with another architecture."""
    workflow = tree.workflow(**TWO)
    workflow.write_slices()
    tree.make(workflow)
    tree.judge(workflow)
    tree.report(workflow)
    for path in tree.results.rglob("*"):
        os.utime(path, (1e9, 1e9))  # made by hand, in no order
    assert by_plan(workflow) == {}
    assert plan_text(workflow, ["all"], Columns(forecast=True)).endswith("a run has nothing to do")
    (tree.results / "toy/base/rng0/bg0.10-fg0.40/predictions/val-1.zip").unlink()
    unet = tree.folder / "recipes" / "unet.yaml"
    unet.write_text(unet.read_text().replace("unet", "deeplabv2"))
    planned = by_plan(tree.workflow(**TWO))
    assert planned == {
        "all": 1,
        "gather": 2,
        "judge": 2,
        "predict": 3,
        "report": 1,
        "train_segmenter": 1,
        "total": 10,
    }
    assert by_snakemake(tree.folder) == planned


def test_from_nothing_every_command_is_counted(tree: Any) -> None:
    workflow = tree.workflow(**TWO)
    commands = workflow.commands(("all",), by_shard=True)
    assert by_plan(workflow)["total"] == len(commands) + 1
    text = plan_text(workflow, ["all"], Columns(forecast=True))
    assert f"{len(commands) + 1} jobs left, as `snakemake -n` counts them: 1 all, " in text


def test_a_finished_shard_of_a_partial_node_is_not_counted(tree: Any) -> None:
    workflow = tree.workflow(**TWO)
    tree.make(workflow)
    tree.judge(workflow)
    tree.report(workflow)
    folder = tree.results / "toy/base/rng0/classification"
    (folder / "manifest.json").unlink()
    (folder / "val-0.json").unlink()
    assert by_plan(workflow) == {"all": 1, "classify": 1, "gather": 1, "judge": 1, "report": 1, "total": 5}
