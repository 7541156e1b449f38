"""The style of the page's figures, which are PNG; each section draws its own."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
DPI = 90
PALETTE = ("#0072b2", "#c24e00", "#007f5c", "#a8507f", "#8a6100", "#1c1c1c")
"""Okabe and Ito's hues, which the colour-blind tell apart, dark enough for white paper; the page's `--line-…`."""
LEGEND_LINE = 0.17
"""Height of one line of a legend, in inches."""
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "legend.frameon": False,
    "legend.fontsize": 7.5,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, bytes]:
    """Draw in the page's style, whatever the machine's matplotlibrc says; equal results, equal PNG bytes."""

    @functools.wraps(draw)
    def to_png(*args: P.args, **kwargs: P.kwargs) -> bytes:
        import matplotlib as mpl

        stream = io.BytesIO()
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(STYLE)
            draw(*args, **kwargs).savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
        return stream.getvalue()

    return to_png


def new_figure(
    rows: int, columns: int, width: float, height: float, below: float = 0
) -> tuple[Figure, list[Axes]]:
    """A figure that needs no display, and its axes in reading order.

    Args:
        width, height: of one of the axes, in inches.
        below: height for a legend below them, in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows + below), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def colours(number: int) -> list[Any]:
    """Distinct colours of a few lines; for more, a scale from dark to light in their order."""
    import matplotlib as mpl

    if number <= len(PALETTE):
        return list(PALETTE[:number])
    return [mpl.colormaps["viridis"](0.92 * place / (number - 1)) for place in range(number)]


def ink_on(colour: Iterable[float]) -> str:
    """Black or white, whichever has more contrast to a colour (red, green, blue from 0 to 1), at least 4.5 (WCAG 2)."""
    parts = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    red, green, blue, *_ = parts
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "black" if luminance > 0.179 else "white"


def points_of(curve: Sequence[Mapping[str, Any]], name: str) -> tuple[tuple[float, float], ...]:
    """(threshold, value) of each point of a curve at which the value is defined."""
    return tuple((point["threshold"], point[name]) for point in curve if point[name] is not None)


def plot_curve(
    axes: Axes, curve: Sequence[Mapping[str, Any]], name: str, color: Any, label: str | None, style: str = "-"
) -> None:
    """Draw a value of each point of a curve over thresholds, where it is defined."""
    points = points_of(curve, name)
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        style,
        color=color,
        linewidth=1.4,
        label=label,
    )
