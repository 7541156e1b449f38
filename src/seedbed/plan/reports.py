"""What the plan knows about a report page: the recipes, nodes and judgements that it shows, and its source files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.manifest import MANIFEST, read_manifest, sha256_file
from seedbed.plan.class_groups import report_parameters
from seedbed.plan.judges import JUDGES, Judgement, Point, judgements_at
from seedbed.plan.task import Task, unique_tasks
from seedbed.plan.tasks import TaskGraph
from seedbed.runtime.paths import PARAMS
from seedbed.stages.report import STAGE as REPORT

ALL, SWEEP = "all", "sweep"


@dataclass(frozen=True)
class Report:
    """One page about some recipes: `all` at their own regions settings, or the `sweep` over those in params.yaml."""

    graph: TaskGraph
    name: str
    points: tuple[Point, ...]

    @cached_property
    def judgements(self) -> dict[str, Judgement]:
        """By key."""
        return {j.key: j for point in self.points for j in judgements_at(self.graph, point)}

    @cached_property
    def tasks(self) -> list[Task]:
        """Every task of the recipes, inputs first."""
        asked: list[Task] = [j.task for j in self.judgements.values()]
        for point in self.points:
            if point.role != "reference":
                asked += self.graph.recipe_tasks(point.recipe, point.rng, point.regions).values()
        return unique_tasks(asked)

    def judged_by(self, judge: str) -> list[Judgement]:
        """The judgements of one judge, a key in `JUDGES`."""
        return [j for j in self.judgements.values() if j.judge == judge]

    @property
    def key(self) -> str:
        """Unique, and the path under `results/`."""
        return f"{self.graph.dataset}/reports/{self.name}"

    @property
    def folder(self) -> Path:
        return self.graph.results / self.key

    @property
    def slice_path(self) -> Path:
        return self.graph.results / PARAMS / f"{self.key}.json"

    def slice(self) -> dict[str, Any]:
        """Everything from which the page is made, by path under `results/`."""
        return {
            "stage": REPORT.name,
            "stage_version": REPORT.version,
            "dataset": self.graph.dataset,
            "parameters": report_parameters(self.graph.config, self.graph.dataset).slice(),
            "name": self.name,
            "recipes": {
                name: {key: getattr(self.graph.book[name], key) for key in ("paper", "aims_at", "differs")}
                for name in dict.fromkeys(point.recipe for point in self.points)
            },
            "judgements": {
                judge: [str(j.path.relative_to(self.graph.results)) for j in self.judged_by(judge)]
                for judge in JUDGES
            },
            "nodes": [
                {
                    "owner": t.owner,
                    "axes": t.axes,
                    "node": t.name,
                    "stage": t.stage.name,
                    "makes": t.stage.makes,
                    "splits": list(t.splits),
                    "folder": t.key,
                    "parents": [source.key for source in t.sources.values()],
                }
                for t in self.tasks
            ],
        }

    def outputs(self) -> list[Path]:
        """Manifest, page and tables."""
        return [self.folder / name for name in (MANIFEST, *REPORT.files)]

    def inputs(self) -> list[Path]:
        """Every file that the page reads, for both engines."""
        files = [j.path for j in self.judgements.values()]
        for task in self.tasks:
            files += [task.manifest, *_shown_files(task)]
        return files


def _shown_files(task: Task) -> Iterator[Path]:
    """The first shard of each split, for the page's sample images; for whole artifacts, what the page reads."""
    if not task.stage.sharded:
        meaning = task.stage.meaning
        yield from (task.folder / name for name in (*meaning.form.shown, *meaning.shown))
    for shard in task.shard_names:
        if shard.endswith("-0"):
            yield from task.data_files(shard)


def report_sources(content: Mapping[str, Any], results: Path) -> dict[str, str]:
    """Digests of everything from which a page is made, by path under `results/`, as its manifest states them.

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
    judged = [path for paths in content["judgements"].values() for path in paths]
    return nodes | {path: sha256_file(results / path) for path in judged}
