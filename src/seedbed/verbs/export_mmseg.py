"""`seedbed export --format mmseg`: `img_dir` and `ann_dir` of mmsegmentation's `BaseSegDataset`, and `metainfo`."""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.label_maps import label_map_png, voc_palette
from seedbed.datasets.index import IndexedDataset, file_digest
from seedbed.datasets.shrunk import ShrunkDataset
from seedbed.errors import SeedbedError
from seedbed.verbs.exported import Photographs, label_maps
from seedbed.verbs.locate import Located

METAINFO = "metainfo.json"
JPEG = {".jpg", ".jpeg"}
QUALITY = 95
"""Of photographs that were not JPEGs: the toolbox expects one ending for all."""


def export_mmseg(
    located: Located, out: Path, splits: Sequence[str], photographs: Photographs
) -> tuple[Path, int]:
    """`img_dir/<split>/NAME.jpg`, `ann_dir/<split>/NAME.png` and `metainfo.json`; 255 is ignored, as there by default.

    JPEGs are copied byte for byte; other photographs are saved as JPEG.

    Raises:
        SeedbedError: the photographs are not there, or have changed since they were indexed.
    """
    dataset, count = photographs(), 0
    for split in splits:
        for image_id, name, label_map in label_maps(located, split):
            write_bytes(out / "img_dir" / split / f"{name}.jpg", _jpeg(dataset, image_id))
            write_bytes(out / "ann_dir" / split / f"{name}.png", label_map_png(label_map))
            count += 1
    classes = ["background", *located.artifact.manifest.facts["classes"]]
    palette = voc_palette()
    colours = [palette[3 * k : 3 * k + 3] for k in range(len(classes))]
    metainfo = {"classes": classes, "palette": colours}
    write_bytes(out / METAINFO, json.dumps(metainfo, indent=2).encode() + b"\n")
    return out, count


def _jpeg(dataset: IndexedDataset, image_id: str) -> bytes:
    path = dataset.source(image_id)
    if path is not None and path.suffix.lower() in JPEG:
        if file_digest(path) != dataset.index.by_id[image_id].sha256:
            raise SeedbedError(f"{path} has changed since it was indexed; start the run again")
        return path.read_bytes()
    stream = BytesIO()
    _whole(dataset, image_id).save(stream, format="JPEG", quality=QUALITY)
    return stream.getvalue()


def _whole(dataset: IndexedDataset, image_id: str) -> Image.Image:
    """The photograph in its own size; that it is the indexed one is checked as the stages do."""
    shrunk = dataset.image(image_id)
    whole = dataset.dataset
    return whole.whole.image(image_id) if isinstance(whole, ShrunkDataset) else shrunk
