"""What data sets of files have in common: lists of ids that say which images are in a split."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seedbed.datasets.declaration import SplitDeclaration
from seedbed.datasets.files import duplicates, read_image, read_mask
from seedbed.errors import SeedbedError, unknown_name


class ListedDataset(ABC):
    """Splits that are lists of ids; each image and each mask is a file of its own."""

    _lookup: UInt8[np.ndarray, "256"]
    """Index in a mask's file → index of the data set (`mask_lookup`)."""

    def __init__(self, name: str, root: Path, splits: Mapping[str, SplitDeclaration]) -> None:
        """Keep name, root and splits; nothing is read."""
        self.name = name
        self.root = root
        self.splits = dict(splits)
        self._lists: dict[str, tuple[list[str], Path]] = {}

    @abstractmethod
    def source(self, image_id: str) -> Path:
        """The image's file."""

    @abstractmethod
    def _read_split(self, split: str) -> tuple[list[str], Path]:
        """Ids of a declared split, and the file from which they come."""

    @abstractmethod
    def _mask_path(self, image_id: str) -> Path: ...

    def image_ids(self, split: str) -> Sequence[str]:
        """Ids of a split, in the order of its file.

        Raises:
            SeedbedError: the split is not declared, or nothing says which images are in it, or it has no images.
        """
        if split not in self.splits:
            raise SeedbedError(f"data set {self.name!r}: {unknown_name('split', split, self.splits)}")
        ids, where = self._split(split)
        if not ids:
            raise SeedbedError(
                f"{where}: expected ids of the images of split {split!r}, got none; fill the list"
            )
        return ids

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB."""
        return read_image(self.source(image_id))

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth; None if no split with masks lists the image."""
        return read_mask(self._mask_path(image_id), self._lookup) if image_id in self._masked else None

    def _split(self, split: str) -> tuple[list[str], Path]:
        if split not in self._lists:
            self._lists[split] = self._read_split(split)
        return self._lists[split]

    def _split_faults(self) -> list[str]:
        """Lists that cannot be read, and ids that a list contains twice."""
        faults = []
        for split in self.splits:
            try:
                ids = self.image_ids(split)
            except SeedbedError as error:
                faults.append(str(error))
                continue
            faults += [f"{self._split(split)[1]}: {i!r} is listed twice" for i in duplicates(ids)]
        return faults

    @cached_property
    def _listed(self) -> dict[str, None]:
        """Ids of all readable lists, without repetition."""
        return dict.fromkeys(i for split in self.splits for i in self._readable(split))

    @cached_property
    def _masked(self) -> frozenset[str]:
        return frozenset(i for split, s in self.splits.items() if s.masks for i in self._readable(split))

    def _readable(self, split: str) -> list[str]:
        try:
            return self._split(split)[0]
        except SeedbedError:
            return []
