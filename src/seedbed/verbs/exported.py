"""What `seedbed export` writes: the label maps of a node, in the photographs' own sizes, and the photographs."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from seedbed.artifacts.artifact import Artifact
from seedbed.datasets.index import IndexedDataset, IndexRow, read_index
from seedbed.datasets.shrunk import nearest
from seedbed.errors import SeedbedError
from seedbed.runtime.paths import INDEX
from seedbed.verbs.locate import Located
from seedbed.verbs.names import names_of

Photographs = Callable[[], IndexedDataset]
"""Opens the data set, for the forms that need photographs."""


class Exported(NamedTuple):
    """One image: its id, the name of its files without their ending, and its label map."""

    image_id: str
    name: str
    label_map: UInt8[np.ndarray, "height width"]


def label_maps(located: Located, split: str) -> Iterator[Exported]:
    """Each image of a split; names may hold folders, never above them.

    Raises:
        SeedbedError: a label map does not have the size that the index says.
    """
    maps, rows = located.artifact.open(split), index_rows(located)
    image_ids = list(maps)
    for image_id, name in zip(image_ids, names_of(image_ids), strict=True):
        label_map, row = maps[image_id], rows.get(image_id)
        size = label_map.shape[::-1]
        if row is not None and size != (row.width, row.height):
            raise SeedbedError(
                f"{located.artifact.folder}: expected a label map of {image_id!r} with {row.width}x{row.height} "
                f"pixels, as the index says, but it has {size[0]}x{size[1]}; run its stage again"
            )
        yield Exported(image_id, name, nearest(label_map, row.original or size if row is not None else size))


def index_rows(located: Located) -> dict[str, IndexRow]:
    """What the index beside the artifact says of each image; nothing if there is none."""
    if located.index is None:
        return {}
    index = read_index(Artifact(located.index).file(INDEX))
    return {row.image_id: row for row in index.rows}
