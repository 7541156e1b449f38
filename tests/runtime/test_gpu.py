"""GPU slots: jobs in processes of their own never share a device; the kernel frees them on any death."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seedbed.errors import SeedbedError
from seedbed.runtime import gpu
from seedbed.runtime.gpu import gpu_slot, local_devices

HOLD = """
import json, sys, time
from pathlib import Path
from seedbed.runtime import gpu
from seedbed.runtime.gpu import gpu_slot
count, seconds, out = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
gpu.LOCKS = out.parent / "locks"
with gpu_slot(count, "test", poll_s=0.01) as devices:
    start = time.monotonic()
    out.with_suffix(".held").write_text("")
    time.sleep(seconds)
    out.write_text(json.dumps([devices, start, time.monotonic()]))
"""


@pytest.fixture(autouse=True)
def four_fake_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDBED_GPUS", "0,1,2,3")
    monkeypatch.setattr(gpu, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(gpu, "_uuids", dict)
    monkeypatch.setenv("PYTHONPATH", str(Path(gpu.__file__).parents[2]))
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
        text = (gpu.LOCKS / "device-0").read_text()
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
    assert not gpu.LOCKS.exists()


def test_more_devices_than_there_are_is_one_line() -> None:
    with (
        pytest.raises(
            SeedbedError, match=r"^5 GPUs were requested, but this machine has 4; lower `gpu` in the profile$"
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
    assert list(local_devices()) == expected


UUIDS = {"0": "GPU-aa11", "1": "GPU-bb22", "2": "GPU-bb33"}


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tool in front of PATH that knows three devices."""
    monkeypatch.undo()
    monkeypatch.delenv("SEEDBED_GPUS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '0, GPU-aa11\\n1, GPU-bb22\\n2, GPU-bb33\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tool


def test_devices_come_from_nvidia_smi(nvidia_smi: Path) -> None:
    assert local_devices() == UUIDS
    nvidia_smi.write_text("#!/bin/sh\nexit 9\n")
    assert local_devices() == {}


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1,GPU-bb22", {"1": "GPU-bb22"}),
        ("GPU-bb22,1", {"GPU-bb22": "GPU-bb22"}),
        ("GPU-a,2", {"GPU-a": "GPU-aa11", "2": "GPU-bb33"}),
        ("GPU-b", {"GPU-b": "GPU-b"}),
    ],
    ids=["index first", "UUID first", "beginning of a UUID", "ambiguous beginning"],
)
@pytest.mark.usefixtures("nvidia_smi")
def test_a_device_has_one_lock_whatever_names_it(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: dict[str, str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert local_devices() == expected


@pytest.mark.usefixtures("nvidia_smi")
def test_named_devices_have_the_locks_of_found_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDBED_GPUS", " 0, 1,0 ,")
    assert list(local_devices().items()) == [("0", "GPU-aa11"), ("1", "GPU-bb22")]


def test_no_nvidia_smi_is_no_device(
    nvidia_smi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local_devices() == {}


def test_the_locks_lie_where_no_environment_moves_them(tmp_path: Path) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", "from seedbed.runtime.gpu import LOCKS; print(LOCKS)"],
            env=os.environ | more,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for more in ({}, {"TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
    ]
    assert told == [f"/tmp/seedbed-gpus-{os.getuid()}\n"] * 2


def test_the_folder_of_the_locks_is_closed_to_others() -> None:
    gpu.LOCKS.mkdir(mode=0o777)
    gpu.LOCKS.chmod(0o777)
    with gpu_slot(1, "a"):
        assert gpu.LOCKS.stat().st_mode & 0o777 == 0o700
        assert (gpu.LOCKS / "device-0").stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    gpu.LOCKS.symlink_to(tmp_path / "other")
    with (
        pytest.raises(SeedbedError, match=r"locks is not a folder of this user; have it removed"),
        gpu_slot(1, "a"),
    ):
        pass
    assert list((tmp_path / "other").iterdir()) == []


def test_a_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.getuid()
    monkeypatch.setattr(gpu.os, "getuid", lambda: uid + 1)
    with pytest.raises(SeedbedError, match=rf"belongs to another user \(uid {uid}\)"), gpu_slot(1, "a"):
        pass


@pytest.mark.parametrize("name", ["gate", "device-0"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_text("kept")
    gpu.LOCKS.mkdir()
    (gpu.LOCKS / name).symlink_to(tmp_path / "precious")
    with pytest.raises(SeedbedError, match=rf"locks/{name} is not a lock file"), gpu_slot(1, "a"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_an_id_with_slashes_names_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDBED_GPUS", "MIG-GPU-a/1/0,../../up")
    with gpu_slot(2, "a"):
        names = sorted(path.name for path in gpu.LOCKS.iterdir())
    assert names == ["device-..%2F..%2Fup", "device-MIG-GPU-a%2F1%2F0", "gate"]


def test_devices_are_freed_after_an_exception() -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError), gpu_slot(4, "a"):
            raise RuntimeError
