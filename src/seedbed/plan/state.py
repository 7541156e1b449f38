"""What state the results are in: cached, stale (and why), partial or missing; what a run would discard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seedbed.artifacts.manifest import MANIFEST, Manifest, read_manifest, sha256_file
from seedbed.errors import SeedbedError
from seedbed.plan.tasks import Task, TaskGraph
from seedbed.runtime.paths import MASKS, WORK

Status = Literal["cached", "stale", "partial", "missing"]


@dataclass(frozen=True)
class State:
    """State of one artifact.

    Attributes:
        why: reason for anything but cached; empty where there is none to give.
        disk: bytes of the artifact's files now on disk, `.work` included.
    """

    status: Status
    why: str
    disk: int


def index_state(graph: TaskGraph) -> State:
    """State of the data set's index."""
    folder = graph.index_folder
    if not (folder / MANIFEST).exists():
        return State("missing", "", folder_size(folder))
    return _compare(folder, graph.index_slice(), {}, (), "")


def task_states(graph: TaskGraph, tasks: Sequence[Task]) -> dict[str, State]:
    """States of tasks by key.

    Args:
        tasks: inputs before consumers, complete.
    """
    states: dict[str, State] = {}
    contents: dict[str, str] = {}
    index = index_state(graph)
    if index.status == "cached":
        contents["index"] = read_manifest(graph.index_folder / MANIFEST).content
    for task in tasks:
        states[task.key] = state = _task_state(graph, task, states, contents)
        if state.status == "cached":
            contents[task.key] = read_manifest(task.manifest).content
    return states


def _task_state(
    graph: TaskGraph, task: Task, states: Mapping[str, State], contents: Mapping[str, str]
) -> State:
    if not task.manifest.exists():
        done = [shard for shard in task.shard_names if all(file.exists() for file in task.shard_files(shard))]
        if done:
            return State(
                "partial", f"{len(done)} of {len(task.shard_names)} shards", folder_size(task.folder)
            )
        if (task.folder / WORK).exists() and any((task.folder / WORK).rglob("checkpoint*")):
            return State("partial", "a checkpoint to resume from", folder_size(task.folder))
        return State("missing", "", folder_size(task.folder))
    expected: dict[str, list[str]] = {}
    blocked = "" if "index" in contents else "the index of the data set will be made again"
    if not blocked:
        expected["index"] = [contents["index"]]
    for name, source in task.inputs.items():
        if source is None:
            expected[name] = contents_of_masks(graph)
        elif source.key not in contents:
            blocked = blocked or f"input {source.name} is {states[source.key].status}"
        else:
            expected[name] = [contents[source.key]]
    return _compare(task.folder, task.slice(), expected, tuple(task.data_files()), blocked)


def contents_of_masks(graph: TaskGraph) -> list[str]:
    """Digest of the file with the true masks' checksums; empty where there is none."""
    path = graph.index_folder / MASKS
    return [sha256_file(path)] if path.exists() else []


def _compare(
    folder: Path,
    wanted: Mapping[str, Any],
    inputs: Mapping[str, list[str]],
    files: tuple[Path, ...],
    blocked: str,
) -> State:
    disk = folder_size(folder)
    try:
        manifest = read_manifest(folder / MANIFEST)
    except SeedbedError as error:
        return State("stale", str(error), disk)
    why = difference(manifest.parameters, wanted) or blocked or _changed_input(manifest, inputs)
    why = why or _changed_file(folder, manifest, files)
    return State("stale" if why else "cached", why, disk)


def difference(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """What a slice has that another has not, in words; empty where they are equal."""
    changes = []
    for key in sorted({*made, *wanted}):
        old, new = made.get(key), wanted.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            inner = [k for k in sorted({*old, *new}) if old.get(k) != new.get(k)]
            changes += [f"{k} {_shown(old.get(k))} -> {_shown(new.get(k))}" for k in inner]
        else:
            changes.append(f"{key} {_shown(old)} -> {_shown(new)}")
    return ", ".join(changes)


def _shown(value: Any) -> str:
    return "default" if value is None else str(value)


def _changed_input(manifest: Manifest, inputs: Mapping[str, list[str]]) -> str:
    changed = [name for name, content in inputs.items() if manifest.inputs.get(name) != content]
    return f"input {', '.join(changed)} changed" if changed else ""


def _changed_file(folder: Path, manifest: Manifest, files: tuple[Path, ...]) -> str:
    names = {*manifest.files, *(str(file.relative_to(folder)) for file in files)}
    for name in sorted(names):
        path, entry = folder / name, manifest.files.get(name)
        if not path.exists():
            return f"{name} is missing"
        if entry is None or path.stat().st_size != entry.size:
            return f"{name} does not agree with the manifest"
    return ""


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where it does not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0
