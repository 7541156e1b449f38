"""The workflow on a real SLURM cluster (two nodes of two fake GPUs): devices, memory, retries, interruptions.

`python -m pytest tests/workflow/test_slurm.py -s` prints the wall time of the chain and where its picture lies.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from workflow.job_timeline import draw_jobs
from workflow.slurm_cluster import Cluster, slurm_cluster

__all__ = ["slurm_cluster"]

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "5")
PROFILE = ("--workflow-profile", "profiles/slurm", *QUICK)
REGIONS = "results/composites/psa/rng0/bg0.10-fg0.40/confident_regions"
STEPS = """
rule last:
    input: expand("out/{k}", k=range(3))
    output: "out/last"
    resources: mem_mb=300, runtime=5
    shell: "cat {input} > {output}"

# Job 0 ends at once, the others when there is a file `go`.
rule held:
    output: "out/{k}"
    wildcard_constraints: k="[0-9]"
    resources: gpu=1, mem_mb=300, runtime=5
    shell:
        "echo started >> starts-{wildcards.k}; "
        "while [ {wildcards.k} != 0 ] && [ ! -e go ]; do sleep 0.2; done; echo {wildcards.k} > {output}"
"""


def environment() -> dict[str, str]:
    """What a login shell of a user of this installation has."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "CUDA_"))}
    path = f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}:/usr/sbin"
    return {**inherited, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "OMP_WAIT_POLICY": "PASSIVE"}


def start(checkout: Path, log: str, *command: str) -> subprocess.Popen[bytes]:
    """Start a command whose output goes to a file; SIGINT reaches it as it does in a terminal."""
    with (checkout / log).open("wb") as stream:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=checkout,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # A background child of a shell ignores SIGINT, and Snakemake would then never stop.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )


def start_snakemake(checkout: Path, log: str, *arguments: str) -> subprocess.Popen[bytes]:
    return start(checkout, log, "-m", "snakemake", *PROFILE, *arguments)


def finish(run: subprocess.Popen[bytes], checkout: Path, log: str, timeout_s: float) -> None:
    try:
        status = run.wait(timeout_s)
    finally:
        if run.poll() is None:
            run.send_signal(signal.SIGINT)
            run.wait(60)
    assert status == 0, (checkout / log).read_text()[-6000:]


