"""Which index each class has in masks that do not count the classes from 1: what `seedbed init` advises."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from seedbed.datasets import Dataset
from seedbed.datasets.files import MOST_CLASSES, read_indices
from seedbed.datasets.listed import ListedDataset
from seedbed.errors import SeedbedError

MOST = 200
"""Masks that are looked at."""


def index_advice(data: Dataset, splits: Iterable[str]) -> str:
    """A line that names `mask_indices`, with the classes whose labels tell their index; empty if masks count from 1.

    Args:
        data: whose masks are declared.
        splits: those that have masks.
    """
    assert isinstance(data, ListedDataset)
    shown: dict[int, set[str]] = {}
    labelled: dict[str, set[str]] = {name: set() for name in data.classes}
    for image_id in islice((i for split in splits for i in data.image_ids(split)), MOST):
        try:
            path = data.mask_source(image_id)
            stored = read_indices(path) if isinstance(path, Path) else np.zeros((0, 0), np.uint8)
            labels = data.labels(image_id)
        except SeedbedError:
            continue  # a fault, which doctor tells
        for index in np.unique(stored):
            shown.setdefault(int(index), set()).add(image_id)
        for name, present in zip(data.classes, labels, strict=True):
            labelled[name] |= {image_id} if present else set()
    indices = sorted(i for i in shown if 0 < i <= MOST_CLASSES)
    if not indices or indices[-1] <= len(data.classes):
        return ""
    told = {name: [i for i in indices if shown[i] == images] for name, images in labelled.items()}
    written = ", ".join(f"{name}: {found[0] if len(found) == 1 else '…'}" for name, found in told.items())
    return (
        f"the masks hold the indices {', '.join(map(str, indices))}; to use them, write "
        f"`mask_indices: {{{written}}}` below `with`, and leave `masks: false` out"
    )
