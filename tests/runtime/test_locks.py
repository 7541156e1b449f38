"""Locks: one writer per output; asking writes nothing and stands in no writer's way."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from seedbed.errors import SeedbedError
from seedbed.runtime.locks import is_locked, lock_path, output_lock, refuse_locked

ROOT = Path(__file__).parents[2]

LOCK = """
import sys, time
from pathlib import Path
from seedbed.runtime.locks import output_lock
with output_lock(Path(sys.argv[1]), "train-0"):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", LOCK, str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_says_so_and_stops(tmp_path: Path) -> None:
    process = holder(tmp_path / "cams")
    try:
        with (
            pytest.raises(
                SeedbedError, match=rf"being written by another run \(pid {process.pid}\); wait for it"
            ),
            output_lock(tmp_path / "cams", "train-0"),
        ):
            pass
        with output_lock(tmp_path / "cams", "train-1"):
            pass
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with output_lock(tmp_path / "cams", "train-0"):
        pass


def test_a_lock_is_free_after_its_run(tmp_path: Path) -> None:
    for _ in range(2):
        with output_lock(tmp_path, "x"):
            assert (tmp_path / ".work" / "x.lock").read_text() == f"pid {os.getpid()}"


def test_asking_leaves_the_lock_as_it_is(tmp_path: Path) -> None:
    process = holder(tmp_path)
    path = lock_path(tmp_path, "train-0")
    try:
        before = path.read_bytes(), path.stat().st_mtime_ns
        assert is_locked(path)
        with pytest.raises(SeedbedError, match=rf"is being written by another run \(pid {process.pid}\)"):
            refuse_locked(tmp_path)
        assert (
            (path.read_bytes(), path.stat().st_mtime_ns)
            == before
            == (f"pid {process.pid}".encode(), before[1])
        )
    finally:
        process.kill()
        process.wait()
    assert not is_locked(path)
    refuse_locked(tmp_path)
    assert path.read_bytes() == before[0]


def test_asking_makes_no_file(tmp_path: Path) -> None:
    assert not is_locked(lock_path(tmp_path, "train-0"))
    refuse_locked(tmp_path)
    refuse_locked(tmp_path, "train-0")
    assert list(tmp_path.iterdir()) == []


def test_a_writer_waits_for_somebody_who_asks(tmp_path: Path) -> None:
    path = lock_path(tmp_path, "x")
    path.parent.mkdir()
    path.touch()
    asking = path.open("rb")
    fcntl.flock(asking, fcntl.LOCK_SH)
    threading.Timer(0.08, asking.close).start()
    started = time.monotonic()
    with output_lock(tmp_path, "x"):
        assert time.monotonic() - started > 0.05
