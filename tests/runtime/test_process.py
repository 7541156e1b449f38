"""What a stage's process sets before it computes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROBE = """if True:
    import os
    from seedbed.runtime.process import prepare_process
    prepare_process()

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    import ctypes
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    before = resident()
    block = libc.malloc(ctypes.c_size_t(100 << 20))
    ctypes.memset(ctypes.c_void_p(block), 1, 100 << 20)
    libc.free(ctypes.c_void_p(block))
    print(os.environ["OMP_WAIT_POLICY"], round(resident() - before))
    """


def probed(**environment: str) -> list[str]:
    """The waiting policy, and how many of 100 freed megabytes the process keeps."""
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


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_freed_memory_stays_and_threads_sleep() -> None:
    policy, kept = probed()
    assert policy == "PASSIVE"
    assert int(kept) >= 95


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    "chosen",
    [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}],
)
def test_what_somebody_chose_is_left_alone(chosen: dict[str, str]) -> None:
    policy, kept = probed(OMP_WAIT_POLICY="ACTIVE", **chosen)
    assert policy == "ACTIVE"
    assert int(kept) <= 5
