"""What a stage's process sets before it computes."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.runtime import process

ROOT = Path(__file__).parents[2]
PROBE = """if True:
    import ctypes, os
    from seedbed.runtime.process import prepare_process
    prepare_process()

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    before = resident()
    block = libc.malloc(ctypes.c_size_t(30 << 20))
    ctypes.memset(ctypes.c_void_p(block), 1, 30 << 20)
    libc.free(ctypes.c_void_p(block))
    print(os.environ["OMP_WAIT_POLICY"], round(resident() - before))
    """

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose malloc is set")


def probed(**environment: str) -> list[str]:
    """The waiting policy, and how many of 30 freed megabytes the process keeps."""
    chosen = ("OMP_WAIT_POLICY", "GLIBC_TUNABLES")
    inherited = {k: v for k, v in os.environ.items() if k not in chosen and not k.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=inherited | {"PYTHONPATH": str(ROOT / "src")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@glibc
@pytest.mark.parametrize("unrelated", [{}, {"MALLOC_ARENA_MAX": "2"}])
def test_freed_memory_stays_and_threads_sleep(unrelated: dict[str, str]) -> None:
    policy, kept = probed(**unrelated)
    assert policy == "PASSIVE"
    assert int(kept) >= 28


@glibc
@pytest.mark.parametrize(
    "chosen",
    [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}],
)
def test_what_somebody_chose_is_left_alone(chosen: dict[str, str]) -> None:
    policy, kept = probed(OMP_WAIT_POLICY="ACTIVE", **chosen)
    assert policy == "ACTIVE"
    assert int(kept) <= 2


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (1 << 31, [(-3, 1 << 30), (-1, -1)]),
        (32 << 20, [(-3, 1 << 30), (-3, 32 << 20), (-1, -1)]),
        (1 << 20, [(-3, 1 << 30), (-3, 32 << 20)]),
    ],
)
def test_nothing_is_set_by_halves(
    monkeypatch: pytest.MonkeyPatch, largest: int, expected: list[tuple[int, int]]
) -> None:
    """A glibc that takes no threshold above `largest`."""
    calls = []

    class Library:
        def __init__(self, name: None) -> None:
            pass

        @staticmethod
        def mallopt(option: int, value: int) -> int:
            calls.append((option, value))
            return int(value <= largest)

    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in list(os.environ):
        if name.startswith(("MALLOC_", "GLIBC_")):
            monkeypatch.delenv(name)
    assert process.keep_freed_memory() == (expected[-1] == (-1, -1))
    assert calls == expected


def test_a_library_without_the_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not process.keep_freed_memory()
