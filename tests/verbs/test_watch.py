"""What `seedbed watch` shows of a run that somebody else started."""

from pathlib import Path
from typing import Any

from recipe_files import CONFIG
from seedbed.runtime.locks import output_lock
from seedbed.runtime.progress_mark import ProgressMark
from seedbed.verbs.watch import running_jobs, watch_text


def test_what_holds_its_lock_runs(tmp_path: Path) -> None:
    folder = tmp_path / "toy/base/rng0/cams"
    with output_lock(folder, "train-1"), output_lock(tmp_path, "run"):
        assert [(job.folder, job.unit) for job in running_jobs(tmp_path)] == [(folder, "train-1")]
    assert list(running_jobs(tmp_path)) == []


def test_a_job_that_holds_all_shards_is_one_job(tmp_path: Path) -> None:
    folder = tmp_path / "toy/base/rng0/cams"
    with output_lock(folder, "whole"), output_lock(folder, "train-0"), output_lock(folder, "train-1"):
        assert [job.unit for job in running_jobs(tmp_path)] == ["whole"]
        ProgressMark(folder, "train-1").line("epoch 1/2")
        assert [job.unit for job in running_jobs(tmp_path)] == ["train-1"]


def test_jobs_are_counted_and_what_runs_is_told_with_its_mark(tree: Any) -> None:
    workflow = tree.workflow(**CONFIG)
    workflow.write_slices()
    total = len(workflow.commands(("all",), by_shard=True))
    idle = watch_text(workflow, ("all",), tree.results)
    assert idle == f"0 of {total} jobs done\n  nothing runs"
    folder = tree.results / "toy/base/rng0/cams"
    with output_lock(folder, "train-0"):
        ProgressMark(folder, "train-0").line("epoch 3/15: loss 0.1")
        _, line = watch_text(workflow, ("all",), tree.results).splitlines()
    assert line.split("  ")[1:4] == [str(folder), "train-0", "epoch 3/15"]
