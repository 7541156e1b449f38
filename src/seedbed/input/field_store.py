"""Per-image fields that a method writes at an epoch's start (ISIM's regenerated labels), on disk.

The loader reads them from then on. Each writing is a file of its own, stamped by its epoch; the checkpoint names the
stamps and the files' digests, so that a resumed run reads what the killed one read.
"""

import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import starmap
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from seedbed.artifacts.atomic import atomic_file
from seedbed.artifacts.manifest import sha256_file
from seedbed.errors import SeedbedError, one_line


class FieldStore:
    """Fields by name and image id.

    Args:
        folder: where the files lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stamps: dict[str, int] = {}
        self.digests: dict[Path, str] = {}
        """SHA-256 of each file that a stamp names."""
        self._archives: dict[tuple[int, Path], zipfile.ZipFile] = {}

    def write(self, name: str, epoch: int, values: Iterable[tuple[str, Shaped[np.ndarray, "..."]]]) -> None:
        """Write a field of every image, which replaces what an earlier epoch wrote.

        Args:
            name: key in `Batch.fields`.
            epoch: from 0; the stamp.
            values: (image id, value); a label map, maps or a vector as in `transforms.FIELDS`.

        Raises:
            SeedbedError: the disk is full, or permission is missing.
        """
        path = self._path(name, epoch)
        with atomic_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
            for image_id, value in _made(name, values):
                content = io.BytesIO()
                np.save(content, value, allow_pickle=False)
                archive.writestr(image_id, content.getvalue(), zipfile.ZIP_DEFLATED, 1)
        if name in self.stamps:
            del self.digests[self._path(name, self.stamps[name])]
        self.stamps[name] = epoch
        self.digests[path] = sha256_file(path)

    def fields(self, image_id: str) -> dict[str, Shaped[np.ndarray, "..."]]:
        """Every written field of an image.

        Raises:
            SeedbedError: a field was not written for it.
        """
        return {name: self._read(self._path(name, epoch), image_id) for name, epoch in self.stamps.items()}

    def restore(self, stamps: Mapping[str, int], digests: Mapping[Path, str]) -> None:
        """Go back to the stamps of a checkpoint.

        Args:
            stamps: epoch by field.
            digests: SHA-256 of the checkpoint's files, those of the stamps among them.
        """
        self.stamps = dict(stamps)
        self.digests = {path: digests[path] for path in starmap(self._path, stamps.items())}

    def prune(self) -> None:
        """Delete what no stamp names; called when a checkpoint with these stamps is on disk."""
        for path in self.folder.glob("*.zip"):
            if path not in self.digests:
                path.unlink()

    def _path(self, name: str, epoch: int) -> Path:
        return self.folder / f"{name}-{epoch:05d}.zip"

    def _read(self, path: Path, image_id: str) -> Shaped[np.ndarray, "..."]:
        key = (os.getpid(), path)  # a loader's process must not share its place in the file with others
        if key not in self._archives:
            self._archives[key] = zipfile.ZipFile(path)
        try:
            content = self._archives[key].read(image_id)
        except KeyError:
            raise SeedbedError(
                f"{path.stem}: no field of image {image_id!r}; a method writes a field for every image"
            ) from None
        value: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
        return value


def _made(
    name: str, values: Iterable[tuple[str, Shaped[np.ndarray, "..."]]]
) -> Iterator[tuple[str, Shaped[np.ndarray, "..."]]]:
    """The values, with errors of whoever makes them told apart from those of writing."""
    try:
        yield from values
    except OSError as error:
        raise SeedbedError(f"{name} cannot be made: {one_line(error)}") from error
