"""Sub-categories of each class with example images (SC-CAM, Fig. 5), and how many images each has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from seedbed.artifacts.tables import CLASS, IMAGE
from seedbed.report import overlays
from seedbed.report.blocks import Block, Cell, Gallery, Sample
from seedbed.report.results import Node, at_lowest_rng
from seedbed.report.section import Page, Section

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = 5
"""Images shown of a sub-category."""
LEAST = 3
"""Sub-categories shown of each class, as in the paper's figure, however many classes there are."""
COLUMNS = ("owner", "rng", "regions", "node", "class", "cluster", "images", "examples")
NOTE = "The largest of each class, at the lowest random seed; examples are spread evenly over the image ids."


class Subcategory(NamedTuple):
    """One cluster of a class, with its images in the table's order."""

    class_id: int
    cluster: int
    image_ids: tuple[str, ...]

    @property
    def examples(self) -> list[str]:
        """The first image of each of a few equal stretches; all if there are fewer."""
        count = len(self.image_ids)
        number = min(EXAMPLES, count)
        return [self.image_ids[count * place // number] for place in range(number)]


def nodes_of(page: Page) -> list[Node]:
    """Nodes of sub-categories."""
    return [node for node in page.results.nodes.values() if node.meaning.name == "subcategories"]


def largest_first(node: Node) -> list[Subcategory]:
    """A node's sub-categories by class, the largest of each class first."""
    members: dict[tuple[int, int], list[str]] = {}
    for row in node.artifact.open().rows:
        members.setdefault((int(row[CLASS]), int(row["cluster"])), []).append(row[IMAGE])
    found = [Subcategory(*key, tuple(ids)) for key, ids in members.items()]
    return sorted(found, key=lambda one: (one.class_id, -len(one.image_ids), one.cluster))


def frame(page: Page) -> pd.DataFrame:
    """One row per sub-category: how many images it has, and the ids of some."""
    import pandas as pd

    rows = [
        node.place.columns()
        | {
            "node": node.name,
            "class": page.dataset.classes[one.class_id],
            "cluster": one.cluster,
            "images": len(one.image_ids),
            "examples": " | ".join(one.examples),
        }
        for node in nodes_of(page)
        for one in largest_first(node)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """One gallery per node; none if the page is asked to show no samples."""
    nodes = nodes_of(page) if page.parameters.samples else []
    room = max(LEAST, page.parameters.sample_rows // max(1, len(page.dataset.classes)))
    return [
        Gallery(
            title=f"{node.name} ({node.place.owner})",
            columns=("",) * (EXAMPLES - 1),
            samples=tuple(_sample(page, one) for one in _shown(largest_first(node), room)),
            first="sub-category",
            fades=False,
        )
        for node in at_lowest_rng(nodes)
    ]


def _shown(found: Sequence[Subcategory], room: int) -> Iterator[Subcategory]:
    """The first `room` of each class."""
    shown: dict[int, int] = {}
    for one in found:
        shown[one.class_id] = shown.get(one.class_id, 0) + 1
        if shown[one.class_id] <= room:
            yield one


def _sample(page: Page, one: Subcategory) -> Sample:
    first, *others = (_cell(page, image_id) for image_id in one.examples)
    missing = [None] * (EXAMPLES - 1 - len(others))
    number = "1 image" if len(one.image_ids) == 1 else f"{len(one.image_ids)} images"
    return Sample(
        image_id=f"{page.dataset.classes[one.class_id]} {one.cluster}",
        photo=Cell(first.picture, f"{number}: {first.caption}"),
        lines=(("", (*others, *missing)),),
        truth=None,
    )


def _cell(page: Page, image_id: str) -> Cell:
    image = page.dataset.image(image_id)
    size = overlays.thumbnail_size((image.height, image.width), page.parameters.thumbnail)
    return Cell(overlays.jpeg(overlays.shrink_photo(image, size)), image_id)


SECTION = Section("Sub-categories", 96, frame, blocks, NOTE)
