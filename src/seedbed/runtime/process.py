"""What is set once in a process that computes, before torch is imported."""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt's names of the two settings (malloc.h)."""
NEVER = -1
MAPPED_FROM = (1 << 30, 32 << 20)
"""Bytes from which an allocation is given back to the system when it is freed; glibc up to 2.35 or so takes no more
than the second."""
TUNED = ("MALLOC_MMAP_", "MALLOC_TRIM_", "MALLOC_TOP_PAD_")


def prepare_process() -> None:
    """Let torch's threads sleep while they wait, and freed memory stay with this process.

    Two processes that wait busily on two cores train 13 times slower. Feature maps are megabytes, which glibc asks
    the system for one by one and gives back at once, and the system clears each page anew: a sixth of a training
    step's CPU time and more (`python benchmarks/kept_memory.py`). An OMP_WAIT_POLICY and settings of malloc that
    somebody chose in the environment (MALLOC_MMAP_…, MALLOC_TRIM_…, MALLOC_TOP_PAD_, or glibc.malloc in
    GLIBC_TUNABLES) are left alone.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Whether freed memory stays with this process from now on: not without glibc, or against the environment."""
    chosen = any(name.startswith(TUNED) for name in os.environ)
    if chosen or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    # The second setting alone would fix the first one at 128 kB, so that even more is given back.
    if mallopt is None or not any(mallopt(M_MMAP_THRESHOLD, size) for size in MAPPED_FROM):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, NEVER))
