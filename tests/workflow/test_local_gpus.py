"""Jobs of one machine never share a GPU: mixed 1- and 2-GPU jobs of two Snakemake runs in two checkouts.

The devices are faked (SEEDBED_GPUS); the jobs note when they held which.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"

SNAKEFILE = """
rule all:
    input:
        expand("held/one-{k}", k=range(5)),
        expand("held/two-{k}", k=range(2)),

rule one:
    output: "held/one-{k}"
    resources: gpu=1
    shell: "python job.py {resources.gpu} {output}"

rule two:
    output: "held/two-{k}"
    resources: gpu=2
    shell: "python job.py {resources.gpu} {output}"
"""

JOB = """
import os, sys, time
from pathlib import Path
from seedbed.runtime import gpu
from seedbed.runtime.gpu import gpu_slot
gpu.LOCKS = Path(os.environ["TEST_LOCKS"])
with gpu_slot(int(sys.argv[1]), sys.argv[2], poll_s=0.02) as devices:
    start = time.time()
    time.sleep(0.4)
    visible = os.environ["CUDA_VISIBLE_DEVICES"]
    line = f"{start} {time.time()} {visible} {','.join(devices)}"
with open(sys.argv[2], "w") as stream:
    stream.write(line)
"""


class Held(NamedTuple):
    """What one job held, and when (seconds since the epoch)."""

    start: float
    end: float
    devices: frozenset[str]


def make_checkout(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "job.py").write_text(JOB)
    return folder


def environment(locks: Path, **extra: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID")}
    path = f"{Path(sys.executable).parent}:{inherited.get('PATH', '')}"
    return {**inherited, "PATH": path, "PYTHONPATH": str(SOURCES), "TEST_LOCKS": str(locks), **extra}


def start_snakemake(checkout: Path, env: Mapping[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "8", "--resources", "gpu=4", "--quiet"]
    return subprocess.Popen(
        command, cwd=checkout, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def read_held(checkout: Path) -> list[Held]:
    found = []
    for path in sorted((checkout / "held").iterdir()):
        start, end, visible, devices = path.read_text().split()
        assert visible == devices
        assert len(devices.split(",")) == (2 if path.name.startswith("two") else 1)
        found.append(Held(float(start), float(end), frozenset(devices.split(","))))
    return found


def at_once(a: Held, b: Held) -> bool:
    return a.start < b.end and b.start < a.end


def test_two_runs_never_share_a_device(tmp_path: Path) -> None:
    checkouts = [make_checkout(tmp_path / name) for name in ("first", "second")]
    locks = tmp_path / "locks"
    locks.mkdir()
    runs = [start_snakemake(checkout, environment(locks, SEEDBED_GPUS="0,1,2,3")) for checkout in checkouts]
    for run in runs:
        text, _ = run.communicate(timeout=120)
        assert run.returncode == 0, text
    held = [one for checkout in checkouts for one in read_held(checkout)]

    assert len(held) == 14
    assert frozenset.union(*(one.devices for one in held)) == {"0", "1", "2", "3"}
    shared = [(a, b) for a, b in combinations(held, 2) if at_once(a, b) and a.devices & b.devices]
    assert shared == []
    assert any(at_once(a, b) for a, b in combinations(held, 2))
    across = [(a, b) for a in read_held(checkouts[0]) for b in read_held(checkouts[1]) if at_once(a, b)]
    assert across, "the two runs did not meet, so the test shows nothing"


@pytest.mark.parametrize(("devices", "expected"), [("0", "lower `gpu`"), ("", "")])
def test_a_job_of_two_devices_on_a_smaller_machine(tmp_path: Path, devices: str, expected: str) -> None:
    """One device: refused in one line. None: the job runs on the CPU with every device hidden."""
    (tmp_path / "job.py").write_text(JOB)
    env = environment(tmp_path, SEEDBED_GPUS=devices)
    command = [sys.executable, "job.py", "2", "out"]
    job = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    if expected:
        assert job.returncode != 0
        assert "2 GPUs were requested, but this machine has 1" in job.stderr
        assert expected in job.stderr
    else:
        assert job.returncode == 0, job.stderr
        assert (tmp_path / "out").read_text().split()[2:] == []
