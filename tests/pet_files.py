"""Oxford-IIIT Pet's layout, written for tests from cats and dogs of VOC, whose masks have a border too."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from seedbed.datasets.pets import ANIMAL, BACKGROUND, BORDER, FOLDER
from seedbed.labels import IGNORE

BREEDS = {"cat": ("Abyssinian", "Bengal"), "dog": ("beagle", "pug")}
"""Breeds that the photographs of a species are given in turn; the names of cats begin with a capital."""


def write_pets(voc: Path, root: Path, trainval: int, test: int) -> dict[str, list[str]]:
    """Write `root/oxford-iiit-pet` with the first photographs of VOC that are labelled with a cat or a dog alone.

    Args:
        voc: folder in VOC's layout with `image_labels.csv` and `class_names.txt`.
        trainval: photographs in that list; cats and dogs take turns.
        test: photographs in that list.

    Returns:
        Ids of the images in each of the two lists.
    """
    folder = root / FOLDER
    (folder / "images").mkdir(parents=True)
    (folder / "annotations/trimaps").mkdir(parents=True)
    indices = {name: k for k, name in enumerate((voc / "class_names.txt").read_text().split())}
    alone = _alone(voc / "image_labels.csv")
    lists: dict[str, list[str]] = {"trainval": [], "test": []}
    for number in range(trainval + test):
        species = ("cat", "dog")[number % 2]
        breed = number // 2 % 2
        image_id = f"{BREEDS[species][breed]}_{number + 1}"
        source = alone[species][number // 2]
        photograph = (voc / f"JPEGImages/{source}.jpg").read_bytes()
        (folder / f"images/{image_id}.jpg").write_bytes(photograph)
        mask = np.array(Image.open(voc / f"SegmentationClass/{source}.png"))
        trimap = np.full(mask.shape, BACKGROUND, np.uint8)
        trimap[mask == indices[species]] = ANIMAL
        trimap[mask == IGNORE] = BORDER
        Image.fromarray(trimap).save(folder / f"annotations/trimaps/{image_id}.png")
        lists["trainval" if number < trainval else "test"].append(image_id)
    numbers = {name: k + 1 for k, name in enumerate(sum(BREEDS.values(), ()))}
    for name, ids in lists.items():
        lines = []
        for image_id in ids:
            breed_name = image_id.rpartition("_")[0]
            species_number = 1 if breed_name[0].isupper() else 2
            lines.append(f"{image_id} {numbers[breed_name]} {species_number} 1\n")
        (folder / f"annotations/{name}.txt").write_text("".join(lines))
    return lists


def _alone(path: Path) -> dict[str, list[str]]:
    """Ids of the images with one class, by class."""
    found: dict[str, list[str]] = {}
    with path.open() as stream:
        for row in csv.DictReader(stream):
            classes = [name for name, value in row.items() if name != "image_id" and value == "1"]
            if len(classes) == 1:
                found.setdefault(classes[0], []).append(row["image_id"])
    return found
