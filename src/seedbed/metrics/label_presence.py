"""How many labelled classes have no pixel left, over a grid of background scores. It needs image-level labels alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from seedbed.metrics.threshold_grid import threshold_grid


@dataclass
class LabelPresence:
    """Counts of (image, labelled class).

    Attributes:
        grid: background scores, ascending; a pixel is background where its score does not exceed it.
        lacking: at each of them, those in which the class has no pixel.
        labels: all of them.
    """

    grid: Float32[np.ndarray, "T"]
    lacking: Int64[np.ndarray, "T"]
    labels: int = 0

    @classmethod
    def empty(cls, thresholds: Sequence[float]) -> "LabelPresence":
        """Nothing counted yet."""
        grid = threshold_grid(thresholds)
        return cls(grid, np.zeros(grid.size, np.int64))

    def add(self, scores: Float32[np.ndarray, "C H W"]) -> None:
        """Count the labelled classes of an image, each of which has a map."""
        winner = scores.argmax(axis=0) if len(scores) else np.empty(0, np.int64)
        for c, own in enumerate(scores):
            highest = own[winner == c].max(initial=-np.inf)
            self.lacking[np.searchsorted(self.grid, highest) :] += 1
            self.labels += 1
