"""Whether the largest photograph of a data set fits in this machine's memory, for `seedbed doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from seedbed.datasets import Dataset
from seedbed.datasets.declaration import SMALLEST
from seedbed.datasets.files import image_size
from seedbed.datasets.shrunk import Size, shrunk_size
from seedbed.errors import SeedbedError
from seedbed.plan.task import Task
from seedbed.runtime.memory import MEGAPIXEL, available, needed, size_text

STEP = 100
"""Suggestions of `longest` are multiples of this."""


class Photograph(NamedTuple):
    """The largest one of a data set: its file's name and its own width and height."""

    name: str
    size: Size


def largest_photograph(data: Dataset, image_ids: Iterable[str]) -> Photograph | None:
    """The photograph with the most pixels, from the heads of the files; None if images are generated."""
    largest: Photograph | None = None
    for image_id in image_ids:
        try:
            path = data.source(image_id)
            found = None if path is None else Photograph(path.name, image_size(path))
        except SeedbedError:
            continue  # the data set's own faults tell why
        if found and (largest is None or _pixels(found.size) > _pixels(largest.size)):
            largest = found
    return largest


def memory_notes(
    largest: Photograph | None, longest: int | None, tasks: Mapping[str, Task], free: float | None = None
) -> list[str]:
    """One line if the selected tasks need more for the largest photograph than this machine has free.

    Args:
        largest: of the data set.
        longest: of its declaration.
        tasks: selected.
        free: gigabytes; what is available now if None.
    """
    free = available() if free is None else free
    if largest is None or free is None or not tasks:
        return []
    size = largest.size if longest is None else shrunk_size(largest.size, longest)
    stage, most = _most(tasks, size)
    if most <= free:
        return []
    cure = f"set `longest: {_fitting(tasks, size, free)}`"
    shrunk = "" if size == largest.size else f", shrunk to {size_text(size)}"
    return [
        f"largest photograph {_pixels(largest.size) / MEGAPIXEL:.1f} MP ({largest.size[0]} × {largest.size[1]},"
        f" {largest.name}{shrunk}): {stage} needs about {most:.1f} GB, this machine has {free:.1f} free; {cure}"
    ]


def _fitting(tasks: Mapping[str, Task], size: Size, free: float) -> int:
    """The largest multiple of `STEP` at which all tasks fit, or the smallest `longest`."""
    fitting = (
        longest
        for longest in range(max(size) // STEP * STEP, 0, -STEP)
        if _most(tasks, shrunk_size(size, longest))[1] <= free
    )
    return next(fitting, SMALLEST)


def _most(tasks: Mapping[str, Task], size: Size) -> tuple[str, float]:
    """The stage that needs most for a photograph of this size, and gigabytes."""
    megapixels = _pixels(size) / MEGAPIXEL
    needs = (
        (t.stage.name, needed(t.stage.name, t.parameters.model_dump(), megapixels)) for t in tasks.values()
    )
    return max(needs, key=lambda need: need[1])


def _pixels(size: Size) -> int:
    return size[0] * size[1]
