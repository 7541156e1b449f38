"""Lines of a run, from the events that Snakemake's logger interface documents."""

import logging
from pathlib import Path

import pytest

from seedbed.engines.run_lines import RunLines, duration, seconds_of_stages
from seedbed.runtime.progress_mark import ProgressMark, read_mark

FOLDER = "results/toy/psa/rng0/cams"


def event(name, text="", level=logging.INFO, **fields):
    return logging.makeLogRecord({"event": name, "levelno": level, "msg": text, **fields})


def start(jobid, rule="dump_cams", shard="train-0"):
    return event(
        "job_info",
        jobid=jobid,
        rule_name=rule,
        rule_msg=f"{rule} {FOLDER} {shard}",
        output=[f"{FOLDER}/{shard}.safetensors"],
        log=[f"logs/{shard}.log"],
        wildcards={"shard": shard},
        reason="Missing output files: " + "x" * 1000,
    )


def stats(**counts):
    return event("run_info", "Job stats:\njob count", stats={**counts, "total": sum(counts.values())})


def lines(tmp_path, *, dry=False):
    return RunLines(Path("results"), dry, True, tmp_path)


def test_a_line_per_job_with_its_place_and_the_time_left(tmp_path):
    """Two jobs of 10 s side by side, four left: 40 s of work by two at once, 20 s."""
    run = lines(tmp_path)
    assert run.of(stats(dump_cams=6, all=1), 0.0) == ["6 jobs: 6 dump_cams"]
    assert run.of(start(1), 0.0) == run.of(start(2, shard="train-1"), 0.0) == []
    run.of(event("job_finished", job_id=1), 10.0)
    assert run.of(event("job_finished", job_id=2), 10.0) == [
        f"2 of 6  dump_cams {FOLDER} train-1: 10 s; about 20 s left"
    ]
    assert run.of(event("job_finished", job_id=99), 11.0) == [], "the target is no job"


def test_a_rule_that_never_ran_makes_a_lower_bound_and_runs_before_count(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=1, predict=2), 0.0)
    run.of(start(1), 0.0)
    assert run.of(event("job_finished", job_id=1), 10.0)[0].endswith("train-0: 10 s"), "nothing is known"
    facts = tmp_path / "results/old/.runs/train-0.json"
    facts.parent.mkdir(parents=True)
    facts.write_text('{"command": ["predict.py", "--shard"], "seconds": 30.0}')
    (facts.parent / "damaged.json").write_text("{")
    assert seconds_of_stages(tmp_path / "results") == {"predict": 30.0}
    run = lines(tmp_path)
    run.of(stats(dump_cams=1, predict=2), 0.0)
    run.of(start(1), 0.0)
    assert run.of(event("job_finished", job_id=1), 10.0)[0].endswith("10 s; about 60 s left")


def test_what_runs_is_told_with_images_and_epochs(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=2), 0.0)
    run.of(start(1), 0.0)
    assert run.status(5.0) == f"0 of 2 done; dump_cams {FOLDER} train-0 5 s"
    mark = ProgressMark(tmp_path / FOLDER, "train-0")
    assert list(mark.counting("abc", 3)) == ["a", "b", "c"]
    assert run.status(5.0) == f"0 of 2 done; dump_cams {FOLDER} train-0 1/3 images 5 s"
    mark.line("epoch 2/15: loss 0.5")
    mark.line("no GPU: running on the CPU")
    assert "epoch 2/15 5 s" in run.status(5.0)
    mark.remove()
    assert read_mark(tmp_path / FOLDER, "train-0") == ""


def test_a_failed_job_is_named_with_the_end_of_its_log(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=2), 0.0)
    run.of(start(1), 0.0)
    log = tmp_path / "logs/train-0.log"
    log.parent.mkdir()
    log.write_text("\n".join(map(str, range(100))))
    found = run.of(event("job_error", jobid=1, rule_name="dump_cams", log=["logs/train-0.log"]), 3.0)
    assert found[0] == f"failed: dump_cams {FOLDER} train-0; log: logs/train-0.log"
    assert [line.strip() for line in found[1:]] == [str(k) for k in range(88, 100)]
    assert run.status(4.0) == ""


def test_a_dry_run_is_the_table_alone(tmp_path):
    run = lines(tmp_path, dry=True)
    assert run.of(stats(dump_cams=2), 0.0) == ["Job stats:\njob count"]
    assert run.of(start(1), 0.0) == []
    assert run.of(stats(dump_cams=2), 0.0) == []


def test_notes_warnings_and_errors_are_shown_and_chatter_is_not(tmp_path):
    run = lines(tmp_path)
    assert run.of(event(None, "masks of 3 images changed"), 0.0) == ["masks of 3 images changed"]
    assert run.of(event(None, "Building DAG of jobs..."), 0.0) == []
    assert run.of(event("resources_info", "Provided cores: 2"), 0.0) == []
    assert run.of(event("error", "WorkflowError: no", logging.ERROR), 0.0) == ["WorkflowError: no"]


@pytest.mark.parametrize(("seconds", "text"), [(41.0, "41 s"), (240.0, "4 min"), (3900.0, "1 h 05 min")])
def test_durations_in_words(seconds, text):
    assert duration(seconds) == text
