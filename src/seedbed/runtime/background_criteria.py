"""Criteria by which a background score is chosen without masks. A new one is a function and one row of `CRITERIA`.

The published numbers at the end were found on masks, though of another data set; they stand beside the criteria for
comparison.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from seedbed.cam.histogram_thresholds import (
    entropy_threshold,
    expected_iou_threshold,
    isodata_threshold,
    li_threshold,
)
from seedbed.cam.otsu import otsu_threshold

Curve = Float64[np.ndarray, "T"]
Histogram = Int64[np.ndarray, " bins"]


@dataclass(frozen=True)
class Evidence:
    """What is known of CAMs without masks.

    Attributes:
        grid: T background scores, ascending.
        histogram: of the largest score over the classes at each pixel of each image with a label; None without labels.
        lacking: at each background score, how many labelled classes have no pixel, over all images.
        region_agreement: mean IoU with the confident regions, where these are certain; None without regions.
        view_agreement: agreement of single views with all together (`seedbed.metrics.view_agreement`); None without
            several views.
    """

    grid: Float64[np.ndarray, "T"]
    histogram: Histogram | None
    lacking: Int64[np.ndarray, "T"]
    region_agreement: Curve | None = None
    view_agreement: Curve | None = None


class Criterion(NamedTuple):
    """One row: a title for the page, and the background score that it chooses; None where nothing can be chosen."""

    title: str
    choose: Callable[[Evidence], float | None]


def by_histogram(threshold: Callable[[Histogram], float]) -> Callable[[Evidence], float | None]:
    """The threshold of the histogram; none if all scores are in one bin."""

    def choose(evidence: Evidence) -> float | None:
        histogram = evidence.histogram
        return None if histogram is None or np.count_nonzero(histogram) < 2 else threshold(histogram)

    return choose


def by_regions(evidence: Evidence) -> float | None:
    """The best agreement with the confident regions from which the AffinityNet learnt."""
    return _highest(evidence.grid, evidence.region_agreement)


def by_views(evidence: Evidence) -> float | None:
    """The best agreement of single scales, and of mirrored halves where they are stored, with all together."""
    return _highest(evidence.grid, evidence.view_agreement)


def by_presence(evidence: Evidence) -> float | None:
    """The highest background score at which each labelled class that has a pixel at the grid's lowest keeps one."""
    if evidence.histogram is None:
        return None
    return float(evidence.grid[np.flatnonzero(evidence.lacking == evidence.lacking[0])[-1]])


def fixed(number: float) -> Callable[[Evidence], float | None]:
    """Always this number."""
    return lambda evidence: number


def _highest(grid: Float64[np.ndarray, "T"], curve: Curve | None) -> float | None:
    """Where a curve is highest, the lowest such score; none if it is flat or undefined throughout."""
    if curve is None or np.isnan(curve).all() or np.nanmin(curve) == np.nanmax(curve):
        return None
    return float(grid[int(np.nanargmax(curve))])


CRITERIA: dict[str, Criterion] = {
    "otsu": Criterion("Otsu", by_histogram(otsu_threshold)),
    "isodata": Criterion("isodata", by_histogram(isodata_threshold)),
    "li": Criterion("Li, cross entropy", by_histogram(li_threshold)),
    "entropy": Criterion("Kapur, entropy", by_histogram(entropy_threshold)),
    "expected_iou": Criterion("expected IoU of the scores", by_histogram(expected_iou_threshold)),
    "regions": Criterion("agreement with confident regions", by_regions),
    "views": Criterion("agreement of scales", by_views),
    "presence": Criterion("labelled classes keep a pixel", by_presence),
    "fixed_0.25": Criterion("0.25 (IRN)", fixed(0.25)),
    "fixed_0.27": Criterion("0.27 (PPC)", fixed(0.27)),
    "fixed_0.30": Criterion("0.30 (P-NOC, ISIM)", fixed(0.30)),
    "fixed_0.50": Criterion("0.50 (SEAM's shares)", fixed(0.50)),
}
