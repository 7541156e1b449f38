"""The images with the lowest and the highest mean IoU of each node, and pictures of some of the predictions.

The table names images of the whole split. Pictures are only of those in its first shard, which is what the page reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from seedbed.errors import SeedbedError
from seedbed.metrics import segmentation
from seedbed.metrics.image_counts import unpack
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
NAMED = 12
"""Images of each end in the table."""
SHOWN = 3
"""Pictures of each end, and rows on the page."""
CHUNK = 1000
"""Images whose counts are written out at a time."""
DRAWN_KINDS = ("prediction",)
NOTE = (
    "Mean IoU over the classes of one image, background included. Pictures are of images in the first shard of a "
    "split; the table in <code>extremes.csv</code> names those of the whole split."
)


def frame(page: Page) -> pd.DataFrame:
    """One row per image named, from the end inwards."""
    import pandas as pd

    rows = [row for judged in page.results.judged[SCORES] for row in _rows(page, judged)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(page: Page, judged: Judged) -> Iterator[dict[str, Any]]:
    for end, images in extremes_of(page, judged).items():
        for place, (image_id, mean_iou) in enumerate(images, start=1):
            found = {"end": end, "place": place, "image_id": image_id, "mean_iou": mean_iou}
            yield judged.columns() | found


def extremes_of(page: Page, judged: Judged) -> dict[str, list[tuple[str, float]]]:
    """Images with the lowest (`worst`) and the highest (`best`) mean IoU, each list from its end inwards.

    An image of which no pixel has a label is left out, and none is in both lists; of equal scores the earlier image
    of the split comes first. Nothing if the scores have no counts of images.

    Raises:
        SeedbedError: there are counts of other images than the split has.
    """
    if "image_counts" not in judged.content:
        return {}
    image_ids = page.dataset.image_ids(judged.split)
    means = image_means(judged)
    if len(means) != len(image_ids):
        raise SeedbedError(
            f"{judged.key}: expected scores of the {len(image_ids)} images of {judged.split}, got {len(means)}; "
            "score it again"
        )
    defined = [place for place in range(len(means)) if not np.isnan(means[place])]
    number = min(NAMED, len(defined) // 2)
    upwards = sorted(defined, key=lambda place: (means[place], place))
    ends = (
        upwards[:number],
        sorted(upwards[len(upwards) - number :], key=lambda place: (-means[place], place)),
    )
    return {
        end: [(image_ids[place], float(means[place])) for place in places]
        for end, places in zip(ENDS, ends, strict=True)
    }


def image_means(judged: Judged) -> Float64[np.ndarray, images]:
    """Mean IoU of each image over its classes and those predicted, in the order of the split; NaN without a label."""
    stored, classes = judged.content["image_counts"], len(judged.content["classes"])
    counts = unpack(stored["packed"], stored["images"], classes)
    neutral = judged.scores.get("neutral", "dropped")
    parts = [
        segmentation.mean_ious(
            counts[start : start + CHUNK].toarray().reshape(-1, classes, classes + 1), neutral=neutral
        )
        for start in range(0, stored["images"], CHUNK)
    ]
    return np.concatenate([np.empty(0), *parts])


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
        if judged.kind not in DRAWN_KINDS or place in seen or node is None or not page.parameters.samples:
            continue
        seen.add(place)
        named = extremes_of(page, judged)
        if not named:
            continue
        stored = pictures_of(node, judged.split, page.dataset)
        samples = [sample for end in ENDS for sample in _samples(page, end, stored, named[end])]
        if samples:
            title = f"{judged.node} ({judged.place}), {judged.split}"
            yield Gallery(title=title, columns=(judged.node,), samples=tuple(samples))


def _samples(page: Page, end: str, stored: Pictures, images: Sequence[tuple[str, float]]) -> Iterator[Sample]:
    held = [image for image in images if image[0] in stored]
    for image_id, mean_iou in held[:SHOWN]:
        photograph = page.dataset.image(image_id)
        size = overlays.thumbnail_size((photograph.height, photograph.width), page.parameters.thumbnail)
        photo, mask = overlays.shrink_photo(photograph, size), page.dataset.mask(image_id)
        yield Sample(
            image_id=image_id,
            photo=Cell(overlays.jpeg(photo), f"{end}: mIoU {figure(mean_iou)}"),
            lines=((end, (stored.cell(image_id, photo, None),)),),
            truth=None if mask is None else label_cell(mask, photo, page.dataset.mask_classes),
        )


SECTION = Section("Best and worst images", 99, frame, blocks, NOTE)
