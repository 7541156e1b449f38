"""Precision, recall and F1 of what is judged against masks, and its over- and under-activation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Table
from seedbed.report.results import Judged
from seedbed.report.scored import NODE_HEADINGS, TRUTH, scored_nodes
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, spread

if TYPE_CHECKING:
    import pandas as pd

ALL = ""
"""Class of the means, which no class is named."""
MEASURES = ("precision", "recall", "f1")
ACTIVATION = ("over_activation", "under_activation")
COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "class", *MEASURES, *ACTIVATION)


def frame(page: Page) -> pd.DataFrame:
    """For each scores file the means over classes (with an empty class), and one row per class."""
    import pandas as pd

    rows = [row for judged in page.results.judged[SCORES] for row in _rows(judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(judged: Judged) -> Iterator[dict[str, Any]]:
    if TRUTH.get(judged.kind) != "masks" or "mean_precision" not in judged.scores:
        return
    scores = judged.scores
    means = {name: scores.get(f"mean_{name}") for name in MEASURES}
    yield judged.columns() | {"class": ALL} | means | {name: scores.get(name) for name in ACTIVATION}
    for name, values in scores.get("per_class", {}).items():
        yield judged.columns() | {"class": name} | {measure: values.get(measure) for measure in MEASURES}


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The means; precision and recall by class, folded."""
    known = ("background", *page.dataset.mask_classes)
    classes = [name for name in dict.fromkeys((*known, *frame["class"])) if name != ALL]
    tables = (
        mean_table(frame),
        *(class_table(frame, measure, classes) for measure in ("precision", "recall")),
    )
    return list(filled(*tables))


def mean_table(frame: pd.DataFrame) -> Table:
    """Means over classes; a row for each node."""
    rows = [
        (*node, *(spread(group[name]) for name in (*MEASURES, *ACTIVATION)))
        for node, group in scored_nodes(frame[frame["class"] == ALL], "masks")
    ]
    return Table(
        headings=(*NODE_HEADINGS, "precision", "recall", "F1", "over-activation", "under-activation"),
        figures=(*(False,) * 4, *(True,) * 5),
        rows=tuple(rows),
        title="Kinds of errors",
        text="Precision, recall and F1: means over classes, background included. Over- and under-activation: pixels "
        "that are wrongly of a class, and those that it misses, as shares of the union, means over the foreground "
        "classes.",
    )


def class_table(frame: pd.DataFrame, measure: str, classes: Sequence[str]) -> Table:
    """One measure, with a column for each class."""
    rows = []
    for node, group in scored_nodes(frame[frame["class"] != ALL], "masks"):
        values = {name: spread(part[measure]) for name, part in group.groupby("class", sort=False)}
        rows.append((*node, *(values.get(name, "") for name in classes)))
    return Table(
        headings=(*NODE_HEADINGS, *classes),
        figures=(*(False,) * 4, *(True,) * len(classes)),
        rows=tuple(rows),
        summary=f"{measure.capitalize()} by class",
    )


SECTION = Section("Scores", 31, frame, blocks)
