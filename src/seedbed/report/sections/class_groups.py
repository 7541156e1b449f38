"""Means of groups of classes, and what the classes' IoU goes with (P-NOC, §6.2 and Table 3).

Groups are PASCAL VOC's where classes have the names of VOC's; other data sets bring theirs in a YAML file, which
`class_groups` of their declaration in params.yaml names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from seedbed.errors import SeedbedError
from seedbed.metrics.class_groups import (
    VOC_CLASSES,
    VOC_GROUPS,
    Groups,
    check_groups,
    class_properties,
    group_scores,
    property_correlations,
)
from seedbed.plan.judges import SCORES
from seedbed.report.blocks import Block, Table
from seedbed.report.results import Judged
from seedbed.report.scored import NODE_HEADINGS, TRUTH, scored_nodes
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, spread

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "grouping", "group", "value")
OVERALL, CORRELATION = "overall", "correlation"
HEADINGS = {
    OVERALL: "all classes",
    CORRELATION: "Pearson's coefficient of IoU and a property",
    "co_occurrence": "with another class",
    "cardinality": "classes per image",
}
NOTE = (
    "<i>Mean</i> with background, <i>sd</i> (sample standard deviation over the classes) without it. Coefficients are "
    "over the foreground classes: with the images that have the class (<i>occurrence</i>), the share of the image that "
    "it fills (<i>size</i>), the share of its images that have another class, too, and their number of classes."
)


def groups_of(page: Page) -> Groups:
    """The groups of the report's parameters; VOC's, if some of the classes have such names.

    Raises:
        SeedbedError: a class is unknown, or is not in one group of each kind.
    """
    names = page.dataset.mask_classes
    given: Groups | None = page.parameters.class_groups
    if given is None:
        return VOC_GROUPS if set(names) & set(VOC_CLASSES) else {}
    try:
        check_groups(given, names)
    except ValueError as error:
        raise SeedbedError(f"class_groups of data set {page.results.dataset!r}: {error}") from None
    return given


def frame(page: Page) -> pd.DataFrame:
    """One row per scores file and group, with its mean IoU; then overall figures and correlations."""
    import pandas as pd

    groups = groups_of(page)
    found = [judged for judged in page.results.judged[SCORES] if TRUTH.get(judged.kind) == "masks"]
    labels = {split: _labels(page, split) for split in dict.fromkeys(judged.split for judged in found)}
    rows = [
        judged.columns() | {"grouping": grouping, "group": group, "value": value}
        for judged in found
        for grouping, group, value in _values(judged, groups, page.dataset.classes, labels[judged.split])
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _labels(page: Page, split: str) -> np.ndarray:
    return np.stack([np.asarray(page.dataset.labels(i), bool) for i in page.dataset.image_ids(split)])


def _values(
    judged: Judged, groups: Groups, names: tuple[str, ...], labels: np.ndarray
) -> Iterator[tuple[str, str, float | None]]:
    """(grouping, group, value) of one scores file."""
    per_class = judged.scores.get("per_class", {})
    scored = [name for name in per_class if name != "background"]
    if not scored:
        return
    own = set(scored) == set(names)
    scored = list(names) if own else scored
    iou = np.array([_number(per_class.get(name, {}).get("iou")) for name in ("background", *scored)])
    means: dict[str, Any] = group_scores(iou, scored, groups)
    yield OVERALL, "mean", means["overall_mean"]
    yield OVERALL, "sd", means["overall_std"]
    for grouping in groups:
        for group, value in means[grouping].items():
            yield grouping, group, value
    if not own:
        return  # classes were joined: the image-level labels are of others
    pixels = np.array([_number(per_class[name].get("truth_pixels")) for name in scored])
    labelled = sum(_number(values.get("truth_pixels")) for values in per_class.values())
    share = pixels * len(labels) / labelled if labelled else np.full(len(scored), np.nan)
    for name, value in property_correlations(iou[1:], class_properties(labels, share)).items():
        yield CORRELATION, name, value


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table per grouping, with a column for each group."""
    tables = []
    for grouping, rows in frame.groupby("grouping", sort=False):
        shown = [
            name for name, of_group in rows.groupby("group", sort=False) if of_group["value"].notna().any()
        ]
        if shown:
            tables.append(group_table(str(grouping), rows, list(map(str, shown))))
    return list(filled(*tables))


def group_table(grouping: str, frame: pd.DataFrame, columns: list[str]) -> Table:
    """The groups of one kind; a row for each node."""
    rows = []
    for node, of_node in scored_nodes(frame, "masks"):
        values = {name: spread(part["value"]) for name, part in of_node.groupby("group", sort=False)}
        rows.append((*node, *(values.get(name, "") for name in columns)))
    return Table(
        headings=(*NODE_HEADINGS, *(HEADINGS.get(name, name) for name in columns)),
        figures=(*(False,) * 4, *(True,) * len(columns)),
        rows=tuple(rows),
        title=HEADINGS.get(grouping, f"By {grouping}"),
    )


SECTION = Section("Groups of classes", 36, frame, blocks, NOTE)
