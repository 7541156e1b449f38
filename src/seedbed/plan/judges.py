"""Judges: scores and qualities of nodes, which the plan adds to the recipes' nodes. A new judge is one row of `JUDGES`.

A judge is a stage that reads artifacts of one split and writes one file, `<judge>/<node>-<split>.json`, beside the
nodes at a point on the axes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from seedbed.cam.thresholds import Regions
from seedbed.methods.pairs import PairParameters
from seedbed.methods.table import method_entry
from seedbed.plan.task import Task
from seedbed.plan.tasks import TaskGraph
from seedbed.runtime.background_option import POOLED
from seedbed.runtime.contract import Stage
from seedbed.runtime.paths import PARAMS, SHARED
from seedbed.stages.affinity_quality import STAGE as AFFINITY_QUALITY
from seedbed.stages.evaluate import STAGE as EVALUATE
from seedbed.stages.label_areas import STAGE as LABEL_AREAS
from seedbed.stages.round_agreement import STAGE as ROUND_AGREEMENT_STAGE
from seedbed.stages.saliency_quality import STAGE as SALIENCY_QUALITY
from seedbed.stages.threshold_choice import STAGE as THRESHOLD_CHOICE
from seedbed.stages.threshold_quality import STAGE as THRESHOLD_QUALITY


class Point(NamedTuple):
    """A recipe at a point on the axes, in a report.

    Attributes:
        regions: the recipe's own setting if None.
        role: `own` in the report of the recipes at their own settings; in the report of the sweep `pair` for each
            setting, and `reference` for the recipe's own setting, on which all pairs are judged together.
    """

    recipe: str
    rng: int
    regions: str | None = None
    role: Literal["own", "pair", "reference"] = "own"


@dataclass(frozen=True)
class Judgement:
    """One file that judges a task on a split.

    Attributes:
        judge: key in `JUDGES`, and folder of the file.
        stage: stage that judges.
        task: what is judged.
        sources: tasks by input name of the stage.
        content: what the slice holds besides stage, node, split and parameters.
        suffix: of the file's name, if a judge has several files for a node.
    """

    judge: str
    stage: Stage
    task: Task
    split: str
    sources: Mapping[str, Task]
    parameters: Mapping[str, Any]
    content: Mapping[str, Any] = field(default_factory=dict)
    suffix: str = ""

    @property
    def name(self) -> str:
        return f"{self.task.name}-{self.split}{self.suffix}"

    @property
    def path(self) -> Path:
        return self.task.folder.parent / self.judge / f"{self.name}.json"

    @property
    def key(self) -> str:
        return f"{self.task.key.rpartition('/')[0]}/{self.judge}/{self.name}"

    @property
    def slice_path(self) -> Path:
        return self.task.results / PARAMS / f"{self.key}.json"

    def slice(self) -> dict[str, Any]:
        """The slice that the command reads."""
        return {
            "stage": self.stage.name,
            "stage_version": self.stage.version,
            "dataset": self.task.dataset,
            "node": self.task.name,
            "split": self.split,
            "parameters": dict(self.parameters),
            **({"mask_classes": dict(self.task.joined)} if self.task.joined else {}),
            **self.content,
        }

    @cached_property
    def source_files(self) -> dict[str, list[Path]]:
        """Data files of the split that the command reads, by input name."""
        return {name: list(_files_of_split(task, self.split)) for name, task in self.sources.items()}


def _files_of_split(task: Task, split: str) -> Iterator[Path]:
    if not task.stage.sharded:
        yield from task.data_files()
    for shard in task.shards_of(split):
        yield from task.data_files(shard)


Find = Callable[[TaskGraph, Point], Iterable[tuple[Task, str, Mapping[str, Task], Mapping[str, Any], str]]]
"""What is judged at a point: the (task, split, sources, content, suffix) of each judgement."""


@dataclass(frozen=True)
class Judge:
    """One row.

    Attributes:
        stage: stage that judges; the plan adds it, recipes have no such nodes.
        find: finds what it judges at a point in a report.
    """

    stage: Stage
    find: Find


def scores_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Scores of all nodes that the recipe names, on every split of the node that can be scored."""
    if point.role == "reference":
        return
    tasks = graph.recipe_tasks(point.recipe, point.rng, point.regions)
    for name in graph.book[point.recipe].scores:
        for split in scored_splits(graph, tasks[name]):
            yield tasks[name], split, {"target": tasks[name]}, {}, ""


