"""What refinement does to neutral pixels under every pair of thresholds, from one pass: the counts for TECM.

A pixel is neutral, background or foreground by its greatest score before refinement, and again by its
greatest score after it, under the same pair (`seedbed.metrics.threshold_quality`). The joint histogram of
the two scores' positions among the thresholds holds N-to-B, N-to-F and both neutral ratios of all pairs,
exactly. No mask is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from seedbed.metrics.threshold_grid import as_maps, bin_search, decisive_positions, threshold_grid


@dataclass(frozen=True)
class Transitions:
    """Pixels of each of P pairs; `seedbed.metrics.threshold_quality.tecm` computes the score from them."""

    total: int
    neutral_initial: Int64[np.ndarray, "P"]
    neutral_refined: Int64[np.ndarray, "P"]
    neutral_to_background: Int64[np.ndarray, "P"]
    neutral_to_foreground: Int64[np.ndarray, "P"]


@dataclass
class TransitionTable:
    """Joint histogram of initial × refined position among the thresholds.

    Attributes:
        thresholds: T, ascending.
        counts: positions as in `ThresholdTable`; rows initial, columns refined.
    """

    thresholds: Float32[np.ndarray, "T"]
    counts: Int64[np.ndarray, "2*T+1 2*T+1"]

    @classmethod
    def empty(cls, thresholds: Sequence[float]) -> "TransitionTable":
        """A table without pixels, for every threshold that will be asked for, in any order."""
        grid = threshold_grid(thresholds)
        return cls(grid, np.zeros((2 * grid.size + 1, 2 * grid.size + 1), np.int64))

    def add(self, initial: Float[np.ndarray, "C H W"], refined: Float[np.ndarray, "..."]) -> None:
        """Count one image.

        Args:
            initial: float32 CAMs of the image's classes.
            refined: float32 refined CAMs of the same classes and size.

        Raises:
            ValueError: CAMs that are not float32, differ in shape, or hold NaN.
        """
        from seedbed.metrics._kernels import count_transitions

        if initial.shape != refined.shape:
            raise ValueError(
                f"expected initial and refined CAMs of one shape, got {initial.shape} and {refined.shape}; "
                "both must be the same classes at the same size"
            )
        cells, numbers = count_transitions(
            as_maps("initial", initial),
            as_maps("refined", refined),
            *bin_search(self.thresholds),
        )
        if not numbers:
            raise ValueError("the CAMs hold NaN; their network diverged or a file is damaged")
        self.counts += cells

    def __add__(self, other: "TransitionTable") -> "TransitionTable":
        if not np.array_equal(self.thresholds, other.thresholds):
            raise ValueError(
                f"tables of {self.thresholds.size} and {other.thresholds.size} thresholds do not add up; "
                "make both for the same thresholds"
            )
        return TransitionTable(self.thresholds, self.counts + other.counts)

    def transitions(self, pairs: Sequence[tuple[float, float]]) -> Transitions:
        """Counts of each (bg_threshold, fg_threshold).

        Raises:
            ValueError: a background threshold above its foreground threshold, or one for which the table was not made.
        """
        background, foreground = decisive_positions(self.thresholds, pairs)
        up_to = self.counts.cumsum(0).cumsum(1)  # pixels at most at (initial, refined)
        last = up_to.shape[0] - 1
        # P × refined position: neutral before, at most at this position after
        between = up_to[foreground - 1] - up_to[background]
        pair = np.arange(len(background))
        return Transitions(
            total=int(up_to[last, last]),
            neutral_initial=between[:, last],
            neutral_refined=up_to[last, foreground - 1] - up_to[last, background],
            neutral_to_background=between[pair, background],
            neutral_to_foreground=between[:, last] - between[pair, foreground - 1],
        )
