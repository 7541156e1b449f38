"""The forms that artifacts have on disk: how one image's part is encoded, how a shard is packed, how it is opened.

A new form is one file next to this one and one row here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedbed.artifacts.label_maps import LabelMaps, encode_label_map, pack_label_maps
from seedbed.artifacts.maps import MapStore, class_score_histogram, encode_map, pack_maps
from seedbed.artifacts.models import HISTORY, NETWORK_FILES
from seedbed.artifacts.tables import TABLE, TableStore
from seedbed.artifacts.vectors import VectorStore, encode_vectors, pack_vectors

Open = Callable[[Sequence[Path], Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Sharding:
    """How a form that is made image by image is written.

    Attributes:
        suffix: ending of a shard's data file.
        encode: from one image's payload to its digest and what `pack` takes.
        pack: makes a shard's file from what `encode` returned, by image id.
        histogram: of one image's payload and the facts; those of all images of a split add up. None where it has none.
    """

    suffix: str
    encode: Callable[[Any], tuple[str, Any]]
    pack: Callable[[Mapping[str, Any]], bytes]
    histogram: Callable[[Any, Mapping[str, Any]], Any] | None = None


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        files: of an artifact that is written whole; empty if it is sharded.
        sharding: how shards are written; None if it is written whole.
        open: a reader from verified files and the manifest's facts; its `fields(image_id)` is what training reads.
            None if `seedbed.methods.trained` reads it.
        shown: which of `files` the report page reads.
    """

    name: str
    files: tuple[str, ...] = ()
    sharding: Sharding | None = None
    open: Open | None = None
    shown: tuple[str, ...] = ()


FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("networks", files=NETWORK_FILES, shown=(HISTORY,)),
        Form(
            "maps",
            sharding=Sharding(".safetensors", encode_map, pack_maps, class_score_histogram),
            open=MapStore,
        ),
        Form("label_maps", sharding=Sharding(".zip", encode_label_map, pack_label_maps), open=LabelMaps),
        Form("vectors", sharding=Sharding(".safetensors", encode_vectors, pack_vectors), open=VectorStore),
        Form("table", files=(TABLE,), open=TableStore, shown=(TABLE,)),
    )
}
