"""What a data set must provide. A new one is one file and one line in `DATASETS`.

Nothing here imports torch: planning, indexing and evaluation read data sets too.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image


@runtime_checkable
class Dataset(Protocol):
    """Photographs with image-level labels and, for evaluation only, masks.

    Ids of images come from the data set and are never derived from a naming scheme.
    """

    name: str
    classes: tuple[str, ...]
    """Foreground classes, without background; class c of `labels` has index c + 1 in a mask."""

    def image_ids(self, split: str) -> Sequence[str]:
        """Ids of a split, in the data set's own order."""
        ...

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB."""
        ...

    def labels(self, image_id: str) -> Bool[np.ndarray, "classes"]:
        """Image-level labels."""
        ...

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth: 0 background, c + 1 for class c, 255 without a label; None if there is no mask."""
        ...

    def source(self, image_id: str) -> Path | None:
        """The image's file; None if the image is generated."""
        ...

    def faults(self) -> list[str]:
        """Every fault of the data set, one line each, naming the file; empty if there is none."""
        ...
