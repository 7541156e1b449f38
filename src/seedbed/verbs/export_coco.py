"""`seedbed export --format coco`: COCO's JSON of instances, one object per image and class, as run lengths."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from seedbed.artifacts.atomic import write_bytes
from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE
from seedbed.verbs.exported import Exported, Photographs, label_maps
from seedbed.verbs.locate import Located
from seedbed.verbs.names import image_suffixes

_NUMBER = re.compile(r"(?:COCO_\w+_)?(\d{1,15})")
"""Ids of COCO's images, as their names hold them."""


def export_coco(
    located: Located, out: Path, splits: Sequence[str], photographs: Photographs
) -> tuple[Path, int]:
    """`instances_<split>.json`, which pycocotools reads, and data sets of kind `coco`.

    Ids of images are the numbers in their names where all have distinct ones, as COCO's do, or 1, 2, …. Category c + 1
    is class c.

    Raises:
        SeedbedError: neutral pixels, which the form cannot tell from background.
    """
    classes = located.artifact.manifest.facts["classes"]
    categories = [{"id": c + 1, "name": name} for c, name in enumerate(classes)]
    count = 0
    for split in splits:
        ids = list(located.artifact.open(split))
        numbers = dict(zip(ids, _numbers(ids), strict=True))
        content: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": categories}
        for one in label_maps(located, split):
            height, width = one.label_map.shape
            number = numbers[one.image_id]
            image = {"id": number, "file_name": _file_name(one.image_id), "width": width, "height": height}
            content["images"].append(image)
            for annotation in _annotations(one):
                annotation |= {"id": len(content["annotations"]) + 1, "image_id": number}
                content["annotations"].append(annotation)
            count += 1
        write_bytes(out / f"instances_{split}.json", json.dumps(content).encode())
    return out, count


def _annotations(one: Exported) -> Iterator[dict[str, Any]]:
    from pycocotools import mask as rle

    values = [int(value) for value in np.unique(one.label_map)]
    if IGNORE in values:
        raise SeedbedError(
            f"image {one.image_id} has neutral pixels ({IGNORE}), which COCO's format cannot tell from background; "
            "export predictions, or as png"
        )
    for value in values:
        if value:
            packed = rle.encode(np.asfortranarray(one.label_map == value, dtype=np.uint8))
            yield {
                "category_id": value,
                "segmentation": {"size": list(one.label_map.shape), "counts": packed["counts"].decode()},
                "area": int(rle.area(packed)),
                "bbox": [float(side) for side in rle.toBbox(packed)],
                "iscrowd": 0,
            }


def _numbers(ids: Sequence[str]) -> list[int]:
    matches = [_NUMBER.fullmatch(str(PurePosixPath(i).with_suffix("")) if _has_suffix(i) else i) for i in ids]
    found = [int(match[1]) for match in matches if match]
    return found if len(set(found)) == len(ids) else list(range(1, len(ids) + 1))


def _has_suffix(image_id: str) -> bool:
    return PurePosixPath(image_id).suffix.lower() in image_suffixes()


def _file_name(image_id: str) -> str:
    """The photograph's name: the id itself where it has an ending of pictures, else as most data sets have it."""
    return image_id if _has_suffix(image_id) else f"{image_id}.jpg"
