"""COCO's JSON written for tests: of a few objects, and of photographs with YOLO's polygons."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

# fmt: off
COCO_IDS = tuple(
    number for number in range(1, 91) if number not in {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
)
# fmt: on
"""Ids of COCO's 80 classes."""


def write_coco(
    root: Path,
    split: str,
    sizes: dict[str, tuple[int, int]],
    annotations: Sequence[dict[str, Any]],
    categories: dict[int, str],
) -> Path:
    """Photographs and their JSON; an annotation names its image, and `category_id`."""
    (root / split).mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    numbers = {name: 100 + 3 * k for k, name in enumerate(sizes)}
    for k, (name, size) in enumerate(sizes.items()):
        Image.new("RGB", size, (9, 99, 10 * k)).save(root / split / name)
    content = {
        "info": {},
        "images": [
            {"id": numbers[name], "file_name": name, "width": w, "height": h}
            for name, (w, h) in sizes.items()
        ],
        "annotations": [
            {"id": k, "iscrowd": 0, **one, "image_id": numbers.get(one["image_id"], one["image_id"])}
            for k, one in enumerate(annotations)
        ],
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
    }
    path = root / "annotations" / f"instances_{split}.json"
    path.write_text(json.dumps(content))
    return path


def convert_yolo(source: Path, root: Path, split: str, number: int, first: int = 0) -> Path:
    """Photographs of a YOLO folder, from the place `first` on, as COCO: its class k is the k-th of COCO's ids."""
    (root / split).mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    images, annotations = [], []
    photographs = sorted((source / "images/train2017").glob("*.jpg"))
    for k, photo in enumerate(photographs[first : first + number]):
        (root / split / photo.name).write_bytes(photo.read_bytes())
        with Image.open(photo) as image:
            width, height = image.size
        images.append({"id": k, "file_name": photo.name, "width": width, "height": height})
        labels = source / "labels/train2017" / f"{photo.stem}.txt"
        for line in labels.read_text().splitlines() if labels.exists() else ():
            index, *numbers = line.split()
            polygon = [float(n) * (width, height)[place % 2] for place, n in enumerate(numbers)]
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": k,
                    "category_id": COCO_IDS[int(index)],
                    "segmentation": [polygon],
                    "iscrowd": 0,
                    "area": 1.0,
                    "bbox": [0, 0, 1, 1],
                }
            )
    categories = [{"id": number, "name": f"class {number}"} for number in COCO_IDS]
    path = root / "annotations" / f"instances_{split}.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path
