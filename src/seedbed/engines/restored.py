"""Putting back a damaged index: making it again would give the same bytes, but Snakemake would make all else again.

Planning keeps copies of a sound index in `results/.params/<dataset>/copies`. A copy is used only if the other file of
the index vouches for it. The checksums of the masks follow from the masks themselves.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from seedbed.artifacts.artifact import verify
from seedbed.artifacts.atomic import write_bytes, write_if_changed
from seedbed.artifacts.manifest import MANIFEST, read_manifest, sha256_bytes, to_json
from seedbed.datasets.content import MaskRow
from seedbed.datasets.mask_sums import masks_text
from seedbed.errors import SeedbedError
from seedbed.plan.commands import masks_command
from seedbed.plan.tasks import TaskGraph
from seedbed.regular_files import read_regular
from seedbed.runtime.paths import INDEX, PARAMS

FILES = (MANIFEST, INDEX)


def sound_content(graph: TaskGraph, folder: Path | None = None) -> str:
    """Content digest of an index; empty if it is damaged, missing or made with another slice.

    Args:
        folder: of the index or of its copies; the index's own if None.
    """
    folder = folder or graph.index_folder
    try:
        manifest = read_manifest(folder / MANIFEST)
        verify(folder / INDEX, manifest.files[INDEX])
    except (SeedbedError, KeyError, OSError):
        return ""
    return manifest.content if manifest.parameters == graph.index_slice() else ""


def restore_index(graph: TaskGraph) -> list[Path]:
    """Put back the manifest or the table of an index if one of the two is damaged; keep copies of a sound index.

    A file that is missing stays missing: whoever deleted it wants the index made again.

    Returns:
        What was put back.
    """
    copies = graph.results / PARAMS / graph.dataset / "copies"
    if sound_content(graph):
        for name in FILES:
            _keep(copies / name, (graph.index_folder / name).read_bytes())
        return []
    if not sound_content(graph, copies):
        return []
    try:
        damaged = [
            name for name in FILES if _bytes(graph.index_folder / name) != (copies / name).read_bytes()
        ]
    except OSError:
        return []
    if len(damaged) != 1:
        return []
    other = next(name for name in FILES if name not in damaged)
    time = (graph.index_folder / other).stat().st_mtime_ns
    return _put(graph.index_folder / damaged[0], (copies / damaged[0]).read_bytes(), time)


def _bytes(path: Path) -> bytes:
    """All bytes of a file; none of what is not a regular file.

    Raises:
        FileNotFoundError: there is nothing.
    """
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise
    except OSError:
        return b""


def restore_masks(graph: TaskGraph, rows: Sequence[MaskRow]) -> list[Path]:
    """Write damaged checksums of masks from what is known of the masks; missing ones stay missing.

    Returns:
        What was put back.
    """
    if not os.path.lexists(graph.masks_path) or not all(row.sha256 for row in rows):
        return []
    text = masks_text(rows, masks_key(graph, sound_content(graph)))
    time = max(path.stat().st_mtime_ns for path in masks_command(graph).reads)
    return _put(graph.masks_path, text.encode(), time)


def masks_key(graph: TaskGraph, content: str) -> str:
    """What checksums of masks must be made with (`seedbed.runtime.opening.Opened.key`).

    Args:
        content: content digest of the index.
    """
    return sha256_bytes(to_json([graph.masks_slice(), {"index": [content]}]))


def _put(path: Path, content: bytes, time: int) -> list[Path]:
    """Write a file that is no younger than `time`, in nanoseconds, so that it outdates nothing.

    Returns:
        What was put back: nothing if it cannot be written, as where a folder has its name; the file then stays damaged.
    """
    try:
        write_bytes(path, content)
        os.utime(path, ns=(time, time))
    except (SeedbedError, OSError):
        return []
    return [path]


def _keep(path: Path, content: bytes) -> None:
    try:
        write_if_changed(path, content)
    except SeedbedError:
        return  # a damaged index is then made again
