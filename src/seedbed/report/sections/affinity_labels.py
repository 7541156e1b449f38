"""What confident regions teach AffinityNet, with and without saliency (P-NOC paper, §5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import AFFINITY_LABELS
from seedbed.report.blocks import Block, Table
from seedbed.report.results import Judged
from seedbed.report.section import Page, Section
from seedbed.report.tables import figure, filled, groups, one_of, spread

if TYPE_CHECKING:
    import pandas as pd

PIXELS = ("background", "foreground", "neutral")
PAIRS = ("foreground", "background", "negative")
COUNTED = tuple(f"{name}_pixels" for name in PIXELS) + tuple(f"{name}_pairs" for name in PAIRS)
RIGHT = tuple(f"{name}_right" for name in COUNTED if name != "neutral_pixels")
COLUMNS = (
    *("owner", "rng", "regions", "node", "split", "kind", "saliency", "stride", "radius", "class"),
    *COUNTED,
    *RIGHT,
    *("share", "share_right"),
)
WHERE = ("owner", "regions", "saliency")
NOTE = (
    "Pixels are shares of all pixels; pairs are means per image, on the grid of the AffinityNet and nearer than its "
    "radius. In brackets the share that is right: pixels with their true class, pairs whose true labels are of the "
    "same kind. It needs masks, and nothing is trained on it."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per AffinityNet for all pixels and pairs, and one per class for its share of the pixels."""
    import pandas as pd

    rows = [row for judged in page.results.judged.get(AFFINITY_LABELS, ()) for row in _rows(judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(judged: Judged) -> Iterator[dict[str, Any]]:
    content, scores = judged.content, judged.scores
    where = judged.columns() | {"saliency": "yes" if content["saliency"] else "no"}
    where |= {name: content[name] for name in ("stride", "radius")}
    counts = {
        f"{name}_{what}{suffix}": value
        for what in ("pixels", "pairs")
        for suffix in ("", "_right")
        for name, value in scores[f"{what}{suffix}"].items()
    }
    yield where | {"class": ""} | counts
    for name, values in scores["per_class"].items():
        yield where | {"class": name, "share": values["share"], "share_right": values["right"]}


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One table of all pixels and pairs, one of the classes; random seeds averaged."""
    rows = []
    for names, group in groups(frame[frame["class"] == ""], WHERE):
        grid = one_of(
            f"{radius} cells of {stride}"
            for radius, stride in zip(group["radius"], group["stride"], strict=True)
        )
        cells = (_with_share(group[name], group.get(f"{name}_right"), 3) for name in COUNTED[:3])
        pairs = (_with_share(group[name], group[f"{name}_right"], 0) for name in COUNTED[3:])
        rows.append((*names, str(len(group)), *cells, *pairs, grid))
    table = Table(
        headings=(
            *("recipe (owner)", "regions", "saliency", "rngs"),
            *PIXELS,
            *(f"{name} pairs" for name in PAIRS),
            "radius",
        ),
        figures=(False, False, False, *(True,) * 7, False),
        rows=tuple(rows),
    )
    return list(filled(table, _by_class(page, frame[frame["class"] != ""])))


def _by_class(page: Page, frame: pd.DataFrame) -> Table:
    classes = ("background", *page.dataset.mask_classes)
    rows = []
    for names, group in groups(frame, WHERE):
        found = {
            name: _with_share(part["share"], part["share_right"], 3) for name, part in group.groupby("class")
        }
        rows.append((*names, *(found.get(name, "") for name in classes)))
    return Table(
        headings=("recipe (owner)", "regions", "saliency", *classes),
        figures=(False, False, False, *(True,) * len(classes)),
        rows=tuple(rows),
        title="By class",
    )


def _with_share(values: pd.Series, right: pd.Series | None, digits: int) -> str:
    """The mean, and in brackets the share that is right, where it is known."""
    known = None if right is None else right.dropna()
    share = "" if known is None or known.empty else f" ({figure(float(known.mean()), 3)})"
    return f"{spread(values, digits)}{share}"


SECTION = Section("Affinity labels", 28, frame, blocks, NOTE)
