"""Confusion counts of every pair of thresholds, from one pass over the CAMs.

A pixel's label under a pair (bg_threshold, fg_threshold) depends on its greatest score s and on the class
that has it:

    s ≥ fg_threshold: that class;  else s ≤ bg_threshold: background;  else neutral

(Tezcan & Cinbis, §1; with equal thresholds a score on both is foreground, and no pixel is neutral). So a
histogram of true class × winning class × position of s among the thresholds holds the counts of all pairs:
exactly, ties included, because a score on a threshold has a position of its own. Histograms add up over images,
shards and splits.

Not for labels with a dense CRF between threshold and label: these depend on more than s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int64, UInt8

from seedbed.labels import IGNORE
from seedbed.metrics.threshold_grid import as_maps, bin_search, decisive_positions, threshold_grid


@dataclass
class ThresholdTable:
    """Histogram of true class × winning class × position among the thresholds.

    Attributes:
        thresholds: T, ascending.
        counts: rows 0 to K - 1 true class, row K pixels without a label; then the K - 1 foreground classes;
            then positions: 2·i above threshold i - 1 and below i, 2·i + 1 on threshold i.
    """

    thresholds: Float32[np.ndarray, "T"]
    counts: Int64[np.ndarray, "rows winners 2*T+1"]

    @classmethod
    def empty(cls, thresholds: Sequence[float], classes: int) -> "ThresholdTable":
        """A table without pixels.

        Args:
            thresholds: every background and foreground threshold that will be asked for, in any order.
            classes: K, the number of classes with background.

        Raises:
            ValueError: thresholds that do not make a grid, or a K outside 2 … 255.
        """
        if not 2 <= classes <= IGNORE:
            raise ValueError(f"expected 2 to {IGNORE} classes with background, got {classes}")
        grid = threshold_grid(thresholds)
        return cls(grid, np.zeros((classes + 1, classes - 1, 2 * grid.size + 1), np.int64))

    def add(
        self,
        cam: Float[np.ndarray, "C H W"],
        class_ids: Int[np.ndarray, "C"],
        truth: UInt8[np.ndarray, "..."] | None = None,
    ) -> None:
        """Count one image.

        Args:
            cam: float32 maps of the classes that the image-level labels name; where scores are equal, the first
                map wins.
            class_ids: their foreground classes from 0; class c has value c + 1 in a mask.
            truth: H × W, 255 for pixels without a label; None if there is no mask (then only the neutral ratio is
                known).

        Raises:
            ValueError: `cam` is not float32 or holds NaN, sizes differ, or a class is unknown.
        """
        from seedbed.metrics._kernels import count_scores

        classes = len(self.counts) - 1
        if truth is None:
            truth = np.full(cam.shape[1:], IGNORE, np.uint8)
        if truth.shape != cam.shape[1:]:
            raise ValueError(
                f"expected truth of the CAM's size {cam.shape[1:]}, got {truth.shape}; resize the CAM to the image"
            )
        if (
            len(np.unique(class_ids)) != len(class_ids)
            or not ((class_ids >= 0) & (class_ids < classes - 1)).all()
        ):
            raise ValueError(f"expected distinct classes from 0 to {classes - 2}, got {class_ids.tolist()}")
        maps = as_maps("cam", cam)
        row = len(maps) * self.counts.shape[2]
        offset = np.full(256, (classes + 1) * row, np.int64)
        offset[:classes] = np.arange(classes) * row
        offset[IGNORE] = classes * row
        rows = np.ascontiguousarray(truth).ravel()
        cells, numbers = count_scores(maps, rows, offset, *bin_search(self.thresholds), (classes + 2) * row)
        if not numbers:
            raise ValueError("the CAM holds NaN; its classifier diverged or its file is damaged")
        image = cells.reshape(classes + 2, len(maps), -1)
        if image[-1].any():
            foreign = truth[(truth >= classes) & (truth != IGNORE)][0]
            raise ValueError(
                f"expected truth from 0 to {classes - 1}, or {IGNORE}, got {foreign}; check the list of classes"
            )
        self.counts[:, class_ids if len(class_ids) else [0], :] += image[:-1]

    def __add__(self, other: "ThresholdTable") -> "ThresholdTable":
        if self.counts.shape != other.counts.shape or not np.array_equal(self.thresholds, other.thresholds):
            raise ValueError(
                f"{self._size()} and {other._size()} do not add up; make both for the same thresholds and classes"
            )
        return ThresholdTable(self.thresholds, self.counts + other.counts)

    def _size(self) -> str:
        return f"a table of {self.thresholds.size} thresholds and {len(self.counts) - 1} classes"

    def confusion(self, pairs: Sequence[tuple[float, float]]) -> Int64[np.ndarray, "P K K+1"]:
        """Confusion counts of each (bg_threshold, fg_threshold), as `seedbed.metrics.confusion` defines them.

        Raises:
            ValueError: a background threshold above its foreground threshold, or one for which the table was not made.
        """
        return self._confusion(*decisive_positions(self.thresholds, pairs))

    def neutral_ratio(self, pairs: Sequence[tuple[float, float]]) -> Float64[np.ndarray, "P"]:
        """NPR of each pair over all pixels, including those without a label in the truth; NaN without pixels."""
        last_background, first_foreground = decisive_positions(self.thresholds, pairs)
        total = self.counts.sum()
        if not total:
            return np.full(len(pairs), np.nan)
        up_to = self.counts.sum((0, 1)).cumsum()
        neutral = up_to[first_foreground - 1] - up_to[last_background]
        return np.asarray(neutral / total)

    def curve(self) -> Int64[np.ndarray, "T K K+1"]:
        """Confusion counts at each single threshold: background where the score does not exceed it, nothing neutral.

        This is the arg-max of [constant, CAM], where background comes first and wins ties.
        """
        on_threshold = 2 * np.arange(self.thresholds.size) + 1
        return self._confusion(on_threshold, on_threshold + 1)

    def areas(self) -> Float64[np.ndarray, "T winners"]:
        """Share of all pixels that each foreground class has at each single threshold; NaN without pixels."""
        above = self.counts.sum(0)[:, ::-1].cumsum(1)[:, ::-1]
        total = self.counts.sum()
        if not total:
            return np.full((self.thresholds.size, len(above)), np.nan)
        return np.asarray(above[:, 2::2].T / total)

    def _confusion(
        self, last_background: Int64[np.ndarray, "P"], first_foreground: Int64[np.ndarray, "P"]
    ) -> Int64[np.ndarray, "P K K+1"]:
        labelled = self.counts[:-1].transpose(2, 0, 1)
        up_to = labelled.cumsum(0)
        total = up_to[-1]
        classes = len(total)
        result = np.empty((len(last_background), classes, classes + 1), np.int64)
        result[:, :, 0] = up_to.sum(2)[last_background]
        result[:, :, 1:classes] = (total - up_to)[first_foreground - 1]
        result[:, :, classes] = (up_to.sum(2)[first_foreground - 1]) - result[:, :, 0]
        return result
