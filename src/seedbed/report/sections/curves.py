"""Threshold curves of CAMs: mean IoU over the background threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block
from seedbed.report.figures import LEGEND_LINE, colours, new_figure, plot_curve, points_of, styled
from seedbed.report.interactive import Chart, Line, Mark, Panel
from seedbed.report.results import CHOSEN_WITH_MASKS, Judged, Results
from seedbed.report.section import Page, Section
from seedbed.runtime.background_option import OTSU

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "threshold", "mean_iou")


def with_curves(results: Results) -> list[Judged]:
    """Scores that hold a curve."""
    return [judged for judged in results.judged[SCORES] if "curve" in judged.content]


def frame(page: Page) -> pd.DataFrame:
    """One row per point of each curve; undefined if the threshold leaves no class."""
    import pandas as pd

    rows = [row for judged in with_curves(page.results) for row in _points(judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _points(judged: Judged) -> Iterator[dict[str, Any]]:
    for point in judged.content["curve"]:
        yield judged.columns() | point


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One figure per split; each random seed has its own line."""
    curves = with_curves(page.results)
    return [
        Chart(
            png=curve_figure([judged for judged in curves if judged.split == split]),
            panels=(curve_panel([judged for judged in curves if judged.split == split]),),
            alt=f"threshold curves on {split}",
            caption=f"Mean IoU of CAMs over the background threshold, on {split}. ● {at_circles(curves, split)}, "
            f"★ best threshold ({CHOSEN_WITH_MASKS}).",
        )
        for split in dict.fromkeys(judged.split for judged in curves)
    ]


def at_circle(judged: Judged) -> str:
    """What the threshold is at which a CAM is scored."""
    return "Otsu's threshold" if judged.content.get("fixed_by") == OTSU else "fixed threshold"


def at_circles(scores: Sequence[Judged], split: str) -> str:
    """The same of all CAMs on a split."""
    return " or ".join(sorted({at_circle(judged) for judged in scores if judged.split == split}))


def curve_panel(scores: Sequence[Judged]) -> Panel:
    """The curves with their marks, for the page's own drawing."""
    lines, marks = [], []
    for judged in scores:
        run, best = f"{judged.node} ({judged.place})", judged.content["best"]
        lines.append(Line(run, points_of(judged.content["curve"], "mean_iou")))
        ends: tuple[tuple[float | None, float | None, Literal["circle", "star"], str], ...] = (
            (judged.content["fixed_threshold"], judged.scores["mean_iou"], "circle", at_circle(judged)),
            (best["threshold"], best["mean_iou"], "star", f"best threshold ({CHOSEN_WITH_MASKS})"),
        )
        for x, y, shape, meaning in ends:
            if x is not None and y is not None:
                marks.append(Mark(run, (x, y), shape, meaning))
    return Panel("", "background threshold", "mean IoU", tuple(lines), tuple(marks))


@styled
def curve_figure(scores: Sequence[Judged]) -> Figure:
    """Mean IoU over the background threshold, one line per scored CAM; the one at which it is scored ●, best one ★."""
    figure, (axes,) = new_figure(1, 1, 7.2, max(3.6, LEGEND_LINE * (len(scores) + 4)))
    for judged, color in zip(scores, colours(len(scores)), strict=True):
        plot_curve(axes, judged.content["curve"], "mean_iou", color, f"{judged.node} ({judged.place})")
        best = judged.content["best"]
        axes.plot(
            judged.content["fixed_threshold"], judged.scores["mean_iou"], "o", color=color, markersize=5
        )
        axes.plot(best["threshold"], best["mean_iou"], "*", color=color, markersize=10)
    axes.plot([], [], "o", color="#555555", markersize=5, label=at_circles(scores, scores[0].split))
    axes.plot([], [], "*", color="#555555", markersize=10, label=f"best threshold ({CHOSEN_WITH_MASKS})")
    axes.set(xlabel="background threshold", ylabel="mean IoU")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


SECTION = Section("Curves", 80, frame, blocks)
