"""A data set in front of another one: what a subclass does not say is that one's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from seedbed.datasets.base import Dataset


class WrappedDataset:
    """A `Dataset` that passes everything on.

    Args:
        whole: the data set as it is.
    """

    classes: tuple[str, ...]

    def __init__(self, whole: Dataset) -> None:
        self.whole = whole
        self.name = whole.name
        self.classes = whole.classes

    def image_ids(self, split: str) -> Sequence[str]:
        """Ids of a split, in the data set's own order."""
        return self.whole.image_ids(split)

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB."""
        return self.whole.image(image_id)

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels."""
        return self.whole.labels(image_id)

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth."""
        return self.whole.mask(image_id)

    def source(self, image_id: str) -> Path | None:
        """The image's file, as it is."""
        return self.whole.source(image_id)

    def faults(self) -> list[str]:
        """Faults of the data set as it is."""
        return self.whole.faults()

    def __getattr__(self, name: str) -> Any:
        """What kinds of data sets have besides: `notes`, for instance."""
        if name == "whole":  # while an instance is made by unpickling, in a loader's process
            raise AttributeError(name)
        return getattr(self.whole, name)
