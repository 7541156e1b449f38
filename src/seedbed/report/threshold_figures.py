"""Static pictures of a sweep: heat maps over the two thresholds where the pairs form a grid, otherwise lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from seedbed.report.figures import ink_on, new_figure, styled
from seedbed.report.threshold_pairs import DOWNSTREAM

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def is_grid(pairs: pd.DataFrame) -> bool:
    """Whether the pairs are all combinations, bg at most fg, of at least two thresholds of each kind."""
    low, high = sorted(set(pairs["bg_threshold"])), sorted(set(pairs["fg_threshold"]))
    wanted = {(bg, fg) for bg in low for fg in high if bg <= fg}
    found = set(zip(pairs["bg_threshold"], pairs["fg_threshold"], strict=True))
    return min(len(low), len(high)) >= 2 and found == wanted


@styled
def threshold_figure(pairs: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    """The sweep: heat maps of background × foreground threshold if the pairs form a grid, otherwise lines.

    Args:
        pairs: one row per pair: `bg_threshold`, `fg_threshold`, `regions` and the columns.
        columns: title of each column to show.
    """
    return _heat_maps(pairs, columns) if is_grid(pairs) else _pair_lines(pairs, columns)


def _heat_maps(pairs: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    across = min(3, len(columns))
    figure, axes = new_figure(-(-len(columns) // across), across, 3.1, 2.5)
    for one, (name, title) in zip(axes, columns.items(), strict=False):
        grid = pairs.pivot(index="bg_threshold", columns="fg_threshold", values=name)
        values = grid.to_numpy(float)
        image = one.imshow(values, origin="lower", aspect="auto", cmap="viridis")
        for row, line in enumerate(values):
            for column, value in enumerate(line):
                if value == value:
                    ink = ink_on(image.to_rgba(value))
                    one.text(column, row, f"{value:.3f}", ha="center", va="center", color=ink)
        one.set_xticks(range(len(grid.columns)), [f"{v:.2f}" for v in grid.columns])
        one.set_yticks(range(len(grid.index)), [f"{v:.2f}" for v in grid.index])
        one.set(title=title, xlabel="fg threshold", ylabel="bg threshold")
        one.grid(False)
    for spare in axes[len(columns) :]:
        spare.set_axis_off()
    return figure


def _pair_lines(pairs: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    panels = {
        "PQS and mean IoU": [name for name in columns if not name.startswith("tecm")],
        "TECM": [name for name in columns if name.startswith("tecm")],
    }
    panels = {title: names for title, names in panels.items() if names}
    figure, axes = new_figure(len(panels), 1, 7.2, 2.6)
    for one, (title, names) in zip(axes, panels.items(), strict=True):
        for name in names:
            line = "--" if name.startswith(DOWNSTREAM) else "-"
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
