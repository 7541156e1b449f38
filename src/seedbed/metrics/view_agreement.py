"""How well label maps of single views agree with that of all views together, over a grid of background scores.

A view is one scale of stored CAMs, or one of its two halves where the mirrored one is stored on its own. IoU is counted
between the two label maps, over all images; half of the measure is the background's, half the mean of the classes',
because without that weight a threshold of 0, at which everything is foreground, agrees best.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int, Int64

from seedbed.metrics.threshold_grid import threshold_grid


@dataclass
class ViewAgreement:
    """Pixels in both label maps, and in either, of each class at each background score.

    Attributes:
        grid: background scores, ascending; a pixel is background where its score does not exceed it.
        both, either: row 0 background, then the classes.
    """

    grid: Float32[np.ndarray, "T"]
    both: Int64[np.ndarray, "K T"]
    either: Int64[np.ndarray, "K T"]

    @classmethod
    def empty(cls, thresholds: Sequence[float], classes: int) -> "ViewAgreement":
        """Nothing counted yet.

        Args:
            classes: K, the number of classes with background.
        """
        grid = threshold_grid(thresholds)
        return cls(grid, *(np.zeros((classes, grid.size), np.int64) for _ in range(2)))

    def add(
        self,
        whole: Float32[np.ndarray, "C H W"],
        view: Float32[np.ndarray, "..."],
        class_ids: Int[np.ndarray, "C"],
    ) -> None:
        """Count an image with at least one class.

        Args:
            whole: scores of all views together.
            view: scores of one, of the same shape.
            class_ids: foreground classes from 0, one per map.
        """
        first, first_place = whole.argmax(0), np.searchsorted(self.grid, whole.max(0))
        second, second_place = view.argmax(0), np.searchsorted(self.grid, view.max(0))
        lower, upper = np.minimum(first_place, second_place), np.maximum(first_place, second_place)
        self.both[0] += lower.size - self._above(upper)
        self.either[0] += lower.size - self._above(lower)
        for c, class_id in enumerate(class_ids):
            both = self._above(lower[(first == c) & (second == c)])
            self.both[class_id + 1] += both
            self.either[class_id + 1] += (
                self._above(first_place[first == c]) + self._above(second_place[second == c]) - both
            )

    def curve(self) -> Float64[np.ndarray, "T"]:
        """The agreement at each background score, in [0, 1]; NaN where there is no background, or no class."""
        iou = np.where(self.either > 0, self.both / np.maximum(self.either, 1), np.nan)
        classes = (self.either[1:] > 0).sum(0)
        foreground = np.where(classes > 0, np.nansum(iou[1:], axis=0) / np.maximum(classes, 1), np.nan)
        return np.asarray((iou[0] + foreground) / 2)

    def _above(self, places: Int64[np.ndarray, "..."]) -> Int64[np.ndarray, "T"]:
        """How many pixels exceed each background score; a place is the number of those that the pixel exceeds."""
        counts = np.bincount(places.ravel(), minlength=self.grid.size + 1)
        return np.asarray(counts[::-1].cumsum()[::-1][1:])
