"""A line in red for each node whose label maps have no pixel of any class: its scores are those of nothing.

With 6 classes, an empty prediction of photographs that are 82 % background has a mean IoU of 0.117.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from seedbed.plan.judges import AREAS, SCORES
from seedbed.report.blocks import Block, Warning
from seedbed.report.scored import BACKGROUND_ONLY, without_classes
from seedbed.report.section import Page, Section
from seedbed.report.tables import groups, spread

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "only", "mean_iou")


def frame(page: Page) -> pd.DataFrame:
    """One row per such judgement; `mean_iou` is empty where the split has no masks."""
    import pandas as pd

    rows = [
        judged.columns() | {"only": only, "mean_iou": judged.scores.get("mean_iou")}
        for judge in (SCORES, AREAS)
        for judged in page.results.judged.get(judge, ())
        if (only := without_classes(judged.scores))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One line for all random seeds of a node."""
    return [
        Warning(background_line(key, group))
        for key, group in groups(frame, ("owner", "regions", "node", "split", "only"))
    ]


def background_line(key: tuple[str, ...], group: pd.DataFrame) -> str:
    """What to say of one node.

    Args:
        key: owner, regions, node, split, and what the label maps hold.
    """
    owner, regions, node, split, only = key
    rngs = ", ".join(str(rng) for rng in group["rng"] if rng != "")
    place = " ".join(part for part in (owner, regions, node) if part) + f" on {split}"
    line = f"{place}{f' (rng {rngs})' if rngs else ''}: {only}"
    score = spread(group["mean_iou"].astype(float))
    if only != BACKGROUND_ONLY or not group["mean_iou"].notna().any():
        return f"{line}."
    return f"{line}; its mIoU of {score} is that of an empty label map."


SECTION = Section("Warnings", 5, frame, blocks)
