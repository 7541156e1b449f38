"""Planning's look at a data set: what changed since it was indexed, and the files that tell both engines.

As long as no file of it changed size or times, the last look holds; it lists folders and opens nothing. Otherwise
lists and labels are read, and of photographs and masks those whose size or times are new. `data.json` and
`masks-data.json` in `results/.params/<dataset>` then hold a digest of what the data set holds now, which is that of
its index as long as both agree. They are inputs of `prepare_dataset` and `prepare_masks`. Where the data set is not on
this machine, or is generated, nothing is compared.
"""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from seedbed.artifacts.atomic import write_if_changed
from seedbed.artifacts.manifest import sha256_bytes, to_json
from seedbed.datasets import open_dataset
from seedbed.datasets.base import Dataset
from seedbed.datasets.content import Changes, Content, changes, read_masks, read_rows
from seedbed.datasets.index import parse_index
from seedbed.datasets.known_files import KnownFiles, Stamp, is_settled, read_anew, scan
from seedbed.datasets.mask_sums import mask_key, masks_digest, masks_rows
from seedbed.datasets.table import DATASETS, dataset_kind, dataset_root
from seedbed.engines.progress_line import ProgressLine
from seedbed.engines.restored import restore_index, restore_masks, sound_content
from seedbed.errors import SeedbedError
from seedbed.plan.commands import UNKNOWN_DATA, index_files
from seedbed.plan.tasks import TaskGraph
from seedbed.runtime.known import Known
from seedbed.runtime.paths import INDEX

SECOND = 1_000_000_000
NO_CHANGES = Changes()
OF_LABELS = (".csv", ".txt", ".xml", ".npy")
"""Endings of files of labels and lists, which of our own kinds of data sets are neither photographs nor masks."""
MASK_INDICES = "class_names.txt"
"""Except this list, whose order says how masks are read."""


@dataclass(frozen=True)
class DataState:
    """What a look found.

    Attributes:
        changes: against the index; none if there is no index or nothing to compare it with.
        fault: why the data set cannot be read.
        content: digest of all but masks; None if it is not known.
        masks_content: digest of the masks; None likewise.
        restored: files of the index that were put back.
    """

    changes: Changes = NO_CHANGES
    fault: str = ""
    content: str | None = None
    masks_content: str | None = None
    restored: tuple[Path, ...] = ()

    @property
    def line(self) -> str:
        """`data set changed: 3 photographs, 1 label`; empty if it did not."""
        told = self.fault or str(self.changes)
        return f"data set changed: {told}" if told else ""

    @property
    def index_fault(self) -> str:
        """Why the index is stale; empty if it is not."""
        return self.line if self.fault or self.changes.retrains else ""

    @property
    def masks_fault(self) -> str:
        """Why the checksums of the masks are stale; empty if they are not."""
        return self.line if self.fault or self.changes.masks else ""

    @property
    def notes(self) -> list[str]:
        """Lines for a terminal."""
        restored = [f"{path} was damaged and is restored" for path in self.restored]
        return [*restored, *([self.line] if self.line else [])]


def look(
    graph: TaskGraph, write: bool = False, whole: bool = False, root: str | Path | None = None
) -> DataState:
    """Compare a data set with its index.

    Args:
        write: remember what is found, write what tells the engines, and put back a damaged index; not while a run
            writes to the results.
        whole: read the data set even if it has no index yet, so that what tells DVC is the same before and after.
        root: folder of the data set, instead of the declared one.
    """
    with _no_collection():
        return _Look(graph, write, whole, root).state()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the collector of cycles, which would walk the many rows of a look again and again; none is in a cycle."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Read(NamedTuple):
    """Files that were read; None where all are as indexed."""

    annotations: KnownFiles
    photographs: KnownFiles | None
    masks: KnownFiles | None


