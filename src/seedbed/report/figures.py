"""Figures of the page as PNG: threshold curves of CAMs, the sweep, training curves."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

from seedbed.report.results import CHOSEN_WITH_MASKS, Judged

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
DPI = 90
TEN = 10
"""Colours of matplotlib's own cycle."""
LEGEND_LINE = 0.17
"""Height of a line of a legend, in inches."""
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
LEADING = ("epoch", "step", "lr")
"""Columns of `history.csv` that are no losses."""


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
    """A figure without a display behind it, and its axes in reading order.

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
    """Distinct colours of up to ten lines; of more, a scale from dark to light in their order."""
    import matplotlib as mpl

    if number <= TEN:
        return [f"C{place}" for place in range(number)]
    return [mpl.colormaps["viridis"](0.92 * place / (number - 1)) for place in range(number)]


@styled
def curve_figure(scores: Sequence[Judged]) -> Figure:
    """Mean IoU over the background threshold, one line a scored CAM; fixed threshold ●, best one ★."""
    figure, (axes,) = new_figure(1, 1, 7.2, max(3.6, LEGEND_LINE * (len(scores) + 4)))
    for judged, color in zip(scores, colours(len(scores)), strict=True):
        points = [p for p in judged.content["curve"] if p["mean_iou"] is not None]
        axes.plot(
            [p["threshold"] for p in points],
            [p["mean_iou"] for p in points],
            color=color,
            linewidth=1.4,
            label=f"{judged.node} ({judged.place})",
        )
        best = judged.content["best"]
        axes.plot(
            judged.content["fixed_threshold"], judged.scores["mean_iou"], "o", color=color, markersize=5
        )
        axes.plot(best["threshold"], best["mean_iou"], "*", color=color, markersize=10)
    axes.plot([], [], "o", color="#555555", markersize=5, label="fixed threshold")
    axes.plot([], [], "*", color="#555555", markersize=10, label=f"best threshold ({CHOSEN_WITH_MASKS})")
    axes.set(xlabel="background threshold", ylabel="mean IoU")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def is_grid(pairs: pd.DataFrame) -> bool:
    """Whether the pairs are all uncrossed combinations of at least two thresholds of either kind."""
    low, high = sorted(set(pairs["bg_threshold"])), sorted(set(pairs["fg_threshold"]))
    wanted = {(bg, fg) for bg in low for fg in high if bg <= fg}
    found = set(zip(pairs["bg_threshold"], pairs["fg_threshold"], strict=True))
    return min(len(low), len(high)) >= 2 and found == wanted


@styled
def threshold_figure(pairs: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    """The sweep: heat maps of background × foreground threshold where the pairs are a grid, else lines.

    Args:
        pairs: one row a pair: `bg_threshold`, `fg_threshold`, `regions` and the columns.
        columns: title of each column to show.
    """
    return _heat_maps(pairs, columns) if is_grid(pairs) else _pair_lines(pairs, columns)


def _heat_maps(pairs: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    across = min(3, len(columns))
    figure, axes = new_figure(-(-len(columns) // across), across, 3.1, 2.5)
    for one, (name, title) in zip(axes, columns.items(), strict=False):
        grid = pairs.pivot(index="bg_threshold", columns="fg_threshold", values=name)
        values = grid.to_numpy(float)
        one.imshow(values, origin="lower", aspect="auto", cmap="viridis")
        low, high = _range(values)
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                if value == value:
                    dark = value < low + 0.6 * (high - low)
                    one.text(
                        column,
                        row,
                        f"{value:.3f}",
                        ha="center",
                        va="center",
                        color="white" if dark else "black",
                    )
        one.set_xticks(range(len(grid.columns)), [f"{v:.2f}" for v in grid.columns])
        one.set_yticks(range(len(grid.index)), [f"{v:.2f}" for v in grid.index])
        one.set(title=title, xlabel="fg threshold", ylabel="bg threshold")
        one.grid(False)
    for spare in axes[len(columns) :]:
        spare.set_axis_off()
    return figure


def _range(values: Any) -> tuple[float, float]:
    import numpy as np

    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _pair_lines(pairs: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    panels = {
        "PQS and mean IoU": [name for name in columns if not name.startswith("tecm")],
        "TECM": [name for name in columns if name.startswith("tecm")],
    }
    panels = {title: names for title, names in panels.items() if names}
    figure, axes = new_figure(len(panels), 1, 7.2, 2.6)
    for one, (title, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            line = "--" if name.startswith("mean_iou:") else "-"
            one.plot(
                range(len(pairs)),
                pairs[name].to_numpy(float),
                line,
                marker="o",
                markersize=4,
                label=columns[name],
            )
        one.set_xticks(range(len(pairs)), list(pairs["regions"]), rotation=15 if len(pairs) > 4 else 0)
        one.set(title=title, ylim=(0, None))
        one.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


@styled
def history_figure(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Training curves: one panel a logged value and one for the learning rate, one colour a run.

    Steps are drawn faintly, means of the epochs strongly.

    Args:
        histories: `history.csv` by the run's name; at least one.
    """
    logged = dict.fromkeys(str(name) for history in histories.values() for name in history)
    names = [name for name in logged if name not in LEADING]
    panels = [*names, "lr"]
    across = min(3, len(panels))
    below = LEGEND_LINE * -(-len(histories) // across)
    figure, axes = new_figure(-(-len(panels) // across), across, 3.4, 2.2, below)
    for one, name in zip(axes, panels, strict=False):
        for (run, history), color in zip(histories.items(), colours(len(histories)), strict=True):
            if name in history:
                _draw_history(one, history, name, color, run)
        one.set(title="learning rate" if name == "lr" else name, xlabel="step")
    if len(histories) > 1:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=across)
    for spare in axes[len(panels) :]:
        spare.set_axis_off()
    return figure


def _draw_history(axes: Axes, history: pd.DataFrame, name: str, color: Any, run: str) -> None:
    known = history[["epoch", "step", name]].dropna()
    if name == "lr":
        axes.plot(known["step"], known[name], color=color, linewidth=1.4, label=run)
        return
    axes.plot(known["step"], known[name], color=color, linewidth=0.7, alpha=0.35)
    epochs = known.groupby("epoch").mean()
    axes.plot(epochs["step"], epochs[name], color=color, linewidth=1.6, marker="o", markersize=3, label=run)
