"""What can be said of label maps where a split has no masks: neutral ratio, area of each class, missing classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import AREAS
from seedbed.report.blocks import Block, Table
from seedbed.report.results import Judged
from seedbed.report.scored import NODE_HEADINGS
from seedbed.report.section import Page, Section
from seedbed.report.tables import filled, groups, spread

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {
    "neutral_ratio": "neutral (NPR)",
    "foreground_area": "area of all classes",
    "labelled_without_pixel": "images that lack a labelled class",
    "images_without_foreground": "images without any class",
}
AREA, LACKING = "area:", "without_pixel:"
NOTE = (
    "Fractions, of splits without masks. <i>Images that lack a labelled class</i>: of the images with a label, those "
    "in which a class that they are labelled with has no pixel.\nNone of these is a score. TECM of the pairs of "
    "thresholds is under <i>Threshold pairs</i>."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per judgement, with the area of each class, and the share of its images in which it has no pixel."""
    import pandas as pd

    head = ["owner", "rng", "regions", "node", "split", "kind"]
    classes = list(page.dataset.mask_classes)
    columns = [*head, *MEASURES]
    columns += [f"{AREA}{name}" for name in ("background", *classes)] + [
        f"{LACKING}{name}" for name in classes
    ]
    return pd.DataFrame([_row(judged) for judged in page.results.judged.get(AREAS, ())], columns=columns)


def _row(judged: Judged) -> dict[str, Any]:
    classes = judged.scores["per_class"].items()
    return (
        judged.columns()
        | {name: judged.scores[name] for name in MEASURES}
        | {f"{AREA}{name}": values["area"] for name, values in classes}
        | {f"{LACKING}{name}": values.get("without_pixel") for name, values in classes}
    )


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """All nodes, then their classes."""
    return list(filled(area_table(frame), class_table(frame, page.dataset.mask_classes)))


def area_table(frame: pd.DataFrame) -> Table:
    """One row per node; several random seeds as mean ± sd."""
    rows = [
        (*key, str(len(group)), *(spread(group[name].astype(float)) for name in MEASURES))
        for key, group in groups(frame, ("owner", "regions", "node", "split"))
    ]
    return Table(
        headings=(*NODE_HEADINGS, "rngs", *MEASURES.values()),
        figures=(*(False for _ in NODE_HEADINGS), True, *(True for _ in MEASURES)),
        rows=tuple(rows),
        title="Label maps, where there are no masks",
    )


def class_table(frame: pd.DataFrame, classes: tuple[str, ...]) -> Table:
    """Two rows per node: areas, and shares of labelled images without a pixel."""
    rows = [
        (
            *key,
            measure,
            *(
                spread(group[f"{prefix}{name}"].astype(float)) if f"{prefix}{name}" in group else ""
                for name in ("background", *classes)
            ),
        )
        for key, group in groups(frame, ("owner", "regions", "node", "split"))
        for measure, prefix in (("area", AREA), ("labelled, no pixel", LACKING))
    ]
    return Table(
        headings=(*NODE_HEADINGS, "measure", "background", *classes),
        figures=(*(False for _ in NODE_HEADINGS), False, *(True for _ in ("background", *classes))),
        rows=tuple(rows),
        summary="By class",
    )


SECTION = Section("Without masks", 32, frame, blocks, NOTE)
