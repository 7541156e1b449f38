"""A task: an instance of a recipe's node at a point on the axes (rng, regions), with one owner and one folder."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.manifest import MANIFEST
from seedbed.runtime.axes import Axes
from seedbed.runtime.contract import Parameters, ShardedParameters, Stage, TrueMasks
from seedbed.runtime.paths import PARAMS, RESULTS, shard_names


@dataclass(frozen=True)
class Task:
    """One node instance: what the stage command makes in one folder.

    Attributes:
        owner: recipe that owns the folder.
        rng: random seed, if the node or an ancestor depends on it; otherwise None.
        regions: label of the confident-region setting, likewise.
        inputs: tasks by input name, or the true masks; one that is not given is absent.
        epochs: kept epoch asked for, by input name.
        joined: classes of the masks and what each joins, if the data set's `class_map` says so. Only slices of stages
            that write such classes, and of judges, have it; the index does not, so that classifiers stay what they are.
    """

    dataset: str
    owner: str
    name: str
    stage: Stage
    parameters: Parameters
    rng: int | None
    regions: str | None
    inputs: Mapping[str, "Task | TrueMasks"]
    epochs: Mapping[str, int]
    inherited: Mapping[str, str]
    shards: int
    joined: Mapping[str, list[str]]
    identity: str
    results: Path = field(default=RESULTS)

    @cached_property
    def axes(self) -> str:
        """The axes part of the path."""
        return str(Axes(self.rng, self.regions))

    @cached_property
    def key(self) -> str:
        """`dataset/owner/axes/name`: unique, and the path under `results/`."""
        return f"{self.dataset}/{self.owner}/{self.axes}/{self.name}"

    @cached_property
    def folder(self) -> Path:
        return self.results / self.key

    @cached_property
    def manifest(self) -> Path:
        return self.folder / MANIFEST

    @property
    def slice_path(self) -> Path:
        """The parameter file that the stage command reads."""
        return self.results / PARAMS / f"{self.key}.json"

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that a sharded stage processes; empty for a stage that writes whole artifacts."""
        return self.parameters.splits if isinstance(self.parameters, ShardedParameters) else ()

    @cached_property
    def shard_names(self) -> tuple[str, ...]:
        """`train-0`, `train-1`, …; empty for a stage that writes whole artifacts."""
        return shard_names(self.splits, self.shards) if self.stage.sharded else ()

    @cached_property
    def _files_by_shard(self) -> dict[str, tuple[Path, Path]]:
        suffix = self.stage.suffix
        return {s: (self.folder / f"{s}{suffix}", self.folder / f"{s}.json") for s in self.shard_names}

    def shard_files(self, shard: str) -> tuple[Path, Path]:
        """Data file and sidecar of a shard."""
        return self._files_by_shard[shard]

    def data_files(self, shard: str | None = None) -> list[Path]:
        """Data files of the task, or of one of its shards."""
        if not self.stage.sharded:
            return [self.folder / name for name in self.stage.files]
        return [self.shard_files(name)[0] for name in ([shard] if shard else self.shard_names)]

    def shards_of(self, split: str | None) -> tuple[str, ...]:
        """Names of the shards of a split."""
        return tuple(shard for shard in self.shard_names if shard.rpartition("-")[0] == split)

    def slice(self) -> dict[str, Any]:
        """The stage's resolved slice: only values that differ from the model's defaults."""
        content: dict[str, Any] = {
            "stage": self.stage.name,
            "stage_version": self.stage.version,
            "dataset": self.dataset,
            "parameters": self.parameters.slice(),
        }
        if self.stage.random:
            content["rng"] = self.rng
        if self.stage.sharded:
            content["shards"] = self.shards
        if self.epochs:
            content["epochs"] = dict(self.epochs)
        if self.inherited:
            content["inherited"] = dict(self.inherited)
        if self.joined and self.stage.meaning.of_masks:
            content["mask_classes"] = dict(self.joined)
        return content

    @property
    def sources(self) -> dict[str, "Task"]:
        """The inputs that are tasks."""
        return {name: source for name, source in self.inputs.items() if isinstance(source, Task)}

    def ancestors(self) -> Iterator["Task"]:
        """Inputs before their consumers, then the task itself."""
        for source in self.sources.values():
            yield from source.ancestors()
        yield self


def unique_tasks(tasks: Iterable[Task]) -> list[Task]:
    """The tasks and all their ancestors, inputs first, each once."""
    found: dict[str, Task] = {}
    for task in tasks:
        for one in task.ancestors():
            found.setdefault(one.key, one)
    return list(found.values())
