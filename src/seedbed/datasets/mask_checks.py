"""What masks say against the image-level labels, collected while the masks are read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from seedbed.labels import IGNORE

MANY = 10
"""More faults of one kind than this, or the same fault at all images, are reported in one line."""


@dataclass
class MaskChecks:
    """Faults of masks that can be read.

    Args:
        classes: of the data set.
        indices: index of each class in the files.
        unclear: classes whose index in the masks is not their own, which are therefore not compared.
    """

    classes: Sequence[str]
    indices: Sequence[int]
    unclear: frozenset[str] = frozenset()
    shown: Counter[str] = field(default_factory=Counter)
    """Number of masks that show a class."""
    read: int = 0
    """Number of masks that were read."""
    _without_background: int = 0
    _empty: list[Path] = field(default_factory=list)
    """Masks of labelled images that hold background only."""
    _void_only: list[str] = field(default_factory=list)
    _with_label: int = 0

    def show(self, mask: UInt8[np.ndarray, "height width"]) -> list[str]:
        """Count a mask that needs no comparison; its classes."""
        self.read += 1
        found = [self.classes[v - 1] for v in np.unique(mask) if 0 < v <= len(self.classes)]
        self.shown.update(found)
        self._without_background += not (mask == 0).any()
        return found

    def check(
        self,
        path: Path,
        mask: UInt8[np.ndarray, "height width"],
        labels: Bool[np.ndarray, "classes"] | None,
    ) -> list[str]:
        """Compare a mask with the labels of its image.

        Args:
            path: file of the mask.
            mask: indices of the data set.
            labels: None if they are not known.
        """
        found = self.show(mask)
        values = np.unique(mask)
        labelled = (
            [] if labels is None else [c for c, present in zip(self.classes, labels, strict=True) if present]
        )
        self._with_label += bool(labelled)
        if labelled and values.tolist() == [0]:
            self._empty.append(path)
        if values.tolist() == [IGNORE]:
            return [f"{path}: every pixel is {IGNORE} (no label); replace it, or declare `masks: false`"]
        if labelled and values.tolist() == [0, IGNORE]:
            index = self.indices[self.classes.index(labelled[0])]
            self._void_only.append(
                f"{path}: the image has the label {labelled[0]!r}, but the mask holds only 0 and {IGNORE}, and {IGNORE}"
                f" means 'no label'; write {index} for {labelled[0]!r}"
            )
        if labels is None:
            return []
        return [
            f"{path}: the mask shows {name!r}, which is not a label of the image"
            f" ({', '.join(labelled) or 'it has none'}); correct one of them"
            for name in found
            if name not in labelled and name not in self.unclear
        ]

    def summary(self) -> list[str]:
        """Faults that are reported after the last mask."""
        told = self._void_only
        return told if len(told) < self._with_label or len(told) < 2 else in_one_line(told, "masks")

    def notes(self) -> list[str]:
        """Classes that no mask shows, masks that show none of their labels, and masks that all lack background."""
        absent = [c for c in self.classes if not self.shown[c]] if self.read else []
        found = [f"no mask shows {', '.join(map(repr, absent))}"] if absent else []
        if self._empty:
            number = len(self._empty)
            of = (
                f"{number} masks of images with a class hold"
                if number > 1
                else "1 mask of an image with a class holds"
            )
            found.append(f"{of} background only, {'first ' if number > 1 else ''}{self._empty[0]}")
        if self.read and self._without_background == self.read:
            found.append(f"no mask has a pixel of background (0); are 0 and {IGNORE} swapped?")
        return found


def in_one_line(faults: Sequence[str], what: str) -> list[str]:
    """The first of several equal faults, and how many more there are.

    Args:
        faults: one line each, of one kind.
        what: what they are faults of, plural.
    """
    return [f"{faults[0]} (and {len(faults) - 1} more {what} likewise)"] if len(faults) > 1 else list(faults)
