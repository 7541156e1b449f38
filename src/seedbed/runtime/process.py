"""What is set once in a process that computes, before torch is imported."""

from __future__ import annotations

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""mallopt's names of the two settings (malloc.h)."""
NEVER = -1
MAPPED_FROM = 1 << 30
"""Bytes from which an allocation is given back to the system when it is freed."""


def prepare_process() -> None:
    """Let torch's threads sleep while they wait, and freed memory stay with this process.

    Two processes that wait busily on two cores train 13 times slower. Feature maps are megabytes, which glibc asks
    the system for one by one and gives back at once, and the system clears each page anew: an eighth of a training
    step's CPU time and more (`python benchmarks/kept_memory.py`). An OMP_WAIT_POLICY or MALLOC_ variables that
    somebody set are left alone.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    chosen = any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ
    if not chosen and sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)
        mallopt(M_TRIM_THRESHOLD, NEVER)
