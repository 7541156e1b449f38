"""What this machine has: cores, memory, GPUs."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from seedbed.runtime.gpu import local_devices

GB = 10**9


class Machine(NamedTuple):
    """What a process may use.

    Attributes:
        cores: of the CPU.
        memory: main memory, bytes.
        gpus: number of devices.
        gpu_memory: of the smallest device, bytes; None where nvidia-smi does not tell.
    """

    cores: int
    memory: int
    gpus: int = 0
    gpu_memory: int | None = None

    def __str__(self) -> str:
        """In words."""
        plural = "s" if self.gpus > 1 else ""
        memory = f" of {self.gpu_memory / GB:.0f} GB" if self.gpu_memory else ""
        gpus = f"{self.gpus} GPU{plural}{memory}" if self.gpus else "no GPU"
        return (
            f"{self.cores} core{'s' if self.cores > 1 else ''}, {self.memory / GB:.0f} GB of memory, {gpus}"
        )


def this_machine() -> Machine:
    """The machine that this process runs on, less what is hidden from the process."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no such limit, or "max"
        memory = min(memory, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    gpus = len(local_devices())
    return Machine(len(os.sched_getaffinity(0)), memory, gpus, _gpu_memory() if gpus else None)


def _gpu_memory() -> int | None:
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
        return min(int(line) for line in told.splitlines()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
