"""The images with the lowest and the highest mean IoU of each node of label maps, and pictures of some.

The table names images of the whole split. Pictures are only of those in its first shard, which is what the page reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seedbed.plan.judges import SCORES
from seedbed.report import overlays
from seedbed.report.blocks import Block, Cell, Gallery, Sample, Table
from seedbed.report.pictures import Pictures, label_cell, pictures_of
from seedbed.report.results import Judged
from seedbed.report.section import Page, Section
from seedbed.report.tables import figure, filled

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("owner", "rng", "regions", "node", "split", "kind", "end", "place", "image_id", "mean_iou")
ENDS = ("worst", "best")
SHOWN = 3
"""Pictures of each end."""
DRAWN_KINDS = ("prediction",)
NOTE = (
    "Mean IoU over the classes of one image, background included. Pictures are of images in the first shard of a "
    "split; the table in <code>extremes.csv</code> names those of the whole split."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per image named, from the end inwards."""
    import pandas as pd

    rows = [row for judged in page.results.judged[SCORES] for row in _rows(judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(judged: Judged) -> Iterator[dict[str, Any]]:
    for end in ENDS:
        for place, image in enumerate(judged.content.get("images", {}).get(end, ()), start=1):
            yield judged.columns() | {"end": end, "place": place, **image}


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The ids, folded; pictures of predictions, of the first random seed of each recipe."""
    rows = tuple(
        (
            row["owner"],
            str(row["rng"]),
            row["regions"],
            row["node"],
            row["split"],
            row["end"],
            row["image_id"],
            figure(row["mean_iou"]),
        )
        for row in frame.to_dict("records")
        if row["place"] <= SHOWN
    )
    table = Table(
        headings=("recipe (owner)", "rng", "regions", "node", "split", "end", "image", "mIoU"),
        figures=(*(False,) * 7, True),
        rows=rows,
        summary=f"The {SHOWN} worst and best images of each node",
    )
    return [*_galleries(page), *filled(table)]


def _galleries(page: Page) -> Iterator[Gallery]:
    seen: set[tuple[str, str, str, str]] = set()
    for judged in page.results.judged[SCORES]:
        place = (judged.place.owner, str(judged.place.axes.regions), judged.node, judged.split)
        node = page.results.nodes.get(judged.key)
        if judged.kind not in DRAWN_KINDS or place in seen or node is None or "images" not in judged.content:
            continue
        seen.add(place)
        stored = pictures_of(node, judged.split, page.dataset)
        samples = [
            sample for end in ENDS for sample in _samples(page, end, stored, judged.content["images"][end])
        ]
        if samples and page.parameters.samples:
            title = f"{judged.node} ({judged.place}), {judged.split}"
            yield Gallery(title=title, columns=(judged.node,), samples=tuple(samples))


def _samples(page: Page, end: str, stored: Pictures, images: Sequence[dict[str, Any]]) -> Iterator[Sample]:
    held = [image for image in images if image["image_id"] in stored]
    for image in held[:SHOWN]:
        image_id = image["image_id"]
        photograph = page.dataset.image(image_id)
        size = overlays.thumbnail_size((photograph.height, photograph.width), page.parameters.thumbnail)
        photo, mask = overlays.shrink_photo(photograph, size), page.dataset.mask(image_id)
        yield Sample(
            image_id=image_id,
            photo=Cell(overlays.jpeg(photo), f"{end}: mIoU {figure(image['mean_iou'])}"),
            lines=((end, (stored.cell(image_id, photo, None),)),),
            truth=None if mask is None else label_cell(mask, photo, page.dataset.classes),
        )


SECTION = Section("Best and worst images", 99, frame, blocks, NOTE)