def threshold_quality_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Each pair on the refined CAMs of its own AffinityNet; at the reference, all pairs on its refined CAMs.

    Outside the sweep, the recipe's own pair on the splits without masks.
    """
    pairs = pairs_among(graph.config.thresholds)
    if point.role != "own" and not pairs:
        return
    shared = point.role == "reference"
    for task in graph.recipe_tasks(point.recipe, point.rng, point.regions).values():
        if task.stage.makes != "refined_cams" or task.regions is None:
            continue
        if not shared and not pairs_among([task.regions]):
            continue
        initial = next((s for s in task.sources.values() if s.stage.makes == "cams"), None)
        if initial is None:
            continue
        sources = {"cams": initial, "refined": task}
        for split in task.splits:
            masks = graph.declaration.splits[split].masks
            if point.role == "own" and masks:
                continue
            content = {"regions": task.regions, "masks": masks}
            if shared:
                content |= {"form": SHARED, "pairs": list(pairs)}
            yield task, split, sources, content, f"-{SHARED}" if shared else ""


def saliency_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Every node of saliency, on the splits with masks; joined with the recipe's own CAMs, where it has some there."""
    if point.role == "reference":
        return
    tasks = graph.recipe_tasks(point.recipe, point.rng, point.regions)
    cams = next((task for task in tasks.values() if task.stage.makes == "cams"), None)
    for task in tasks.values():
        if task.stage.makes != "saliency":
            continue
        for split in task.splits:
            if not graph.declaration.splits[split].masks:
                continue
            if cams is not None and split in cams.splits and cams.axes == task.axes:
                yield task, split, {"target": task, "cams": cams}, {"prior": cams.owner}, f"-{cams.owner}"
            else:
                yield task, split, {"target": task}, {}, ""


def affinity_labels_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Every AffinityNet, on what it was trained on, if one of the selected recipes has salient affinity labels."""
    if point.role == "reference" or not _any_salient_regions(graph, point.recipe):
        return
    for task in graph.recipe_tasks(point.recipe, point.rng, point.regions).values():
        regions = task.sources.get("regions")
        if task.stage.makes != "affinitynet" or regions is None:
            continue
        if not isinstance(task.parameters, PairParameters):
            continue
        parameters: Any = task.parameters
        method: Any = method_entry(parameters.method).method
        yield (
            task,
            parameters.split,
            {"target": regions},
            {
                "radius": parameters.radius,
                "pairs": parameters.pairs,
                "stride": method.GRID_STRIDE,
                "saliency": "saliency" in regions.sources,
                "masks": graph.declaration.splits[parameters.split].masks,
            },
            "",
        )


def _any_salient_regions(graph: TaskGraph, recipe: str) -> bool:
    rng = graph.config.rngs[0]
    return any(
        task.stage.makes == "regions" and "saliency" in task.sources
        for name in dict.fromkeys((recipe, *graph.config.recipes))
        for task in graph.recipe_tasks(name, rng).values()
    )


def round_agreement_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Label maps that a training made from label maps of the same name: those of a round, and of the round before."""
    if point.role == "reference":
        return
    for task in graph.recipe_tasks(point.recipe, point.rng, point.regions).values():
        before = _round_before(task)
        if before is not None:
            for split in (split for split in task.splits if split in before.splits):
                yield task, split, {"target": task, "before": before}, {"before": before.owner}, ""


