"""Lines of a run, from the events that Snakemake's logger interface documents."""

import logging
from contextlib import ExitStack
from pathlib import Path

import pytest

from seedbed.engines.run_lines import RunLines
from seedbed.engines.run_seconds import human_duration
from seedbed.runtime.locks import output_lock
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
    remember(tmp_path, "toy", "predict", 30.0)
    remember(tmp_path, "other", "predict", 1e6)
    remember(tmp_path, "toy", "dump_cams", "NaN")
    run = lines(tmp_path)
    run.of(stats(dump_cams=1, predict=1, gather=2), 0.0)
    run.of(start(1), 0.0)
    assert run.of(event("job_finished", job_id=1), 10.0)[0].endswith("10 s; about 30 s left")


def remember(tmp_path, dataset, stage, seconds):
    facts = tmp_path / f"results/{dataset}/.runs/{stage}.json"
    facts.parent.mkdir(parents=True, exist_ok=True)
    facts.write_text(f'{{"command": ["{stage}.py", "--shard"], "seconds": {seconds}}}')


def test_a_rule_of_judges_is_known_by_its_stages(tmp_path):
    remember(tmp_path, "toy", "judge", 30.0)
    facts = tmp_path / "results/toy/.runs/judge.json"
    facts.write_text(facts.read_text().replace("--shard", "evaluate"))
    run = lines(tmp_path)
    run.of(stats(dump_cams=1, judge=1), 0.0)
    run.of(start(1), 0.0)
    assert run.of(event("job_finished", job_id=1), 10.0)[0].endswith("10 s; about 30 s left")


def test_what_runs_is_told_with_images_and_epochs(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=2), 0.0)
    run.of(start(1), 0.0)
    assert run.status() == "0 of 2 done, 1 pending"
    mark = ProgressMark(tmp_path / FOLDER, "train-0")
    with output_lock(tmp_path / FOLDER, "train-0"):
        assert run.status() == f"0 of 2 done; dump_cams {FOLDER} train-0 1 s"
        assert list(mark.counting("abc", 3)) == ["a", "b", "c"]
        assert run.status() == f"0 of 2 done; dump_cams {FOLDER} train-0 1/3 images 1 s"
        mark.line("epoch 2/15: loss 0.5")
        mark.line("no GPU: running on the CPU")
        assert "epoch 2/15 1 s" in run.status()
    mark.remove()
    assert read_mark(tmp_path / FOLDER, "train-0") == ""


def test_a_long_list_of_running_jobs_is_cut(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=50), 0.0)
    with ExitStack() as locks:
        for job in range(50):
            run.of(start(job, shard=f"train-{job}"), float(job))
            if job < 6:
                locks.enter_context(output_lock(tmp_path / FOLDER, f"train-{job}"))
        told = run.status()
    assert told.startswith("0 of 50 done, 44 pending; ")
    assert told.endswith("train-3 1 s | … and 2 more")


def test_a_failed_job_is_named_with_the_end_of_its_log(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=2), 0.0)
    run.of(start(1), 0.0)
    log = tmp_path / "logs/train-0.log"
    log.parent.mkdir()
    log.write_text("\n".join(map(str, range(100))))
    found = run.of(failure(1, ["logs/train-0.log"]), 3.0)
    assert found[0] == f"failed: dump_cams {FOLDER} train-0; log: logs/train-0.log"
    assert [line.strip() for line in found[1:]] == [str(k) for k in range(88, 100)]
    assert run.status() == ""


def failure(jobid, logs, reason=None, **aux):
    return event("job_error", jobid=jobid, rule_name="dump_cams", log=logs, rule_msg=reason, aux=aux)


def test_the_reason_of_a_clusters_failure_and_its_log_are_shown(tmp_path):
    run = lines(tmp_path)
    run.of(stats(dump_cams=1), 0.0)
    run.of(start(1), 0.0)
    slurm = tmp_path / "elsewhere/7.log"
    slurm.parent.mkdir()
    slurm.write_text("killed\n")
    reason = "SLURM-job '7' failed, SLURM status is: 'OUT_OF_MEMORY'."
    assert run.of(failure(1, ["logs/train-0.log", str(slurm)], reason, external_jobid="7"), 3.0) == [
        f"failed: dump_cams {FOLDER} train-0; log: logs/train-0.log, {slurm}",
        f"    {reason}",
        "    external_jobid: 7",
        "    logs/train-0.log:",
        f"    {slurm}:",
        "    killed",
    ]
    assert RunLines(Path("results"), False, False).of(failure(9, ["/no/a.log"]), 0.0) == [
        "failed: dump_cams; log: /no/a.log"
    ]
    assert run.of(failure(9, []), 3.0) == ["failed: dump_cams"]


def test_a_failed_job_leaves_the_forecast_until_it_is_started_again(tmp_path):
    """Three jobs of 10 s: one is done, one fails, one is left, and only one job was busy at once."""
    run = lines(tmp_path)
    run.of(stats(dump_cams=3), 0.0)
    for job in (1, 2):
        run.of(start(job, shard=f"train-{job}"), 0.0)
    run.of(failure(1, []), 5.0)
    assert run.of(event("job_finished", job_id=2), 10.0)[0].endswith("10 s; about 10 s left; 1 failed")
    assert run.of(event(None, "Trying to restart job 1."), 10.0) == [
        f"started again: dump_cams {FOLDER} train-1"
    ]
    assert run.time_left(10.0) == "about 20 s"
    run.of(start(1, shard="train-1"), 10.0)
    assert run.of(event("job_finished", job_id=1), 20.0)[0].endswith("10 s; about 10 s left")


def test_commands_are_shown_as_they_are_also_when_dry(tmp_path):
    command = event("shellcmd", "Shell command: python x.py", shellcmd="python x.py")
    for dry in (False, True):
        assert lines(tmp_path, dry=dry).of(command, 0.0) == ["python x.py"]
    assert lines(tmp_path).of(event("shellcmd", "Shell command: None", shellcmd=None), 0.0) == []


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


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.2, "1 s"), (59.0, "59 s"), (60.0, "1 min"), (3540.0, "59 min"), (3600.0, "1.0 h"), (8640.0, "2.4 h")],
)
def test_durations(seconds, shown):
    assert human_duration(seconds) == shown
