"""COCO's JSON of instances: categories, images and annotations, checked as far as labels and masks need.

Ids of categories have gaps (1 to 90 for 80 classes), so classes are counted in the order of these ids.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from seedbed.datasets.class_names import alike_faults, class_fault, reserved_fault
from seedbed.datasets.files import MOST_CLASSES, id_fault
from seedbed.errors import SeedbedError
from seedbed.regular_files import read_regular, system_reason

KEYS = ("images", "annotations", "categories")
REMEDY = "correct the file"


class Object(NamedTuple):
    """An annotation: its id, its class (from 0), its segmentation (None if there is none), whether it is a crowd."""

    number: Any
    class_id: int
    segmentation: Any
    crowd: bool


@dataclass
class Photo:
    """An image of the file with its annotations; width and height are None if the file does not tell them."""

    file_name: str
    size: tuple[int, int] | None
    objects: list[Object] = field(default_factory=list)


@dataclass
class Instances:
    """What a file holds; ids are the photographs' names without their ending."""

    path: Path
    classes: tuple[str, ...]
    photos: dict[str, Photo] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_instances(path: Path) -> Instances:
    """Read a file of instances.

    Raises:
        SeedbedError: it is missing, not such a file, or its categories are not usable; other faults are collected.
    """
    content = _content(path)
    order = _categories(path, content["categories"])
    found = Instances(path, tuple(order.values()))
    by_number: dict[Any, Photo | None] = {}
    for raw in content["images"]:
        photo, faults = _photo(raw, found.photos)
        if photo is not None and by_number.get(raw["id"]):
            photo, faults = None, [f"image id {raw['id']!r} is there twice; {REMEDY}"]
        found.faults += [f"{path}: {fault}" for fault in faults]
        if photo is not None:
            by_number[raw["id"]] = found.photos[image_id_of(photo.file_name)] = photo
        elif isinstance(raw, dict) and isinstance(raw.get("id"), int | str):
            by_number.setdefault(raw["id"], None)  # its annotations are not at fault
    places = {number: place for place, number in enumerate(order)}
    for raw in content["annotations"]:
        number = raw.get("id") if isinstance(raw, dict) else None
        where = f"{path}, annotation {repr(number)[:50]}" if number is not None else str(path)
        found.faults += [f"{where}: {fault}" for fault in _annotate(raw, by_number, places)]
    return found


def image_id_of(file_name: str) -> str:
    """The id of a photograph: its name without its ending."""
    return str(PurePosixPath(file_name).with_suffix(""))


def _content(path: Path) -> dict[str, list[Any]]:
    try:
        content = json.loads(read_regular(path))
    except FileNotFoundError:
        there = ", ".join(sorted(p.name for p in path.parent.glob("*.json"))) or "none"
        raise SeedbedError(
            f"{path}: expected COCO's JSON of instances, but there is no such file; in this folder: {there}"
        ) from None
    except (ValueError, RecursionError, OSError) as error:
        reason = system_reason(error) if isinstance(error, OSError) else str(error)
        raise SeedbedError(f"{path}: not readable JSON ({reason}); replace it") from None
    wanted = f"{path}: expected a mapping with the lists {', '.join(KEYS)}"
    if not isinstance(content, dict):
        raise SeedbedError(f"{wanted}, got {_kind(content)}; use a file of instances")
    if absent := [key for key in KEYS if key not in content]:
        came = ", ".join(map(str, content))[:200] or "nothing"
        raise SeedbedError(
            f"{wanted}, but there is no {' and no '.join(map(repr, absent))}, only {came}; use a file of instances"
        )
    for key in KEYS:
        if not isinstance(content[key], list):
            raise SeedbedError(f"{wanted}, but {key!r} is {_kind(content[key])}; {REMEDY}")
    return {key: content[key] for key in KEYS}


def _kind(value: Any) -> str:
    """What JSON calls a value."""
    kinds = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def _categories(path: Path, categories: list[Any]) -> dict[int, str]:
    """Names by id, in the order of the ids."""
    found: dict[int, str] = {}
    for raw in categories:
        number, name = (raw.get("id"), raw.get("name")) if isinstance(raw, dict) else (None, None)
        if type(number) is not int or not isinstance(name, str):
            raise SeedbedError(
                f"{path}: expected categories with a whole number `id` and a `name`, got {str(raw)[:100]}"
            )
        if number in found or name in found.values():
            raise SeedbedError(f"{path}: category {number} ({name!r}) is there twice; keep one")
        if fault := class_fault(name) or reserved_fault(name):
            raise SeedbedError(f"{path}: category {number}: {fault}")
        found[number] = name
    for fault in alike_faults(str(path), [*found.values()]):
        raise SeedbedError(fault)
    if not 0 < len(found) <= MOST_CLASSES:
        raise SeedbedError(f"{path}: expected 1 to {MOST_CLASSES} categories, got {len(found)}")
    return dict(sorted(found.items()))


def _photo(raw: Any, known: Mapping[str, Photo]) -> tuple[Photo | None, list[str]]:
    name = raw.get("file_name") if isinstance(raw, dict) else None
    if not isinstance(name, str) or not isinstance(raw.get("id"), int | str):
        return None, [f"expected images with `id` and `file_name`, got {str(raw)[:100]}; {REMEDY}"]
    if not PurePosixPath(name).name:
        return None, [
            f"image id {raw['id']!r}: expected the photograph's `file_name`, got {name!r}; {REMEDY}"
        ]
    image_id = image_id_of(name)
    if fault := id_fault(image_id) or id_fault(name):
        return None, [fault]
    if image_id in known:
        other = known[image_id].file_name
        return None, [f"{name!r} and {other!r} have the same name but for their ending; rename one"]
    size = raw.get("width"), raw.get("height")
    if any(side is not None and (type(side) is not int or side < 1) for side in size):
        return None, [
            f"image {name!r}: expected width and height in pixels, got {size[0]!r} and {size[1]!r}; {REMEDY}"
        ]
    return Photo(name, None if None in size else size), []


def _annotate(raw: Any, photos: Mapping[Any, Photo | None], places: Mapping[int, int]) -> Iterator[str]:
    """Give an annotation to its image, or tell what is wrong with it."""
    if not isinstance(raw, dict) or not {"image_id", "category_id"} <= raw.keys():
        yield f"expected annotations with `image_id` and `category_id`, got {str(raw)[:100]}; {REMEDY}"
        return
    number = raw.get("id")
    category, image = raw["category_id"], raw["image_id"]
    if not isinstance(image, int | str) or image not in photos:
        yield f"there is no image with id {repr(image)[:50]}; {REMEDY}"
    elif type(category) is not int or category not in places:
        known = ", ".join(map(str, list(places)[:5]))
        yield f"there is no category with id {repr(category)[:50]} (known: {known}, …); {REMEDY}"
    elif photo := photos[image]:
        crowd = raw.get("iscrowd", 0)
        if crowd not in (0, 1):
            yield f"expected `iscrowd` 0 or 1, got {str(crowd)[:50]}; {REMEDY}"
        photo.objects.append(Object(number, places[category], raw.get("segmentation"), crowd == 1))