def _round_before(task: Task) -> Task | None:
    """The nearest node of the same name and meaning from which label maps were made through a training."""
    if task.stage.meaning.form.name != "label_maps":
        return None
    seen: set[tuple[str, bool]] = set()
    layer = [(source, False) for source in task.sources.values()]
    while layer:
        further = []
        for one, trained in layer:
            if trained and one.name == task.name and one.stage.makes == task.stage.makes:
                return one
            if (one.key, trained) not in seen:
                seen.add((one.key, trained))
                through = trained or one.stage.resources == "training"
                further += [(source, through) for source in one.sources.values()]
        layer = further
    return None


def areas_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Nodes of label maps that the recipe names to be scored, on their splits without masks."""
    if point.role == "reference":
        return
    tasks = graph.recipe_tasks(point.recipe, point.rng, point.regions)
    for name in graph.book[point.recipe].scores:
        if tasks[name].stage.meaning.form.name != "label_maps":
            continue
        for split in tasks[name].splits:
            if not graph.declaration.splits[split].masks:
                yield tasks[name], split, {"target": tasks[name]}, {}, ""


def choices_at(graph: TaskGraph, point: Point) -> Iterator[Any]:
    """Nodes of CAMs that the recipe names to be scored, on the splits that Otsu's threshold is taken from.

    Beside refined CAMs stand the regions from which their AffinityNet learnt, where these have the split.
    """
    if point.role == "reference":
        return
    tasks = graph.recipe_tasks(point.recipe, point.rng, point.regions)
    for task in (tasks[name] for name in graph.book[point.recipe].scores):
        if task.stage.meaning.form.name != "maps":
            continue
        regions = next((s.sources["regions"] for s in task.sources.values() if "regions" in s.sources), None)
        for split in [POOLED] if POOLED in task.splits else task.splits:
            sources = {"target": task}
            if regions is not None and split in regions.splits:
                sources["regions"] = regions
            yield task, split, sources, {}, ""


JUDGES: dict[str, Judge] = {
    "scores": Judge(EVALUATE, scores_at),
    "thresholds": Judge(THRESHOLD_QUALITY, threshold_quality_at),
    "saliency_scores": Judge(SALIENCY_QUALITY, saliency_at),
    "affinity_labels": Judge(AFFINITY_QUALITY, affinity_labels_at),
    "round_agreement": Judge(ROUND_AGREEMENT_STAGE, round_agreement_at),
    "areas": Judge(LABEL_AREAS, areas_at),
    "choices": Judge(THRESHOLD_CHOICE, choices_at),
}
SCORES, THRESHOLDS, SALIENCY_SCORES = "scores", "thresholds", "saliency_scores"
AFFINITY_LABELS, ROUND_AGREEMENT, AREAS = "affinity_labels", "round_agreement", "areas"
CHOICES = "choices"
"""Those that the report page and the tables refer to by name."""


def judgements_at(graph: TaskGraph, point: Point) -> Iterator[Judgement]:
    """What every judge judges at a point in a report."""
    for name, judge in JUDGES.items():
        settings = graph.config.stage_defaults(graph.dataset, judge.stage.name)
        parameters = judge.stage.validate(settings, f"settings.{graph.dataset}").slice()
        for task, split, sources, content, suffix in judge.find(graph, point):
            yield Judgement(name, judge.stage, task, split, sources, parameters, content, suffix)


def scored_splits(graph: TaskGraph, task: Task) -> tuple[str, ...]:
    """Splits on which a task can be scored: those of its splits with the truth that its meaning needs."""
    meaning = task.stage.meaning
    if not meaning.score:
        return ()
    if meaning.truth == "labels":
        return task.splits
    return tuple(s for s in task.splits if graph.declaration.splits[s].masks)


def pairs_among(labels: Iterable[str]) -> tuple[str, ...]:
    """The settings that are pairs of thresholds, sorted, so that their order in params.yaml changes no file."""
    settings = [Regions.parse(label) for label in labels]
    pairs = [setting for setting in settings if setting.kind == "thresholds"]
    return tuple(str(pair) for pair in sorted(pairs, key=lambda pair: (pair.low, pair.high)))
