"""Weights after the epochs that `keep_epochs` names: a file each in the work folder, until the training is done.

They can be large, so a checkpoint holds only their digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import sha256_bytes
from seedbed.artifacts.models import encode_state, read_state

SUFFIX = ".safetensors"


class KeptEpochs:
    """State dicts by epoch, from 1.

    Args:
        folder: where the files lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.digests: dict[Path, str] = {}
        """SHA-256 of each file."""

    def write(self, epoch: int, state: Mapping[str, Tensor]) -> None:
        """Keep the state after an epoch.

        Raises:
            SeedbedError: the disk is full, or permission is missing.
        """
        path = self.folder / f"{epoch:05d}{SUFFIX}"
        content = encode_state(state)
        write_bytes(path, content)
        self.digests[path] = sha256_bytes(content)

    def restore(self, digests: Mapping[Path, str]) -> None:
        """Take up those of a checkpoint's files that lie in this folder."""
        self.digests = {path: digest for path, digest in digests.items() if path.parent == self.folder}

    def states(self) -> Iterator[tuple[int, dict[str, Tensor]]]:
        """Epochs in rising order, with their states on the CPU."""
        for path in sorted(self.digests):
            yield int(path.stem), read_state(path)
