"""Scores of each class: IoU, or average precision where image-level labels are the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Table
from seedbed.report.results import Judged
from seedbed.report.scored import NODE_HEADINGS, Truth, scored_nodes
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, spread

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "kind"),
    *("class", "iou", "average_precision", "truth"),
)


def frame(page: Page) -> pd.DataFrame:
    """One row per scores file and class; `truth` counts pixels, or images where labels are the truth."""
    import pandas as pd

    rows = [row for judged in page.results.judged[SCORES] for row in _rows(judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(judged: Judged) -> Iterator[dict[str, Any]]:
    for name, values in judged.scores.get("per_class", {}).items():
        yield judged.columns() | {
            "class": name,
            "iou": values.get("iou"),
            "average_precision": values.get("average_precision"),
            "truth": values.get("truth_pixels", values.get("images")),
        }


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table, one column per class."""
    return list(filled(class_table(frame, ["background", *page.dataset.mask_classes])))


def class_table(frame: pd.DataFrame, classes: Sequence[str]) -> Table:
    """One row per node.

    Args:
        classes: columns, background first; classes beyond them (of a `class_map`) follow.
    """
    columns = list(dict.fromkeys([*classes, *frame["class"]]))
    rows = [
        *_class_rows(frame, "labels", "AP", "average_precision", columns),
        *_class_rows(frame, "masks", "IoU", "iou", columns),
    ]
    return Table(
        headings=(*NODE_HEADINGS, "measure", *columns),
        figures=(False, False, False, False, False, *(True for _ in columns)),
        rows=tuple(rows),
        title="By class",
        text="CAMs at the threshold of their row in Scores, others as decided. A dash: the class is in neither truth "
        "nor prediction.",
    )


def _class_rows(
    frame: pd.DataFrame, truth: Truth, measure: str, column: str, classes: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    for node, group in scored_nodes(frame, truth):
        values = {name: spread(part[column]) for name, part in group.groupby("class", sort=False)}
        yield (*node, measure, *(values.get(name, "") for name in classes))


SECTION = Section("Scores", 30, frame, blocks)