def until(reached: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < deadline, f"waited {timeout_s:.0f} s for: {what}"
        time.sleep(0.2)


@pytest.fixture
def small_checkout(tmp_path: Path) -> Path:
    """The workflow on 24 very small composites in three shards, one epoch."""
    for name in ("rules", "workflow_scripts", "recipes", "envs", "report", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "Snakefile", tmp_path)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params |= {"dataset": "composites", "recipes": ["psa"], "rngs": [0], "thresholds": []}
    params["datasets"]["composites"] |= {"shards": 3, "with": {"size": 64, "images": {"train": 24, "val": 3}}}
    params["settings"] = {
        "composites": {
            "train_classifier": {"epochs": 1, "augmentation": {"resize_long": [48, 64], "crop": 64}}
        }
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    # 100 MB at the first attempt are too few even for Python; 3000 MB at the second are enough.
    profile = tmp_path / "profiles" / "slurm" / "config.yaml"
    starved = "  prepare_dataset: {mem_mb: 100 * 30 ** (attempt - 1)}"
    text, classes = profile.read_text(), "set-resources:\n"
    assert classes in text
    profile.write_text(text.replace(classes, f"{classes}{starved}\n"))
    return tmp_path


@pytest.fixture
def held_checkout(tmp_path: Path) -> Path:
    """Three GPU jobs, of which two wait for a file, and one job behind them."""
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    (tmp_path / "Snakefile").write_text(STEPS)
    return tmp_path


def starts(checkout: Path) -> list[int]:
    """How often each held job was started."""
    return [len(path.read_text().split()) for path in sorted(checkout.glob("starts-*"))]


def states(cluster: Cluster, known: set[int]) -> list[str]:
    """States of the jobs that are not among the known ones."""
    return sorted(job.state for job in cluster.jobs() if job.number not in known)


def locks(checkout: Path) -> list[Path]:
    return list(checkout.glob(".snakemake/locks/*"))


def test_chain(slurm_cluster: Cluster, small_checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """index, classifier, CAMs in three shards, confident regions in three shards; gathering needs no queue."""
    known = {job.number for job in slurm_cluster.jobs()}
    began = time.monotonic()
    run = start_snakemake(small_checkout, "run.log", "--", *(f"{REGIONS}/train-{k}.zip" for k in range(3)))
    finish(run, small_checkout, "run.log", timeout_s=600)
    seconds = time.monotonic() - began
    jobs = [job for job in slurm_cluster.jobs() if job.number not in known]
    draw_jobs(jobs, small_checkout / "slurm-jobs.png")
    with capsys.disabled():
        print(
            f"\nchain on SLURM: {len(jobs)} jobs in {seconds:.0f} s; picture: {small_checkout / 'slurm-jobs.png'}"
        )

    rules = dict.fromkeys(job.rule for job in jobs)
    by_rule = {rule: [job for job in jobs if job.rule == rule] for rule in rules}
    counts = {
        "prepare_dataset": 2,
        "train_classifier": 1,
        "dump_cams": 3,
        "confident_regions": 3,
    }
    assert {rule: len(found) for rule, found in by_rule.items()} == counts

    first, second = by_rule["prepare_dataset"]
    assert (first.state, first.memory) == ("FAILED", "100M")
    assert (second.state, second.memory) == ("COMPLETED", "3000M")
    (slurm_log,) = small_checkout.glob(f"logs/slurm/rule_prepare_dataset/**/{first.number}.log")
    assert "exceeded memory limit" in slurm_log.read_text()
    assert {job.state for job in jobs if job is not first} == {"COMPLETED"}
    assert by_rule["train_classifier"][0].memory == "16000M", "the profile's class"

    for rule in ("dump_cams", "confident_regions"):
        assert all(a.overlaps(b) for a, b in combinations(by_rule[rule], 2)), by_rule[rule]
    gpu_jobs = by_rule["train_classifier"] + by_rule["dump_cams"]
    assert all(len(job.devices) == 1 for job in gpu_jobs)
    assert len({(job.node, job.devices) for job in by_rule["dump_cams"]}) == 3
    assert all(job.devices == () for job in jobs if job not in gpu_jobs)

    sidecars = [json.loads((small_checkout / REGIONS / f"train-{k}.json").read_text()) for k in range(3)]
    assert sum(sidecar["images"]["train"] for sidecar in sidecars) == 24


def test_interrupt_cancels_the_jobs_and_the_next_run_goes_on(
    slurm_cluster: Cluster, held_checkout: Path
) -> None:
    known = {job.number for job in slurm_cluster.jobs()}
    run = start_snakemake(held_checkout, "first.log")
    until(lambda: starts(held_checkout) == [1, 1, 1], "three jobs start", 120)
    until(lambda: states(slurm_cluster, known) == ["COMPLETED", "RUNNING", "RUNNING"], "job 0 ends", 120)
    run.send_signal(signal.SIGINT)
    assert run.wait(90) != 0
    assert slurm_cluster.active() == []
    assert not locks(held_checkout)
    assert sorted(path.name for path in (held_checkout / "out").iterdir()) == ["0"]

    (held_checkout / "go").touch()
    again = start_snakemake(held_checkout, "second.log")
    finish(again, held_checkout, "second.log", timeout_s=180)
    assert (held_checkout / "out" / "last").read_text().split() == ["0", "1", "2"]
    assert starts(held_checkout) == [1, 2, 2]


def test_resume_after_a_kill_waits_for_the_orphans(slurm_cluster: Cluster, held_checkout: Path) -> None:
    run = start_snakemake(held_checkout, "first.log")
    until(lambda: starts(held_checkout) == [1, 1, 1], "three jobs start", 120)
    run.send_signal(signal.SIGKILL)
    run.wait(30)
    assert len(slurm_cluster.active()) >= 2
    assert locks(held_checkout)

    resumed = start(
        held_checkout, "resume.log", "-c", "from seedbed.cli import main; main()", "resume", *PROFILE
    )
    log = held_checkout / "resume.log"
    told = "2 jobs of the killed run have not ended"
    until(lambda: told in log.read_text() or resumed.poll() is not None, "resume tells of the two jobs", 120)
    assert resumed.poll() is None, log.read_text()
    assert "RUNNING held 1" in log.read_text()
    (held_checkout / "go").touch()
    finish(resumed, held_checkout, "resume.log", timeout_s=180)
    assert (held_checkout / "out" / "last").read_text().split() == ["0", "1", "2"]
    assert starts(held_checkout) == [1, 1, 1], "a job that was still running was started a second time"
