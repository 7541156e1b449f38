"""Image-level labels from sub-folders: `cat/a.jpg` shows a cat, and what lies in `background` shows no class.

If folders of splits lie above those of classes, it is `train/cat/a.jpg`.
"""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from seedbed.datasets.class_names import BACKGROUND, alike_faults, class_fault, reserved_fault
from seedbed.datasets.labels import LabelTable
from seedbed.datasets.mask_checks import MANY, in_one_line
from seedbed.errors import unknown_name

FOLDERS = "folders"
"""What `labels` says instead of the name of a CSV."""


def read_label_folders(
    folder: Path, photographs: Sequence[Path], classes: Sequence[str] | None = None, in_splits: bool = False
) -> LabelTable:
    """Labels of all photographs below a folder; ids are paths below it.

    Args:
        folder: the folder of photographs.
        photographs: files below it; those in hidden folders are left out.
        classes: the classes to read; other sub-folders then hold photographs without any class. None for every
            sub-folder that holds photographs, sorted, except `background`.
        in_splits: whether the first level are splits.
    """
    level = int(in_splits)
    below = [p.relative_to(folder).as_posix() for p in photographs]
    parts = {i: PurePosixPath(i).parts for i in below if not any(p.startswith(".") for p in i.split("/"))}
    names = sorted({p[level] for p in parts.values() if len(p) > level + 1})
    faults = [
        f"{folder}: {unknown_name('class (sub-folder)', c, names)}" for c in classes or () if c not in names
    ]
    if classes is None:
        classes = [n for n in names if n.lower() not in BACKGROUND]
        faults += alike_faults(str(folder), classes)
        faults += [
            f"{folder}: {fault}" for name in classes if (fault := class_fault(name) or reserved_fault(name))
        ]
    table = LabelTable(tuple(classes), path=folder, faults=faults)
    if not classes:
        told = f"{folder}: expected photographs in one sub-folder per class, such as cat/a.jpg, but there are none"
        return LabelTable((), path=folder, faults=[told], readable=False)
    outside = []
    for image_id, path in parts.items():
        if len(path) <= level + 1:
            outside.append(f"{folder / image_id}: lies in no class's sub-folder; move it into one, or away")
            continue
        table.lines[image_id] = 0
        table.rows[image_id] = np.array([c == path[level] for c in classes], dtype=bool)
        if in_splits:
            table.splits[image_id] = path[0]
    table.faults += in_one_line(outside, "photographs") if len(outside) > MANY else outside
    return table
