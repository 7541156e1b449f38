"""GPU slots: jobs in processes of their own never share a device; the kernel frees them on any death."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seedbed.errors import SeedbedError
from seedbed.runtime import gpu
from seedbed.runtime.gpu import gpu_slot, local_devices, lock_folder

HOLD = """
import json, sys, time
from pathlib import Path
from seedbed.runtime.gpu import gpu_slot
count, seconds, out = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
with gpu_slot(count, "test", poll_s=0.01) as devices:
    start = time.monotonic()
    out.with_suffix(".held").write_text("")
    time.sleep(seconds)
    out.write_text(json.dumps([devices, start, time.monotonic()]))
"""


@pytest.fixture(autouse=True)
def four_fake_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDBED_GPUS", "0,1,2,3")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(gpu.__file__).parents[2]))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    # set first, so that what gpu_slot puts there is undone after the test
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def hold(count: int, seconds: float, out: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", HOLD, str(count), str(seconds), str(out)])


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)


def test_mixed_jobs_of_one_and_two_devices_never_overlap(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    counts = [1, 2, 1, 2, 2, 1, 4, 1]
    outs = [tmp_path / f"{n}.json" for n in range(len(counts))]
    processes += [hold(count, 0.1, out) for count, out in zip(counts, outs, strict=True)]
    assert [process.wait(timeout=60) for process in processes] == [0] * len(counts)
    spans = [json.loads(out.read_text()) for out in outs]
    assert [len(devices) for devices, _, _ in spans] == counts
    for n, (devices, start, end) in enumerate(spans):
        for others, other_start, other_end in spans[n + 1 :]:
            apart = end <= other_start or other_end <= start
            assert apart or not set(devices) & set(others)


def test_a_killed_job_frees_its_devices(tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    processes.append(hold(4, 60, tmp_path / "first"))
    wait_for(tmp_path / "first.held")
    processes.append(hold(1, 0, tmp_path / "second"))
    time.sleep(0.3)
    assert not (tmp_path / "second").exists()
    os.kill(processes[0].pid, signal.SIGKILL)
    assert processes[1].wait(timeout=30) == 0
    assert json.loads((tmp_path / "second").read_text())[0] == ["0"]


def test_the_lock_file_says_who_holds_a_device() -> None:
    with gpu_slot(1, "train_classifier results/x"):
        text = (lock_folder() / "device-0").read_text()
    assert text == f"pid {os.getpid()} train_classifier results/x\n"


def test_the_job_sees_only_its_devices() -> None:
    with gpu_slot(2, "a") as first:
        assert first == ["0", "1"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_under_slurm_the_locks_stand_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with gpu_slot(2, "a") as devices:
        assert devices == []
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    assert not lock_folder().exists()


def test_more_devices_than_there_are_is_one_line() -> None:
    with (
        pytest.raises(
            SeedbedError, match=r"^5 GPUs are wanted, this machine has 4; lower `gpu` in the profile$"
        ),
        gpu_slot(5, "a"),
    ):
        pass


def test_a_job_that_wants_none_sees_none() -> None:
    with gpu_slot(0, "a") as devices:
        assert devices == []
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_machine_without_devices_hides_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDBED_GPUS", "")
    with gpu_slot(2, "a") as devices:
        assert devices == []
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("visible", "expected"),
    [("1,3", ["1", "3"]), ("", []), ("7", []), ("GPU-5d6f", ["GPU-5d6f"]), ("-1", [])],
)
def test_only_visible_devices_are_taken(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local_devices() == expected


def test_devices_come_from_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDBED_GPUS")
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0\\n1\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert local_devices() == ["0", "1"]
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert local_devices() == []


def test_no_nvidia_smi_is_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDBED_GPUS")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local_devices() == []


def test_devices_are_freed_after_an_exception() -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError), gpu_slot(4, "a"):
            raise RuntimeError
