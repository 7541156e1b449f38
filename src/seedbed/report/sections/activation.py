"""Over- and under-activation of CAMs over the background threshold: P-NOC's Fig. 6, where they are FPR and FNR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block
from seedbed.report.figures import LEGEND_LINE, colours, new_figure, plot_curve, points_of, styled
from seedbed.report.interactive import Chart, Line, Panel
from seedbed.report.results import Judged, Results
from seedbed.report.section import Page, Section

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

OVER, UNDER = "over_activation", "under_activation"
COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "threshold", OVER, UNDER)


def with_activation(results: Results) -> list[Judged]:
    """Scores whose curve has over- and under-activation."""
    return [
        judged for judged in results.judged[SCORES] if OVER in next(iter(judged.content.get("curve", ())), {})
    ]


def frame(page: Page) -> pd.DataFrame:
    """One row per point of each curve; undefined if the threshold leaves no foreground class."""
    import pandas as pd

    rows = [
        judged.columns() | {name: point[name] for name in ("threshold", OVER, UNDER)}
        for judged in with_activation(page.results)
        for point in judged.content["curve"]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One figure per split; each random seed has its own pair of lines."""
    curves = with_activation(page.results)
    return [
        Chart(
            png=activation_figure([judged for judged in curves if judged.split == split]),
            panels=(activation_panel([judged for judged in curves if judged.split == split]),),
            alt=f"over- and under-activation on {split}",
            caption="Pixels that are wrongly of a class (false positives, solid) and pixels that it misses (false "
            "negatives, dashed), as shares of the union, means over the foreground classes, over the background "
            f"threshold, on {split}. With the mean IoU of these classes they add up to 1.",
        )
        for split in dict.fromkeys(judged.split for judged in curves)
    ]


def activation_panel(scores: Sequence[Judged]) -> Panel:
    """Both lines of each CAM, for the page's own drawing."""
    lines = (
        Line(
            f"{judged.node} ({judged.place})",
            points_of(judged.content["curve"], name),
            label=label,
            dashed=name == UNDER,
        )
        for judged in scores
        for name, label in ((OVER, "false positives"), (UNDER, "false negatives"))
    )
    return Panel("", "background threshold", "share of the union", tuple(lines))


@styled
def activation_figure(scores: Sequence[Judged]) -> Figure:
    """Over-activation (solid) and under-activation (dashed) over the background threshold."""
    figure, (axes,) = new_figure(1, 1, 7.2, max(3.6, LEGEND_LINE * (len(scores) + 4)))
    for judged, color in zip(scores, colours(len(scores)), strict=True):
        for name, style in ((OVER, "-"), (UNDER, "--")):
            label = f"{judged.node} ({judged.place})" if name == OVER else None
            plot_curve(axes, judged.content["curve"], name, color, label, style)
    for style, label in (("-", "over-activation (FP)"), ("--", "under-activation (FN)")):
        axes.plot([], [], style, color="#555555", label=label)
    axes.set(xlabel="background threshold", ylabel="share of the union")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


SECTION = Section("Curves", 85, frame, blocks)
