"""What a choice without masks costs: the best value among several, less the chosen one's."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64


def regret(values: Float64[np.ndarray, "n"], chosen: int) -> float:
    """Highest value less the chosen one; NaN where the chosen one is undefined.

    Args:
        values: for instance the mean IoU at each threshold; NaN where it is undefined.
        chosen: index of the chosen one.
    """
    return float(np.nanmax(values) - values[chosen]) if not np.isnan(values[chosen]) else float("nan")


def nearest(grid: Sequence[float], choice: float) -> int:
    """Index of the grid's value next to a choice; of two that are equally near, the first."""
    return int(np.argmin(np.abs(np.asarray(grid, np.float64) - choice)))


def only_highest(values: Float64[np.ndarray, "n"]) -> int | None:
    """Index of the highest value; None if several share it, or none is defined."""
    if np.isnan(values).all():
        return None
    highest = np.flatnonzero(values == np.nanmax(values))
    return int(highest[0]) if len(highest) == 1 else None
