"""What sections consist of. The page renders each block with the template of its name, `templates/<template>.html`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

SCORES_FIRST = ("mIoU", "mAP")
"""Headings of the scores that a narrow screen shows beside the node."""


@dataclass(frozen=True)
class Block:
    """Base of all blocks; `template` names the file that renders one, in which it is called `block`."""

    template: ClassVar[str]


@dataclass(frozen=True)
class Paragraph(Block):
    """Text."""

    template = "paragraph"
    text: str


@dataclass(frozen=True)
class Warning(Block):
    """A line in red: what makes results useless."""

    template = "warning"
    text: str


@dataclass(frozen=True)
class Terms(Block):
    """Names, each with lines about it: (key or nothing, text)."""

    template = "terms"
    entries: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Table(Block):
    """Rows of text.

    Attributes:
        figures: for each column, whether it holds figures, which are right-aligned.
        notes: below the table, numbered from 1.
        title, text: above it.
        summary: if not empty, the table is folded behind it.
        row_ids: of each row, by which other blocks link to it; of the whole page, or none.
    """

    template = "table"
    headings: tuple[str, ...]
    figures: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    title: str = ""
    text: str = ""
    summary: str = ""
    row_ids: tuple[str, ...] = ()

    @property
    def leading(self) -> tuple[int, ...]:
        """Columns that come first on a narrow screen: the node, then its score; none unless the table has both."""
        node, score = (
            next((place for place, heading in enumerate(self.headings) if heading in names), None)
            for names in (("node",), SCORES_FIRST)
        )
        return () if node is None or score is None else (node, score)


@dataclass(frozen=True)
class Picture(Block):
    """A figure: PNG bytes, its alternative text, and its caption."""

    template = "picture"
    png: bytes
    alt: str
    caption: str


@dataclass(frozen=True)
class Legend(Block):
    """Colours of classes, as #rrggbb, by name; and the stripes of neutral pixels."""

    template = "legend"
    colours: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """One JPEG with its caption; without a picture if an earlier line shows the same.

    Attributes:
        mean_iou: of the image, where what is shown can be judged against its true mask.
        others: what may be shown in its place: heat maps of the image's other classes.
        name: of the heat map's class, which ends the caption; the caption itself if that is not given.
    """

    picture: bytes
    caption: str
    repeated: bool = False
    mean_iou: float | None = None
    others: tuple[Cell, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Sample:
    """One image: the photograph, a line of cells for each chain of nodes, and the truth if the split has it."""

    image_id: str
    photo: Cell
    lines: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    truth: Cell | None


@dataclass(frozen=True)
class Gallery(Block):
    """Rows of pictures under a title, of one split for instance; each line has a cell for each column.

    Attributes:
        first: heading of the column of photographs.
        fades: whether the cells are pictures over the photograph of their row.
    """

    template = "gallery"
    title: str
    columns: tuple[str, ...]
    samples: tuple[Sample, ...]
    first: str = "image"
    fades: bool = True

    @property
    def has_truth(self) -> bool:
        return any(sample.truth is not None for sample in self.samples)
