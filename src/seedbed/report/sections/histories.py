"""What training logged: losses and learning rate over the optimiser's steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from seedbed.artifacts.manifest import run_again
from seedbed.artifacts.models import HISTORY
from seedbed.errors import SeedbedError
from seedbed.methods.regeneration import LABELLED_AFTER
from seedbed.report.blocks import Block
from seedbed.report.figures import LEGEND_LINE, colours, new_figure, styled
from seedbed.report.interactive import Chart, Line, Panel
from seedbed.report.results import Node, Results
from seedbed.report.section import Page, Section
from seedbed.training.history import LEADING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPOCH, STEP, RATE = LEADING
COLUMNS = ("owner", "rng", "regions", "node", "epoch", "logged", "mean")

MOST_POINTS = 400
"""Of a line of single steps on the page; its epoch means are of all."""


def trained(results: Results) -> list[Node]:
    """Nodes that hold a history."""
    return [node for node in results.nodes.values() if HISTORY in node.artifact.manifest.files]


def read_history(node: Node) -> pd.DataFrame:
    """One row per step: epoch (from 1), step (from 0), learning rate, and what was logged by name."""
    import numpy as np
    import pandas as pd

    path = node.artifact.file(HISTORY)
    try:
        table = pd.read_csv(path)
        missing = [name for name in LEADING if name not in table]
        if missing:
            raise ValueError(f"no column {', '.join(missing)}")
        values = table.to_numpy(dtype=np.float64)
    except (ValueError, TypeError, OSError) as error:  # pandas' errors of reading are ValueErrors
        raise SeedbedError(f"{path}: not a readable history ({error}); {run_again(path)}") from None
    if np.isinf(values).any() or table[[EPOCH, STEP]].isna().any(axis=None):
        raise SeedbedError(f"{path}: expected finite values and numbers of epochs; {run_again(path)}")
    return table


def frame(page: Page) -> pd.DataFrame:
    """One row per node, epoch and logged value: its mean over the steps of the epoch that logged it."""
    import pandas as pd

    rows = [row for node in trained(page.results) for row in _epochs(node)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _epochs(node: Node) -> Iterator[dict[str, Any]]:
    means = read_history(node).drop(columns=STEP).groupby(EPOCH).mean()
    for name in (*(n for n in means if n != RATE), RATE):
        for epoch, mean in means[name].dropna().items():
            told = {"node": node.name, "epoch": epoch, "logged": name, "mean": mean}
            yield node.place.columns() | told


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One figure per trained node; its runs at several random seeds and settings share it."""
    runs: dict[tuple[str, str], dict[str, Node]] = {}
    for node in trained(page.results):
        runs.setdefault((node.place.owner, node.name), {})[str(node.place)] = node
    return [
        _picture(name, owner, {run: read_history(node) for run, node in nodes.items()})
        for (owner, name), nodes in runs.items()
    ]


def _picture(name: str, owner: str, histories: Mapping[str, pd.DataFrame]) -> Chart:
    caption = f"Training of {name} ({owner}): faint: each step; strong: epoch means"
    if any(labelled_at(history) for history in histories.values()):
        caption += "; dotted: labels were made anew"
    return Chart(
        history_figure(histories),
        f"training of {name} ({owner})",
        f"{caption}.",
        tuple(history_panel(panel, histories) for panel in panels_of(histories)),
    )


def panels_of(histories: Mapping[str, pd.DataFrame]) -> list[str]:
    """Columns that have a panel: each logged value, then the learning rate."""
    logged = dict.fromkeys(str(name) for history in histories.values() for name in history)
    return [*(name for name in logged if name not in LEADING and not _is_stamp(name)), RATE]


def history_panel(name: str, histories: Mapping[str, pd.DataFrame]) -> Panel:
    """What all runs logged under a name, for the page's own drawing."""
    lines, verticals = [], []
    for run, history in histories.items():
        if name not in history:
            continue
        known = history[[EPOCH, STEP, name]].dropna()
        if name == RATE:
            lines.append(Line(run, _points(known, name)))
        else:
            lines.append(Line(run, _points(known, name), faint=True))
            lines.append(Line(run, _points(known.groupby(EPOCH).mean(), name)))
        verticals += [(run, float(step)) for step in labelled_at(history)]
    return Panel(_title(name), STEP, name, tuple(lines), verticals=tuple(verticals))


def _points(table: pd.DataFrame, name: str) -> tuple[tuple[float, float], ...]:
    """(step, value) of at most `MOST_POINTS` rows, evenly spread, to six digits."""
    every = -(-len(table) // MOST_POINTS) or 1
    part = table.iloc[::every]
    return tuple(
        (float(step), float(f"{value:.6g}")) for step, value in zip(part[STEP], part[name], strict=True)
    )


def _title(name: str) -> str:
    return "learning rate" if name == RATE else name


def labelled_at(history: pd.DataFrame) -> list[int]:
    """The steps, from 0, that were the first to use labels which the method had made anew."""
    stamps = [name for name in history if _is_stamp(str(name))]
    changed = history[stamps].dropna().diff().fillna(1).ne(0).any(axis=1)
    return [int(step) for step in history.loc[changed.index[changed], STEP]] if stamps else []


def _is_stamp(name: str) -> bool:
    return name.rpartition("/")[2] == LABELLED_AFTER


@styled
def history_figure(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Training curves: one panel per logged value and one for the learning rate, one colour per run.

    Steps are drawn faintly, epoch means strongly; dotted lines stand where a method made its labels anew.

    Args:
        histories: `history.csv` by the run's name; at least one.
    """
    panels = panels_of(histories)
    across = min(3, len(panels))
    below = LEGEND_LINE * -(-len(histories) // across)
    figure, axes = new_figure(-(-len(panels) // across), across, 3.4, 2.2, below)
    for one, name in zip(axes, panels, strict=False):
        for (run, history), color in zip(histories.items(), colours(len(histories)), strict=True):
            if name in history:
                _draw_history(one, history, name, color, run)
                for step in labelled_at(history):
                    one.axvline(step, color=color, linewidth=0.8, linestyle=":")
        one.set(title=_title(name), xlabel=STEP)
    if len(histories) > 1:
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower left", ncols=across)
    for spare in axes[len(panels) :]:
        spare.set_axis_off()
    return figure


def _draw_history(axes: Axes, history: pd.DataFrame, name: str, color: Any, run: str) -> None:
    known = history[[EPOCH, STEP, name]].dropna()
    if name == RATE:
        axes.plot(known[STEP], known[name], color=color, linewidth=1.4, label=run)
        return
    axes.plot(known[STEP], known[name], color=color, linewidth=0.7, alpha=0.35)
    epochs = known.groupby(EPOCH).mean()
    axes.plot(epochs[STEP], epochs[name], color=color, linewidth=1.6, marker="o", markersize=3, label=run)


SECTION = Section("Curves", 90, frame, blocks)
