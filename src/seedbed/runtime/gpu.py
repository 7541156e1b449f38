"""Which GPU a local job takes: one file lock per device, held until the process ends.

`snakemake --resources gpu=4` only counts; it hands out no device ids. Every stage command therefore takes its devices
itself, so that `snakemake`, `dvc repro` and a second checkout on the same machine never share one. The kernel frees
the locks on any death. Under SLURM the scheduler has chosen already, and the locks stand aside.
"""

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError
from seedbed.runtime.locks import try_lock

DEVICES = "SEEDBED_GPUS"
"""Environment variable that names the devices of this machine (`0,1,2,3`) instead of what nvidia-smi says."""

LOCKS = Path("/tmp") / f"seedbed-gpus-{os.getuid()}"
"""Folder of the lock files: on a local disk, and one for all of a user's processes, whatever their environment."""

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_UUIDS = ("GPU-", "MIG-")


def local_devices() -> dict[str, str]:
    """The devices that this process may use: those of the machine, less what CUDA_VISIBLE_DEVICES hides.

    CUDA_VISIBLE_DEVICES may also name devices by UUID (`GPU-…`, `MIG-…`); these are taken as they stand.

    Returns:
        by id as it was given, what the lock is named after: the UUID where nvidia-smi tells it, else the id. Each
        device is there once.
    """
    uuids = _uuids()
    known = _listed(os.environ[DEVICES]) if DEVICES in os.environ else list(uuids)
    visible = os.environ.get(_VISIBLE)
    asked = known if visible is None else _listed(visible)
    by_lock: dict[str, str] = {}
    for device in asked:
        if device in known or device.startswith(_UUIDS):
            by_lock.setdefault(_uuid(device, uuids), device)
    return {device: lock for lock, device in by_lock.items()}


def _listed(text: str) -> list[str]:
    return [device.strip() for device in text.split(",") if device.strip()]


def _uuids() -> dict[str, str]:
    """UUIDs of the machine's devices by index; empty where nvidia-smi does not tell."""
    try:
        listing = subprocess.run(
            ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (line.partition(",") for line in listing.stdout.splitlines())
    return {index.strip(): uuid.strip() for index, _, uuid in rows if index.strip()}


def _uuid(device: str, uuids: dict[str, str]) -> str:
    """The UUID of a device that is named by index, by UUID, or by the beginning of one; else the name itself."""
    if device in uuids:
        return uuids[device]
    begun = [uuid for uuid in uuids.values() if device.startswith(_UUIDS) and uuid.startswith(device)]
    return begun[0] if len(begun) == 1 else device


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
        SeedbedError: more devices are wanted than the machine has, or the folder of the locks is not this user's own.
    """
    if "SLURM_JOB_ID" in os.environ:
        yield []
        return
    devices = local_devices() if count else {}
    if not devices:
        os.environ[_VISIBLE] = ""
        yield []
        return
    if count > len(devices):
        raise SeedbedError(
            f"{count} GPUs were requested, but this machine has {len(devices)}; lower `gpu` in the profile"
        )
    with ExitStack() as stack:
        folder = _own_folder(stack)
        held: dict[str, IO[str]] = {}
        while not held:
            with _open_lock(folder, "gate") as gate:
                if try_lock(gate):
                    held = _lock_devices(folder, devices, count)
            if not held:
                time.sleep(poll_s)
        for stream in held.values():
            stack.enter_context(stream)
            stream.truncate(0)
            stream.write(f"pid {os.getpid()} {owner}\n")
            stream.flush()
        os.environ[_VISIBLE] = ",".join(held)
        yield list(held)


def _own_folder(stack: ExitStack) -> int:
    """The folder of the locks, made where it is missing and open to nobody else, as a file descriptor.

    Raises:
        SeedbedError: someone else put something in its place.
    """
    with writing(LOCKS):
        LOCKS.mkdir(mode=0o700, exist_ok=True)
    try:
        folder = os.open(LOCKS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        raise SeedbedError(f"{LOCKS} is not a folder of this user; have it removed, then run again") from None
    stack.callback(os.close, folder)
    found = os.fstat(folder)
    if found.st_uid != os.getuid():
        raise SeedbedError(
            f"{LOCKS} belongs to another user (uid {found.st_uid}); have it removed, then run again"
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        os.fchmod(folder, 0o700)
    return folder


def _open_lock(folder: int, name: str) -> IO[str]:
    """A lock file, made where it is missing and never reached through a link.

    Raises:
        SeedbedError: a link or a folder has its name.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "a+")
    except OSError as error:
        raise SeedbedError(f"{LOCKS / name} is not a lock file ({error.strerror}); remove it") from None


def _lock_devices(folder: int, devices: dict[str, str], count: int) -> dict[str, IO[str]]:
    held: dict[str, IO[str]] = {}
    for device, lock in devices.items():
        stream = _open_lock(folder, f"device-{quote(lock, safe='')}")
        if not try_lock(stream):
            stream.close()
            continue
        held[device] = stream
        if len(held) == count:
            return held
    for device_file in held.values():
        device_file.close()
    return {}
