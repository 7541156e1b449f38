"""The examiner of results: are they what their commands would write now? Cached, stale (and why), partial or missing.

The files themselves tell: manifests, sidecars and judges' files hold the whole slice and the digests of their inputs;
manifests and sidecars also size and SHA-256 of every file. Neither engine's records are used.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seedbed.artifacts.artifact import verify
from seedbed.artifacts.manifest import MANIFEST, FileEntry, Manifest, merge_shards, read_manifest
from seedbed.datasets.mask_sums import masks_digest, masks_made_with
from seedbed.engines.data_state import DataState, look
from seedbed.engines.restored import masks_key
from seedbed.errors import SeedbedError
from seedbed.plan.judges import Judgement
from seedbed.plan.reports import Report, report_sources
from seedbed.plan.task import Task
from seedbed.plan.tasks import TaskGraph
from seedbed.runtime.contract import TrueMasks
from seedbed.runtime.judging import read_judgement
from seedbed.runtime.paths import WORK
from seedbed.runtime.run import WHOLE

Status = Literal["cached", "stale", "partial", "missing"]
Depth = Literal["size", "hash"]


@dataclass(frozen=True)
class State:
    """State of a result.

    Attributes:
        why: reason for any state but cached; empty if there is none to give.
    """

    status: Status
    why: str = ""


CACHED, MISSING = State("cached"), State("missing")
REINDEXED = "the index of the data set will be made again"


class Examiner:
    """Examines the results of a data set; each is looked at once.

    Args:
        graph: tasks of the data set.
        depth: whether data files are compared by size, which reads no data, or by SHA-256.
        data: what planning saw of the data set itself; it is looked at if None.
    """

    def __init__(self, graph: TaskGraph, depth: Depth = "size", data: DataState | None = None) -> None:
        self.graph = graph
        self.depth = depth
        self._data = data
        self._states: dict[tuple[str, bool], State] = {}
        self._manifests: dict[Path, Manifest] = {}
        self._verified: set[Path] = set()

    def states(self, reports: Iterable[Report]) -> dict[str, State]:
        """State of everything that the reports need, and of the reports, by unit of the command (one per node)."""
        found = {self.graph.index_key: self.index(), self.graph.masks_key: self.masks()}
        for report in reports:
            found |= {task.key: self.task(task) for task in report.tasks}
            found |= {key: self.judgement(judgement) for key, judgement in report.judgements.items()}
            found[report.key] = self.report(report)
        return found

    def index(self) -> State:
        """State of the data set's index."""
        return self._once(self.graph.index_key, False, self._index)

    def masks(self, alone: bool = False) -> State:
        """State of the checksums of the masks; `alone` as for a node."""
        if not self.graph.masks_path.exists():
            return MISSING
        return self._once(self.graph.masks_key, alone, lambda: _state(self._masks_faults(alone)))

    @property
    def data(self) -> DataState:
        """What planning sees of the data set itself."""
        if self._data is None:
            self._data = look(self.graph)
        return self._data

    def task(self, task: Task, alone: bool = False) -> State:
        """State of a node.

        Args:
            alone: compare it with the inputs as they are on disk, whatever their own state.
        """
        return self._once(task.key, alone, lambda: self._task(task, alone))

    def judgement(self, judgement: Judgement, alone: bool = False) -> State:
        """State of a judge's file; `alone` as for a node."""
        if not judgement.path.exists():
            return MISSING
        return self._once(judgement.key, alone, lambda: _state(self._judgement_faults(judgement, alone)))

    def report(self, report: Report, alone: bool = False) -> State:
        """State of a report; `alone` as for a node."""
        if not (report.folder / MANIFEST).exists():
            return MISSING
        return self._once(report.key, alone, lambda: _state(self._report_faults(report, alone)))

    def shard(self, task: Task, shard: str) -> State:
        """State of one shard of a node, by its sidecar, alone."""
        if not all(file.exists() for file in task.shard_files(shard)):
            return MISSING
        return _state(self._shard_faults(task, task.shard_files(shard)[1]))

    def _once(self, key: str, alone: bool, examine: Callable[[], State]) -> State:
        if (key, alone) not in self._states:
            self._states[key, alone] = examine()
        return self._states[key, alone]

    def _index(self) -> State:
        folder = self.graph.index_folder
        if not (folder / MANIFEST).exists():
            return MISSING

        def faults() -> Iterator[str]:
            manifest = self._manifest(folder / MANIFEST)
            yield difference(manifest.parameters, self.graph.index_slice())
            yield self._changed_file(folder, manifest, (), ())
            yield self.data.index_fault

        return _state(faults())

    def _masks_faults(self, alone: bool) -> Iterator[str]:
        if not alone and self.index().status != "cached":
            yield REINDEXED
        index = self._manifest(self.graph.index_folder / MANIFEST)
        is_of_index = masks_made_with(self.graph.masks_path) == masks_key(self.graph, index.content)
        yield "" if is_of_index else "it is of another index or declaration"
        yield self.data.masks_fault

    def _task(self, task: Task, alone: bool) -> State:
        if task.manifest.exists():
            return _state(self._task_faults(task, alone))
        if finished := finished_shards(task):
            return State("partial", f"{finished} of {len(task.shard_names)} shards")
        if any((task.folder / WORK).rglob("checkpoint*")):
            return State("partial", "a checkpoint to resume from")
        return MISSING

    def _task_faults(self, task: Task, alone: bool) -> Iterator[str]:
        manifest = self._manifest(task.manifest)
        sidecars = [task.shard_files(shard)[1] for shard in task.shard_names]
        yield difference(manifest.parameters, task.slice())
        yield "" if manifest.stage == task.stage.name else f"it was made by stage {manifest.stage}"
        yield "" if manifest.dataset == self.graph.dataset else f"it is of data set {manifest.dataset}"
        reads_masks = any(isinstance(source, TrueMasks) for source in task.inputs.values())
        yield "" if alone else self._blocked(task.sources.values(), reads_masks=reads_masks)
        yield self._changed_input(manifest.inputs, task.inputs)
        yield self._changed_file(task.folder, manifest, task.data_files(), sidecars)
        for path in sidecars:
            if _was_touched(path, task.folder):
                self._manifest(path)
        if sidecars and self.depth == "hash":
            merged = merge_shards({path.name: self._manifest(path) for path in sidecars})
            yield "" if merged == manifest else f"{MANIFEST} does not agree with the shards"

    def _shard_faults(self, task: Task, sidecar: Path) -> Iterator[str]:
        manifest = self._manifest(sidecar)
        yield difference(manifest.parameters, task.slice())
        yield self._changed_input(manifest.inputs, task.inputs)
        yield self._changed_file(task.folder, manifest, (), ())

    def _judgement_faults(self, judgement: Judgement, alone: bool) -> Iterator[str]:
        found = read_judgement(judgement.path)
        yield difference(found.parameters, judgement.slice())
        reads_masks = judgement.stage.reads_masks
        yield "" if alone else self._blocked(judgement.sources.values(), reads_masks=reads_masks)
        yield self._changed_input(found.inputs, judgement.sources, reads_masks)

    def _report_faults(self, report: Report, alone: bool) -> Iterator[str]:
        manifest, content = self._manifest(report.folder / MANIFEST), report.slice()
        yield difference(manifest.parameters, content)
        yield "" if alone else self._blocked(report.tasks, report.judgements.values(), reads_masks=True)
        yield self._changed_input(manifest.inputs, {}, reads_masks=True)
        files = [path for path in report.outputs() if path.name != MANIFEST]
        yield self._changed_file(report.folder, manifest, files, ())
        shown = report_sources(content, self.graph.results)
        yield "" if manifest.facts.get("sources") == shown else "what the page shows has changed since"

    def _blocked(
        self, tasks: Iterable[Task], judgements: Iterable[Judgement] = (), reads_masks: bool = False
    ) -> str:
        """Which input is itself not cached."""
        if self.index().status != "cached":
            return REINDEXED
        if reads_masks and self.masks().status != "cached":
            return "the checksums of the masks will be made again"
        for task in tasks:
            if (status := self.task(task).status) != "cached":
                return f"input {task.name} is {status}"
        for judgement in judgements:
            if (status := self.judgement(judgement).status) != "cached":
                return f"input {judgement.judge}/{judgement.name} is {status}"
        return ""

    def _changed_input(
        self,
        used: Mapping[str, list[str]],
        sources: Mapping[str, Task | TrueMasks],
        reads_masks: bool = False,
    ) -> str:
        """Which inputs now have a different content from the one that was used."""
        now = {"index": [self._manifest(self.graph.index_folder / MANIFEST).content]}
        for name, source in (*sources.items(), *([("masks", TrueMasks())] if reads_masks else [])):
            if isinstance(source, Task):
                now[name] = [self._manifest(source.manifest).as_input]
            else:
                now[name] = self._masks_digests()
        changed = [name for name in sorted({*used, *now}) if used.get(name) != now.get(name)]
        return f"input {', '.join(changed)} changed" if changed else ""

    def _masks_digests(self) -> list[str]:
        path = self.graph.masks_path
        return [masks_digest(path)] if path.exists() else []

    def _changed_file(
        self, folder: Path, manifest: Manifest, declared: Iterable[Path], beside: Iterable[Path]
    ) -> str:
        """Which file is missing or does not match the manifest.

        Args:
            declared: files that the manifest should name.
            beside: files that should exist although the manifest does not name them.
        """
        names = {*manifest.files, *(str(file.relative_to(folder)) for file in declared)}
        for name in sorted({*names, *(str(file.relative_to(folder)) for file in beside)}):
            path, entry = folder / name, manifest.files.get(name)
            if not path.exists():
                return f"{name} is missing"
            if name in names and (entry is None or path.stat().st_size != entry.size):
                return f"{name} does not agree with the manifest"
            if entry is not None and (self.depth == "hash" or _was_touched(path, folder)):
                self._verify(path, entry)
        return ""

    def _verify(self, path: Path, entry: FileEntry) -> None:
        if path not in self._verified:
            verify(path, entry)
            self._verified.add(path)

    def _manifest(self, path: Path) -> Manifest:
        if path not in self._manifests:
            self._manifests[path] = read_manifest(path)
        return self._manifests[path]


def _was_touched(path: Path, folder: Path) -> bool:
    """Whether a file is younger than the manifest, which its stage wrote after it; its size alone may be right."""
    manifest = folder / MANIFEST
    return manifest.exists() and path.stat().st_mtime_ns > manifest.stat().st_mtime_ns


def finished_shards(task: Task) -> int:
    """How many shards of a node exist, in place or left by an interrupted run of all shards."""
    aside = task.folder / WORK / WHOLE
    placed = sum(all(file.exists() for file in task.shard_files(shard)) for shard in task.shard_names)
    return max(placed, sum((aside / f"{shard}.json").exists() for shard in task.shard_names))


def difference(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """How one slice differs from another, in words; empty if they are equal."""
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


def _state(faults: Iterator[str]) -> State:
    """Stale for the first fault, if there is one; what cannot be read is also a fault."""
    try:
        why = next(filter(None, faults), "")
    except (SeedbedError, OSError, ValueError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
    return State("stale", why) if why else CACHED