class _Look:
    """One look; see `look`."""

    def __init__(self, graph: TaskGraph, write: bool, whole: bool, root: str | Path | None) -> None:
        self.graph, self.write, self.whole = graph, write, whole
        self.known = Known(graph.results, graph.index_slice())
        self.is_generated = not dataset_kind(graph.declaration.kind).needs_root
        self.root = None if self.is_generated else _existing_root(graph, root)
        self.restored = restore_index(graph) if write else []
        self.indexed = sound_content(graph)
        self.stamps: Mapping[str, Stamp] = {}
        self._digests: tuple[Mapping[str, Stamp], tuple[str, str]] = self.stamps, ("", "")

    def state(self) -> DataState:
        found = self._found()
        if self.write:
            _tell_engines(self.graph, found)
        return replace(found, restored=tuple(self.restored))

    def _found(self) -> DataState:
        if self.root is not None and (self.indexed or self.whole):
            return self._last() or self._anew()
        old = None if self.is_generated else self.old
        return DataState(content=old.digest, masks_content=old.masks_digest) if old else DataState()

    @cached_property
    def old(self) -> Content | None:
        """What the index holds, and the checksums of the masks if they are sound; None if there is no index."""
        if not self.indexed:
            return None
        try:
            index = parse_index((self.graph.index_folder / INDEX).read_text())
        except (SeedbedError, UnicodeDecodeError):
            return None
        try:
            masks = masks_rows(self.graph.masks_path)
        except (SeedbedError, ValueError):
            masks = None
        return Content.of_index(index, masks)

    def _last(self) -> DataState | None:
        """What the last look found, if nothing has changed since."""
        last = self.known.look
        try:
            self.stamps = scan(Path(place) for place in last["places"])
            if last["of"] != self._key() or (self.whole and last["masks_content"] is None):
                return None
            return DataState(Changes(*last["changes"]), "", last["content"], last["masks_content"])
        except (TypeError, KeyError, ValueError):
            return None

    def _anew(self) -> DataState:
        try:
            with ProgressLine(f"reading data set {self.graph.dataset}") as line:
                new, places, files = self._read(line)
        except (SeedbedError, OSError, ValueError) as error:
            fault = " ".join(str(error).split())
            return DataState(fault=fault, content=sha256_bytes(fault.encode()))
        changed = changes(self.old, new) if self.old else NO_CHANGES
        if self.write and self.old and self.old.masks is None and new.masks and not changed.retrains:
            self.restored += restore_masks(self.graph, new.masks)
        state = DataState(changed, "", new.digest, new.masks_digest)
        if self.write:
            kept = (files.masks, self.mask_key) if files.masks else None
            self.known.keep(files.photographs, files.annotations, kept, self._told(state, places))
        return state

    def _read(self, line: ProgressLine) -> "tuple[Content, list[Path], _Read]":
        """What the data set holds now, its places, and what may be remembered of its files."""
        splits = self.graph.declaration.splits
        dataset = open_dataset(self.graph.dataset, self.graph.declaration, self.root)
        self.mask_key = mask_key(dataset)
        places = list(getattr(dataset, "places", lambda: [self.root])())
        if not self.stamps or [str(place) for place in places] != self.known.look["places"]:
            self.stamps = scan(places)
        annotations = self.known.annotations(self.stamps)
        getattr(dataset, "remember_annotations", lambda remember: None)(line.counting(annotations.digest))
        files = mask_files = None
        if old := self._pixels_as_indexed(dataset):
            digests = {row.image_id: row.sha256 for row in old.rows}
            rows, masks = tuple(read_rows(dataset, splits, read_anew, digests)), old.masks or ()
        else:
            files, mask_files = self.known.photographs(self.stamps), self._mask_files(dataset)
            rows, masks = tuple(read_rows(dataset, splits, line.counting(files.digest))), None
            if mask_files is not None:
                masks = tuple(read_masks(dataset, splits, line.counting(mask_files.digest)))
        return Content(dataset.classes, rows, masks), places, _Read(annotations, files, mask_files)

    def _pixels_as_indexed(self, dataset: Dataset) -> Content | None:
        """What is indexed, if the last look found the same photographs and masks and since then only labels changed."""
        if self.graph.declaration.kind not in DATASETS:
            return None
        last, splits = self.known.look, self.graph.declaration.splits
        if not isinstance(last, dict) or last.get("pixels") != self._key(pixels=True):
            return None
        if self.old is None or self.old.classes != dataset.classes:
            return None
        if self.old.masks is None and any(declared.masks for declared in splits.values()):
            return None
        listed = [(image_id, split) for split in splits for image_id in dataset.image_ids(split)]
        return self.old if [(row.image_id, row.split) for row in self.old.rows] == listed else None

    def _mask_files(self, dataset: Dataset) -> KnownFiles | None:
        """What is known of the masks; None where they are not looked at, since all of them would be read.

        That is where the data set does not tell their files, and where its classes changed, which makes the index anew.
        """
        known = self.known.masks(mask_key(dataset), self.stamps)
        if not self.whole:
            same_classes = self.old is not None and self.old.classes == dataset.classes
            if not hasattr(dataset, "mask_source") or not (known or same_classes):
                return None
        return known or self.known.nothing(self.stamps)

    def _told(self, state: DataState, places: Sequence[Path]) -> dict[str, Any] | None:
        """What the next look may believe; None if a file changed too shortly ago."""
        if not all(is_settled(one, self.known.now) for one in self.stamps.values() if one[0] >= 0):
            return None
        return {
            "of": self._key(),
            "pixels": self._key(pixels=True) if self._same_pixels(state) else None,
            "places": [str(place) for place in places],
            "changes": list(state.changes),
            "content": state.content,
            "masks_content": state.masks_content,
        }

    def _same_pixels(self, state: DataState) -> bool:
        """Whether all photographs and masks are those of the index, and no other ones are listed."""
        differs = state.changes._replace(labels=0, order=0)
        return state.masks_content is not None and not any(differs)

    def _key(self, pixels: bool = False) -> list[str]:
        """What a look depends on; what photographs and masks depend on, with `pixels`."""
        try:
            masks = masks_digest(self.graph.masks_path)
        except SeedbedError:
            masks = ""
        declared = to_json([self.graph.index_slice(), str(self.root)])
        return [sha256_bytes(declared), self.indexed, masks, self._seen(pixels)]

    def _seen(self, pixels: bool) -> str:
        """Digest of sizes and times of files, without those of labels if `pixels`."""
        if self._digests[0] is not self.stamps or not self._digests[1][0]:
            parts: tuple[list[Any], list[Any]] = [], []
            for one in sorted(self.stamps.items()):
                of_labels = one[0].lower().endswith(OF_LABELS) and not one[0].endswith(MASK_INDICES)
                parts[of_labels].append(one)
            pixel_files, label_files = (
                sha256_bytes(repr(part).encode("utf-8", "surrogateescape")) for part in parts
            )
            self._digests = self.stamps, (pixel_files, sha256_bytes(f"{pixel_files}{label_files}".encode()))
        return self._digests[1][0 if pixels else 1]


def _existing_root(graph: TaskGraph, root: str | Path | None) -> Path | None:
    """The folder of the data set; None if it is not on this machine."""
    try:
        return dataset_root(graph.dataset, graph.declaration, root)
    except SeedbedError:
        return None


def _tell_engines(graph: TaskGraph, found: DataState) -> None:
    """Write what a data set holds, where the engines see it.

    As long as the index agrees, the file is no younger than the index: Snakemake goes by times, and the index, which
    the file tells no news of, would be made again.
    """
    index_fault, masks_fault = found.index_fault, found.index_fault or found.masks_fault
    for path, digest, fault, made in (
        (graph.data_path, found.content, index_fault, index_files(graph)),
        (graph.masks_data_path, found.masks_content, masks_fault, [graph.masks_path]),
    ):
        if digest is not None or not path.exists():
            write_if_changed(path, to_json(UNKNOWN_DATA if digest is None else {"sha256": digest}))
        if not fault and all(file.exists() for file in made):
            oldest = min(file.lstat().st_mtime_ns for file in made)
            if path.stat().st_mtime_ns > oldest:
                with suppress(PermissionError):  # the tree belongs to someone else
                    os.utime(path, ns=(oldest - SECOND, oldest - SECOND))
