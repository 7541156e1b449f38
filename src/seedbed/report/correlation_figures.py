"""Static pictures of two columns: a point for each pair of thresholds, with what RANSAC leaves of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from seedbed.report.figures import PALETTE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Scatter(NamedTuple):
    """One panel.

    Attributes:
        x, y: titles of the axes.
        points: (x, y) of each pair.
        inliers: whether RANSAC leaves it.
    """

    x: str
    y: str
    points: tuple[tuple[float, float], ...]
    inliers: tuple[bool, ...]
    title: str


@styled
def scatter_figure(scatters: Sequence[Scatter]) -> Figure:
    """The panels, at most three in a row."""
    across = min(3, len(scatters))
    figure, axes = new_figure(-(-len(scatters) // across), across, 3.1, 2.7)
    for one, scatter in zip(axes, scatters, strict=False):
        for kept, face, label in ((True, PALETTE[0], "left by RANSAC"), (False, "none", "dropped")):
            points = [p for p, is_in in zip(scatter.points, scatter.inliers, strict=True) if is_in == kept]
            if points:
                x, y = zip(*points, strict=True)
                one.scatter(x, y, s=22, facecolors=face, edgecolors=PALETTE[0], label=label)
        one.set(title=scatter.title, xlabel=scatter.x, ylabel=scatter.y)
        one.legend()
    for one in axes[len(scatters) :]:
        one.remove()
    return figure
