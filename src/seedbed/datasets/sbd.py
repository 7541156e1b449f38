"""SBD (Hariharan et al. 2011) joined to PASCAL VOC 2012: the 10,582 images of `train_aug`, on which the field trains.

SBD's masks are `.mat` files of classes in VOC's order, without void. Where VOC has a mask of its own, that one counts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from seedbed.datasets.declaration import RelativePath, SplitDeclaration, expanded
from seedbed.datasets.files import memory_for, read_mask, renumbered
from seedbed.datasets.listed import SplitList
from seedbed.datasets.mat_file import numeric_field
from seedbed.datasets.voc import VocDataset, VocOptions
from seedbed.errors import SeedbedError
from seedbed.labels import MOST_PIXELS
from seedbed.regular_files import read_regular, system_reason

TRAIN_AUG = "train_aug"


class SbdOptions(VocOptions):
    """Options of kind `sbd`: those of `voc`, and where SBD is."""

    sbd: RelativePath = "../../benchmark_RELEASE/dataset"
    """SBD's folder of `cls`, `img`, `train.txt` and `val.txt`, relative to the root; `~` and `$VARIABLES` are
    expanded."""


class SbdDataset(VocDataset):
    """VOC's layout, whose list `train_aug` and whose further masks come from SBD."""

    Options: ClassVar = SbdOptions

    def __init__(
        self, name: str, root: Path | None, options: SbdOptions, splits: Mapping[str, SplitDeclaration]
    ) -> None:
        """Open it; only the list of class names is read.

        Raises:
            SeedbedError: the folder of SBD does not exist.
        """
        super().__init__(name, root, options, splits)
        self.sbd = self.root / expanded(options.sbd, f"data set {name!r}: sbd", f"datasets.{name}.with.sbd")
        if not self.sbd.is_dir():
            raise SeedbedError(
                f"data set {name!r}: expected SBD at {self.sbd}, but there is no such folder; "
                f"set datasets.{name}.with.sbd"
            )

    def source(self, image_id: str) -> Path:
        """The image's file: VOC's, or where VOC has none, SBD's."""
        own = super().source(image_id)
        other = self.sbd / "img" / f"{image_id}.jpg"
        return own if own.is_file() or not other.is_file() else other

    def places(self) -> list[Path]:
        """VOC's, and SBD's lists, photographs and masks."""
        return [*super().places(), self.sbd]

    def _read_split(self, split: str) -> SplitList:
        if (self.splits[split].list or split) == TRAIN_AUG and not self._list_path(split).is_file():
            return self._train_aug()
        return super()._read_split(split)

    def _train_aug(self) -> SplitList:
        """VOC's train, then those of SBD's train and val that are in neither train nor val of VOC, sorted."""
        folder = self.root / "ImageSets" / "Segmentation"
        own = SplitList.of_lines(folder / "train.txt")
        held_out = {*own.ids, *SplitList.of_lines(folder / "val.txt").ids}
        lists = [SplitList.of_lines(self.sbd / f"{name}.txt") for name in ("train", "val")]
        if empty := [found.path for found in lists if not found.ids]:
            raise SeedbedError(f"{empty[0]}: expected ids of SBD, one per line, got none; replace it")
        # An id that is there twice stays so, and is refused as in any list.
        added = sorted(
            (image_id, line, found.path)
            for found in lists
            for image_id, line in zip(found.ids, found.lines, strict=True)
            if image_id not in held_out
        )
        ids, lines, files = map(list, zip(*added, strict=True)) if added else ([], [], [])
        return SplitList(own.path, own.ids + ids, own.lines + lines, [own.path] * len(own.ids) + files)

    def _mask_path(self, image_id: str) -> Path | None:
        found = super()._mask_path(image_id)
        other = self.sbd / "cls" / f"{image_id}.mat"
        return other if found is None and other.is_file() else found

    def _read_mask(
        self, image_id: str, path: Path, size: tuple[int, int] | None = None
    ) -> UInt8[np.ndarray, "height width"]:
        if path.suffix != ".mat":
            return read_mask(path, self._lookup, size, self.source(image_id))
        return renumbered(path, read_mat(path), self._lookup, size, self.source(image_id))


def read_mat(path: Path) -> UInt8[np.ndarray, "height width"]:
    """The indices in one of SBD's `.mat` files, `GTcls.Segmentation`.

    Raises:
        SeedbedError: the file is missing, not readable, or holds something else.
    """
    try:
        with memory_for(path):
            mask = numeric_field(read_regular(path), "GTcls", "Segmentation", MOST_PIXELS)
    except FileNotFoundError:
        raise SeedbedError(f"{path}: expected a mask of SBD, but there is no such file") from None
    except (OSError, ValueError) as error:
        told = system_reason(error) if isinstance(error, OSError) else str(error)
        raise SeedbedError(
            f"{path}: not a readable mask of SBD, GTcls.Segmentation ({told}); replace it"
        ) from None
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise SeedbedError(
            f"{path}: expected GTcls.Segmentation as uint8 of two dimensions, got {mask.dtype} {mask.shape}; replace it"
        )
    return mask
