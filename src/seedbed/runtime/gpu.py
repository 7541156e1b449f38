"""Which GPU a local job takes: one file lock per device, held until the process ends.

`snakemake --resources gpu=4` only counts; it hands out no device ids. Every stage command therefore takes its devices
itself, so that `snakemake`, `dvc repro` and a second checkout on the same machine never share one. The kernel frees
the locks on any death. Under SLURM the scheduler has chosen already, and the locks stand aside.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from seedbed.errors import SeedbedError
from seedbed.runtime.locks import try_lock

DEVICES = "SEEDBED_GPUS"
"""Environment variable that names the devices of this machine (`0,1,2,3`) instead of what nvidia-smi says."""

_VISIBLE = "CUDA_VISIBLE_DEVICES"


def local_devices() -> list[str]:
    """Ids of the devices that this process may use: those of the machine, less what CUDA_VISIBLE_DEVICES hides.

    CUDA_VISIBLE_DEVICES may also name devices by UUID (`GPU-…`, `MIG-…`); these are taken as they stand.
    """
    if DEVICES in os.environ:
        devices = [d for d in os.environ[DEVICES].split(",") if d]
    else:
        try:
            listing = subprocess.run(
                ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
            )
            devices = listing.stdout.split()
        except (OSError, subprocess.SubprocessError):
            devices = []
    visible = os.environ.get(_VISIBLE)
    if visible is None:
        return devices
    return [d for d in visible.split(",") if d in devices or d.startswith(("GPU-", "MIG-"))]


def lock_folder() -> Path:
    """Folder of the lock files, on a local disk and shared by all checkouts of this user."""
    return Path(tempfile.gettempdir()) / f"seedbed-gpus-{os.getuid()}"


@contextmanager
def gpu_slot(count: int, owner: str, poll_s: float = 0.1) -> Iterator[list[str]]:
    """Hold `count` devices, waiting for them, and set CUDA_VISIBLE_DEVICES to them.

    All or nothing: a job that does not get all of its devices holds none while it waits, so no two jobs can wait for
    each other.

    Args:
        count: devices wanted; with 0 every device is hidden.
        owner: what is written into the lock file, for diagnosis.
        poll_s: seconds between tries.

    Yields:
        the device ids; empty where the machine has none (the job then runs on the CPU) and under SLURM.

    Raises:
        SeedbedError: more devices are wanted than the machine has.
    """
    if "SLURM_JOB_ID" in os.environ:
        yield []
        return
    devices = local_devices() if count else []
    if not devices:
        os.environ[_VISIBLE] = ""
        yield []
        return
    if count > len(devices):
        raise SeedbedError(
            f"{count} GPUs are wanted, this machine has {len(devices)}; lower `gpu` in the profile"
        )
    folder = lock_folder()
    folder.mkdir(parents=True, exist_ok=True)
    held: dict[str, IO[str]] = {}
    try:
        while not held:
            with (folder / "gate").open("w") as gate:
                if try_lock(gate):
                    held = _lock_devices(folder, devices, count)
            if not held:
                time.sleep(poll_s)
        for stream in held.values():
            stream.truncate(0)
            stream.write(f"pid {os.getpid()} {owner}\n")
            stream.flush()
        os.environ[_VISIBLE] = ",".join(held)
        yield list(held)
    finally:
        for stream in held.values():
            stream.close()


def _lock_devices(folder: Path, devices: list[str], count: int) -> dict[str, IO[str]]:
    held: dict[str, IO[str]] = {}
    for device in devices:
        stream = (folder / f"device-{device}").open("a+")
        if not try_lock(stream):
            stream.close()
            continue
        held[device] = stream
        if len(held) == count:
            return held
    for device_file in held.values():
        device_file.close()
    return {}
