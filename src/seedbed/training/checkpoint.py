"""Checkpoints of a running training: complete, tensors and plain values only, written atomically.

The file begins with a line that holds the SHA-256 of the rest, since a flipped bit in a weight is a valid weight.
All randomness of training is keyed by (rng, epoch, step), so no generator state has to be kept.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import sha256_bytes, sha256_file
from seedbed.errors import SeedbedError

NAME = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands."""

    key: str
    """What is trained on what; a checkpoint of another key is worthless."""
    epoch: int
    """The epoch to go on with, from 0."""
    index: int
    """Optimiser steps already done in that epoch; the data position is this times `accumulate` batches."""
    method: dict[str, Tensor]
    """State dict of the method, with all networks."""
    optimisers: dict[str, dict[str, Any]]
    """State dict of each player's optimiser."""
    rows: list[dict[str, float | int]]
    """History so far."""
    fields: dict[str, int]
    """Stamps of the fields that the method has written (`seedbed.input.field_store`)."""
    files: dict[str, str]
    """SHA-256 of the files that belong to it, by path below its folder: fields, and weights of kept epochs."""

    def is_finite(self) -> bool:
        """Whether all weights and statistics are finite."""
        return all(bool(t.isfinite().all()) for t in self.method.values() if t.is_floating_point())


def save_checkpoint(checkpoint: Checkpoint, work: Path) -> None:
    """Write atomically: a kill leaves the old checkpoint or the new one.

    Raises:
        SeedbedError: the disk is full or permission is missing; the old checkpoint stays.
    """
    buffer = io.BytesIO()  # torch hides the system's error when it writes to a file itself
    torch.save(asdict(checkpoint), buffer)
    content = buffer.getvalue()
    write_bytes(work / NAME, sha256_bytes(content).encode() + b"\n" + content)


def load_checkpoint(
    work: Path, key: str, log: Callable[[str], None] = lambda line: None
) -> Checkpoint | None:
    """The checkpoint of this key, whose files are all there unchanged.

    Args:
        work: its folder, which is removed where the checkpoint is of another key, damaged, or not there.
        key: what is trained on what.
        log: gets a line that says why a checkpoint was not taken.
    """
    for left in work.glob(f".{NAME}.*.tmp"):  # by a writer that was killed
        left.unlink()
    if (work / NAME).is_file():
        try:
            return _read(work, key)
        except SeedbedError as error:
            log(f"{error}; starting afresh")
    if work.is_dir():
        shutil.rmtree(work)
    return None


def _read(work: Path, key: str) -> Checkpoint:
    path = work / NAME
    written, _, content = path.read_bytes().partition(b"\n")
    if sha256_bytes(content).encode() != written:
        raise SeedbedError(f"{path} is damaged")
    try:
        found = Checkpoint(**torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    except Exception:  # torch raises many kinds
        raise SeedbedError(f"{path} is not a checkpoint of this version") from None
    if found.key != key:
        raise SeedbedError(f"{path} is of other parameters or inputs")
    for name, sha256 in found.files.items():
        if not (work / name).is_file():
            raise SeedbedError(f"{work / name} is missing, though {NAME} names it")
        if sha256_file(work / name) != sha256:
            raise SeedbedError(f"{work / name} is not the file that {NAME} names")
    return found
