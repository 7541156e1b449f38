"""`seedbed export --format overlays`: each label map or CAM over its photograph, and contact sheets of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.maps import SALIENCY, MapStore
from seedbed.datasets.index import IndexedDataset
from seedbed.report import overlays
from seedbed.verbs.exported import Photographs
from seedbed.verbs.locate import Located
from seedbed.verbs.names import names_of

THUMBNAIL, COLUMNS, ROWS = 192, 6, 8
"""Pixels of the longer side of a picture on a contact sheet, and how many pictures it has."""
GAP = 4


def export_overlays(
    located: Located, out: Path, splits: Sequence[str], photographs: Photographs
) -> tuple[Path, int]:
    """`NAME.jpg` (of CAMs `NAME-CLASS.jpg`), in one folder per split if there are several; `sheet-<split>-<n>.jpg`.

    Pictures have the sizes that the stages saw. Sheets show the pictures in their order, row by row.
    """
    dataset, count = photographs(), 0
    for split in splits:
        folder = out / split if len(splits) > 1 else out
        store = located.artifact.open(split)
        image_ids = list(store)
        small = []
        for image_id, name in zip(image_ids, names_of(image_ids), strict=True):
            for ending, picture in _pictures(located, store, dataset, image_id):
                write_bytes(folder / f"{name}{ending}.jpg", overlays.jpeg(picture))
                small.append(_thumbnail(picture))
            count += 1
        for first in range(0, len(small), COLUMNS * ROWS):
            sheet = contact_sheet(small[first : first + COLUMNS * ROWS])
            write_bytes(out / f"sheet-{split}-{first // (COLUMNS * ROWS) + 1}.jpg", overlays.jpeg(sheet))
    return out, count


def _pictures(
    located: Located, store: object, dataset: IndexedDataset, image_id: str
) -> Iterator[tuple[str, overlays.Picture]]:
    """What goes behind the name, and the picture."""
    photo = np.asarray(dataset.image(image_id))
    if isinstance(store, MapStore):
        classes = [SALIENCY] if store.is_saliency else located.artifact.manifest.facts["classes"]
        for class_id, score in zip(store[image_id].class_ids, store.scores(image_id), strict=True):
            yield f"-{classes[class_id].replace('/', '_')}", overlays.overlay_heat(photo, score)
    else:
        yield "", overlays.overlay_labels(photo, store[image_id])  # type: ignore[index]


def _thumbnail(picture: overlays.Picture) -> overlays.Picture:
    size = overlays.thumbnail_size((picture.shape[0], picture.shape[1]), THUMBNAIL)
    return overlays.shrink_photo(Image.fromarray(picture), size)


def contact_sheet(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]]) -> UInt8[np.ndarray, "height width 3"]:
    """Pictures in rows of `COLUMNS` on white, each in the upper left corner of its cell."""
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // COLUMNS)
    cell = THUMBNAIL + GAP
    sheet = np.full((rows * cell + GAP, columns * cell + GAP, 3), 255, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = GAP + place // COLUMNS * cell, GAP + place % COLUMNS * cell
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet
