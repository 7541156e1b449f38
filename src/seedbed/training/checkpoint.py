"""Checkpoints of a running training: complete, tensors and plain values only, written atomically.

All randomness of training is keyed by (rng, epoch, step), so no generator state has to be kept.
"""

from __future__ import annotations

import io
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seedbed.artifacts.atomic import write_bytes

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
    write_bytes(work / NAME, buffer.getvalue())


def load_checkpoint(work: Path, key: str) -> Checkpoint | None:
    """The checkpoint of this key; with another key, or unreadable, the folder is removed: None."""
    path = work / NAME
    for left in work.glob(f".{NAME}.*.tmp"):  # by a writer that was killed
        left.unlink()
    if path.is_file():
        try:
            found = Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
        except Exception:  # torch raises many kinds for a damaged file; all mean: start afresh
            found = None
        if found is not None and found.key == key:
            return found
    if work.is_dir():
        shutil.rmtree(work)
    return None
