"""What the plan adds to the nodes of the recipes: scores, threshold files and the report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.manifest import MANIFEST, read_manifest, sha256_file
from seedbed.cam.thresholds import Regions
from seedbed.plan.tasks import Task, TaskGraph
from seedbed.runtime.contract import Stage
from seedbed.runtime.paths import PARAMS, SHARED
from seedbed.stages.registry import EVALUATE, REPORT, THRESHOLD_QUALITY

SCORES = "scores"
THRESHOLDS = "thresholds"


@dataclass(frozen=True)
class Judgement:
    """One file that judges a task on a split: its scores, or its threshold quality.

    Attributes:
        stage: `evaluate` or `threshold_quality`.
        task: the judged node (for threshold quality, the refined CAMs).
        sources: by input name of the stage.
        masks: whether the split has masks.
        pairs: of threshold quality in the shared form; none in its own form, which judges the task's pair.
    """

    stage: Stage
    task: Task
    split: str
    sources: Mapping[str, Task]
    masks: bool
    parameters: Mapping[str, Any]
    pairs: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return THRESHOLDS if self.stage is THRESHOLD_QUALITY else SCORES

    @property
    def name(self) -> str:
        return f"{self.task.name}-{self.split}" + (f"-{SHARED}" if self.pairs else "")

    @property
    def path(self) -> Path:
        return self.task.folder.parent / self.kind / f"{self.name}.json"

    @property
    def key(self) -> str:
        return f"{self.task.key.rpartition('/')[0]}/{self.kind}/{self.name}"

    @property
    def slice_path(self) -> Path:
        return self.task.results / PARAMS / f"{self.key}.json"

    def slice(self) -> dict[str, Any]:
        """The slice that the command reads."""
        content = {
            "stage": self.stage.name,
            "stage_version": self.stage.version,
            "dataset": self.task.dataset,
            "node": self.task.name,
            "split": self.split,
            "parameters": dict(self.parameters),
        }
        if self.stage is EVALUATE:
            content["score"] = self.task.stage.score
        else:
            content |= {"regions": self.task.regions, "masks": self.masks}
        if self.pairs:
            content |= {"form": SHARED, "pairs": list(self.pairs)}
        return content

    @cached_property
    def source_files(self) -> dict[str, list[Path]]:
        """Data files of the split that the command reads, by input name."""
        return {
            name: [
                file
                for shard in task.shard_names
                if shard.rpartition("-")[0] == self.split
                for file in task.data_files(shard)
            ]
            if task.stage.sharded
            else [task.folder / "probabilities.safetensors"]
            for name, task in self.sources.items()
        }


def judgements(graph: TaskGraph, recipe: str, rng: int, regions: str | None = None) -> list[Judgement]:
    """Scores of all nodes that the recipe names, on every split that the node has and that can be scored."""
    tasks = graph.recipe_tasks(recipe, rng, regions)
    found = []
    for name in graph.book[recipe].scores:
        task = tasks[name]
        for split in scored_splits(graph, task):
            found.append(judgement(graph, task, EVALUATE, split))
    return found


def threshold_judgements(
    graph: TaskGraph, recipe: str, rng: int, regions: str | None = None
) -> list[Judgement]:
    """Threshold quality (own form) of each node of refined CAMs, where the regions setting is a pair."""
    return [
        judgement(graph, task, THRESHOLD_QUALITY, split)
        for task in refined_tasks(graph, recipe, rng, regions)
        if pairs_among([str(task.regions)])
        for split in task.splits
    ]


def shared_judgements(graph: TaskGraph, recipe: str, rng: int) -> list[Judgement]:
    """Threshold quality (shared form) of params.yaml's pairs on the refined CAMs of the recipe's own setting."""
    pairs = pairs_among(graph.config.thresholds)
    return [
        judgement(graph, task, THRESHOLD_QUALITY, split, pairs)
        for task in (refined_tasks(graph, recipe, rng) if pairs else ())
        for split in task.splits
    ]


def refined_tasks(graph: TaskGraph, recipe: str, rng: int, regions: str | None = None) -> list[Task]:
    """Nodes of refined CAMs that depend on the regions setting."""
    tasks = graph.recipe_tasks(recipe, rng, regions).values()
    return [task for task in tasks if task.stage.score == "refined_cam" and task.regions is not None]


def pairs_among(labels: Iterable[str]) -> tuple[str, ...]:
    """The settings that are pairs of thresholds, rising, so that their order in params.yaml changes no file."""
    settings = [Regions.parse(label) for label in labels]
    pairs = [setting for setting in settings if setting.kind == "thresholds"]
    return tuple(str(pair) for pair in sorted(pairs, key=lambda pair: (pair.low, pair.high)))


def judgement(
    graph: TaskGraph, task: Task, stage: Stage, split: str, pairs: tuple[str, ...] = ()
) -> Judgement:
    """The judgement of a task on a split by a stage; of threshold quality the shared form where pairs are given."""
    declared = graph.declaration.splits.get(split)
    sources = {"target": task}
    if stage is THRESHOLD_QUALITY:
        cams = task.inputs["cams"]
        assert cams is not None
        sources = {"cams": cams, "refined": task}
    raw = graph.config.stage_defaults(graph.dataset, stage.name)
    parameters = stage.validate(raw, f"settings.{graph.dataset}").slice()
    masks = declared is not None and declared.masks
    return Judgement(stage, task, split, sources, masks, parameters, pairs)


def scored_splits(graph: TaskGraph, task: Task) -> tuple[str, ...]:
    """Splits on which a task can be scored."""
    if task.stage.score is None:
        return ()
    if task.stage.score == "classification":
        wanted: Iterable[str] = getattr(task.parameters, "score_splits", ())
        return tuple(s for s in wanted if s in graph.declaration.splits)
    return tuple(s for s in task.splits if graph.declaration.splits[s].masks)


@dataclass(frozen=True)
class Report:
    """One page about some recipes: `all` at their own regions settings, or the `sweep`."""

    graph: TaskGraph
    name: str
    scores: tuple[Judgement, ...]
    thresholds: tuple[Judgement, ...]
    tasks: tuple[Task, ...]

    @property
    def folder(self) -> Path:
        return self.graph.results / self.graph.dataset / "reports" / self.name

    @property
    def slice_path(self) -> Path:
        return self.graph.results / PARAMS / self.graph.dataset / "reports" / f"{self.name}.json"

    def slice(self) -> dict[str, Any]:
        """Everything that the page is made of, by path below `results/`."""
        settings = self.graph.config.stage_defaults(self.graph.dataset, REPORT.name)
        return {
            "stage": REPORT.name,
            "stage_version": REPORT.version,
            "dataset": self.graph.dataset,
            "parameters": REPORT.validate(settings, f"settings.{self.graph.dataset}").slice(),
            "name": self.name,
            "recipes": {
                name: {key: getattr(self.graph.book[name], key) for key in ("paper", "aims_at", "differs")}
                for name in dict.fromkeys(self.graph.config.recipes)
            },
            "scores": [str(j.path.relative_to(self.graph.results)) for j in self.scores],
            "thresholds": [str(j.path.relative_to(self.graph.results)) for j in self.thresholds],
            "nodes": [
                {
                    "owner": t.owner,
                    "axes": t.axes,
                    "node": t.name,
                    "stage": t.stage.name,
                    "kind": t.stage.kind,
                    "score": t.stage.score,
                    "splits": list(t.splits),
                    "folder": t.key,
                }
                for t in self.tasks
            ],
        }

    def outputs(self) -> list[Path]:
        """Manifest, page and tables."""
        return [self.folder / name for name in (MANIFEST, *REPORT.files)]

    def inputs(self) -> list[Path]:
        """Every file that the page reads, so that both engines know."""
        files = [j.path for j in (*self.scores, *self.thresholds)]
        for task in self.tasks:
            files.append(task.manifest)
            if task.stage.sharded:
                files += [file for shard in first_shards(task) for file in task.data_files(shard)]
            else:
                files.append(task.folder / "history.csv")
        return files


def report_sources(content: Mapping[str, Any], results: Path) -> dict[str, str]:
    """Digests of all that a page is made of, by path below `results/`; what its manifest says that it was made from.

    Args:
        content: the report's slice.
        results: folder of the results.

    Raises:
        SeedbedError: a node's manifest is missing or unreadable.
    """
    nodes = {
        entry["folder"]: read_manifest(results / entry["folder"] / MANIFEST).content
        for entry in content["nodes"]
    }
    return nodes | {
        path: sha256_file(results / path) for path in (*content["scores"], *content["thresholds"])
    }


def first_shards(task: Task) -> list[str]:
    """The first shard of each split: where the page takes its sample images from."""
    return [shard for shard in task.shard_names if shard.endswith("-0")]
