"""What training reads from a split: photographs, image-level labels and per-image fields, by image id."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Shaped
from PIL import Image

from seedbed.datasets.base import Dataset
from seedbed.input.field_store import FieldStore

ReadFields = Callable[[str], Mapping[str, np.ndarray]]
"""From an image id to the fields of an input: a single field under the empty name, or several by name."""


@runtime_checkable
class Examples(Protocol):
    """What a loader reads, and what a method may look through at the start of an epoch."""

    @property
    def ids(self) -> Sequence[str]:
        """Ids of all images."""
        ...

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB."""
        ...

    def labels(self, image_id: str) -> Bool[np.ndarray, classes]:
        """Image-level labels."""
        ...

    def fields(self, image_id: str) -> Mapping[str, Shaped[np.ndarray, ...]]:
        """Per-image inputs by name (`transforms.FIELDS` lists their kinds); the same names for every image."""
        ...


@dataclass(frozen=True)
class SplitExamples:
    """A split of a data set.

    Attributes:
        reads: by input name.
        store: fields that the method itself has written; they win over inputs of the same name.
    """

    dataset: Dataset
    split: str
    reads: Mapping[str, ReadFields] = field(default_factory=dict)
    store: FieldStore | None = None

    @property
    def ids(self) -> Sequence[str]:
        """Ids of the split."""
        return self.dataset.image_ids(self.split)

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB."""
        return self.dataset.image(image_id)

    def labels(self, image_id: str) -> Bool[np.ndarray, classes]:
        """Image-level labels."""
        return self.dataset.labels(image_id)

    def fields(self, image_id: str) -> Mapping[str, Shaped[np.ndarray, ...]]:
        """`labels` for an input with a single field, `features.pooled` for one of several."""
        found = {
            f"{name}.{part}" if part else name: value
            for name, read in self.reads.items()
            for part, value in read(image_id).items()
        }
        return found | (self.store.fields(image_id) if self.store is not None else {})
