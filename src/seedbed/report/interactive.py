"""Blocks that scripts draw from the data they bring along: curves, and heat maps of pairs of thresholds.

Charts and planes hold the same as a static picture or a table, which is what a reader without scripts sees.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from seedbed.report.blocks import Block, Picture

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A line of a panel.

    Attributes:
        run: name under which lines of all panels share a colour and an entry of the legend.
        points: x in ascending order.
        label: of this line, where one run has several in a panel.
        faint: drawn behind the others and left out of the readings.
    """

    run: str
    points: tuple[Point, ...]
    label: str = ""
    dashed: bool = False
    faint: bool = False


@dataclass(frozen=True)
class Mark:
    """A point with a meaning, on the lines of a run."""

    run: str
    point: Point
    shape: Literal["circle", "star"]
    meaning: str


@dataclass(frozen=True)
class Panel:
    """Lines over one x axis; with vertical dotted lines at some x, by run."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    verticals: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Chart(Picture):
    """Panels that share one slider over x."""

    template = "chart"
    panels: tuple[Panel, ...]

    @property
    def data(self) -> dict[str, Any]:
        return {"panels": [asdict(panel) for panel in self.panels]}


@dataclass(frozen=True)
class Measure:
    """What is known of pairs of thresholds.

    Attributes:
        values: by pair, in the order of the plane's; None where it is undefined.
        has_best: whether its highest value is marked, unless several pairs share it.
        chooses: whether the pair of its highest value is marked in the maps of all measures, with the same exception.
    """

    title: str
    values: tuple[float | None, ...]
    has_best: bool
    chooses: bool


@dataclass(frozen=True)
class Plane(Picture):
    """Heat maps of measures over background and foreground threshold, one cell per pair; without a static picture if a
    table says the same.

    Attributes:
        pairs: (bg, fg) of each.
        rows: id of the row about each pair, to which its cell leads.
        cached: whether the pair has results of its own downstream.
    """

    template = "plane"
    pairs: tuple[Point, ...]
    rows: tuple[str, ...]
    cached: tuple[bool, ...]
    measures: tuple[Measure, ...]

    @property
    def data(self) -> Mapping[str, Any]:
        measures = [asdict(measure) for measure in self.measures]
        return {"pairs": self.pairs, "rows": self.rows, "cached": self.cached, "measures": measures}


@dataclass(frozen=True)
class ExploredImage:
    """One image of the explorer.

    Attributes:
        photo: JPEG.
        labels: names of the image-level labels.
        size: (height, width) of the grid of scores and truth.
        scored: place of each class with scores among the image-level labels' classes, by node.
        class_ids: labels among the masks' classes that these stand for, by node; in their order.
        codes: scores of each node, as `seedbed.report.explored.packed`; None if the node has none of the image.
        truth: likewise; None if there is no mask.
    """

    image_id: str
    split: str
    photo: bytes
    labels: tuple[str, ...]
    size: tuple[int, int]
    scored: tuple[tuple[int, ...], ...]
    class_ids: tuple[tuple[int, ...], ...]
    codes: tuple[str | None, ...]
    truth: str | None


@dataclass(frozen=True)
class ExploredNode:
    """Scores that the explorer decides, and where its sliders begin."""

    name: str
    bg_threshold: float
    fg_threshold: float
    background_score: float


@dataclass(frozen=True)
class Explorer(Block):
    """Thresholds that a reader moves, on the scores of some images.

    Attributes:
        label_classes: names of the image-level labels' classes.
        classes: of the masks, without background, with their colours (#rrggbb).
        pairs: thresholds of the regions on the page, offered beside the sliders.
    """

    template = "explorer"
    nodes: tuple[ExploredNode, ...]
    images: tuple[ExploredImage, ...]
    label_classes: tuple[str, ...]
    classes: tuple[tuple[str, str], ...]
    pairs: tuple[Point, ...]

    @property
    def data(self) -> Mapping[str, Any]:
        images = [asdict(image) | {"photo": b64encode(image.photo).decode()} for image in self.images]
        nodes = [asdict(node) for node in self.nodes]
        names = {"label_classes": self.label_classes, "classes": self.classes}
        return {"nodes": nodes, "images": images, "pairs": self.pairs, **names}
