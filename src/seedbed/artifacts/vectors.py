"""Named vectors of each image on disk: one `.safetensors` per shard (class probabilities, pooled features)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors.numpy import save

from seedbed.artifacts.manifest import run_again, sha256_bytes
from seedbed.artifacts.safe_file import KEY, SafeFile
from seedbed.errors import SeedbedError

Vectors = Mapping[str, Float32[np.ndarray, "_"]]
"""The vectors of one image, by name."""


def encode_vectors(payload: Vectors) -> tuple[str, dict[str, np.ndarray]]:
    """Digest of an image's vectors, and what `pack_vectors` takes."""
    arrays = {name: np.ascontiguousarray(payload[name], dtype=np.float32) for name in sorted(payload)}
    head = json.dumps([[name, array.shape] for name, array in arrays.items()])
    return sha256_bytes(head.encode() + b"\0" + b"".join(a.tobytes() for a in arrays.values())), arrays


def pack_vectors(vectors: Mapping[str, Vectors]) -> bytes:
    """One safetensors file with the vectors of many images: one matrix per name, one row per image id, sorted.

    Raises:
        ValueError: an image has vectors of other names or lengths than the first.
    """
    ids = sorted(vectors)
    names = sorted(vectors[ids[0]]) if ids else []
    for image_id in ids:
        if sorted(vectors[image_id]) != names:
            raise ValueError(f"image {image_id!r} has vectors {sorted(vectors[image_id])}, expected {names}")
    tensors = {name: np.stack([vectors[image_id][name] for image_id in ids]) for name in names}
    return save(tensors, metadata={KEY: json.dumps(ids)})


class VectorStore:
    """Vectors of one or more shards.

    Args:
        shards: the `.safetensors` files of an artifact's shards.
        facts: of the artifact's manifest.
    """

    def __init__(self, shards: Sequence[Path], facts: Mapping[str, Any]) -> None:
        self._where: dict[str, tuple[dict[str, np.ndarray], int]] = {}
        for path in shards:
            file = SafeFile(path)
            tensors, ids = {name: file.tensor(name) for name in file.names}, file.told(list)
            for name, matrix in tensors.items():
                if matrix.dtype != np.float32 or matrix.ndim != 2 or len(matrix) != len(ids):
                    raise SeedbedError(
                        f"{path}: {name}: expected 32-bit numbers in {len(ids)} rows, got {matrix.dtype} "
                        f"{matrix.shape}; {run_again(path)}"
                    )
                if not np.isfinite(matrix).all():
                    raise SeedbedError(f"{path}: {name}: expected finite values; {run_again(path)}")
            if not all(isinstance(i, str) for i in ids) or len({*ids}) < len(ids):
                raise SeedbedError(f"{path}: expected ids of images, each once; {run_again(path)}")
            self._where |= {image_id: (tensors, row) for row, image_id in enumerate(ids)}

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._where

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._where))

    def __getitem__(self, image_id: str) -> dict[str, Float32[np.ndarray, "_"]]:
        """The vectors of an image by name.

        Raises:
            SeedbedError: the shards have none for it.
        """
        if image_id not in self._where:
            raise SeedbedError(
                f"no vectors for image {image_id!r} among {len(self._where)}; run the stage that made them again"
            )
        tensors, row = self._where[image_id]
        return {name: matrix[row] for name, matrix in tensors.items()}

    def fields(self, image_id: str) -> dict[str, Float32[np.ndarray, "_"]]:
        """What a training method reads for an image: each vector by its name."""
        return self[image_id]
