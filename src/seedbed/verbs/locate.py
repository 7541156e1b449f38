"""An artifact by name: `recipe.node[@rng0][@bg0.10-fg0.40][@epoch30]` of the configured data set, or its folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import MANIFEST
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.plan.state import task_states
from seedbed.plan.tasks import Task, TaskGraph, unique_tasks
from seedbed.runtime.contract import Stage
from seedbed.stages.registry import STAGES

_NAME = re.compile(r"(?P<recipe>[a-z][a-z0-9-]*)\.(?P<node>[a-z][a-z0-9_]*)\Z")


@dataclass(frozen=True)
class Located:
    """An artifact that is there.

    Attributes:
        index: manifest of its data set's index; None where there is none beside it.
        epoch: kept epoch asked for.
        task: the node; None where it was named by its folder.
        note: that it is stale, and why; empty where it is not, or where it was named by its folder.
    """

    artifact: Artifact
    stage: Stage
    index: Path | None
    epoch: int | None = None
    task: Task | None = None
    note: str = ""


def locate(text: str, read_workflow: Callable[[], Workflow] = Workflow.read) -> Located:
    """Find an artifact.

    Args:
        text: a node, or a path of an artifact's folder or manifest.
        read_workflow: read params.yaml and the recipes; called only for a node.

    Raises:
        SeedbedError: neither, an unknown name, or a node that has not been made.
    """
    path = Path(text).expanduser()
    if path.exists() or "/" in text:
        artifact = Artifact(path / MANIFEST if path.is_dir() or not path.exists() else path)
        return Located(artifact, _stage(artifact), _index_beside(artifact))
    name, *points = text.split("@")
    match = _NAME.match(name)
    if match is None:
        raise SeedbedError(
            f"expected a node as recipe.node[@rng0][@bg0.10-fg0.40][@epoch30], or an artifact's folder, got {text!r}"
        )
    workflow = read_workflow()
    rng, epoch, regions = workflow.config.rngs[0], None, None
    for point in points:
        if number := re.fullmatch(r"(rng|epoch)(\d+)", point):
            rng, epoch = (int(number[2]), epoch) if number[1] == "rng" else (rng, int(number[2]))
        else:
            regions = point
    graph = workflow.graph()
    task = graph.task(match["recipe"], match["node"], rng, regions)
    if not task.manifest.exists():
        raise SeedbedError(f"{text} has not been made yet; run `snakemake {task.manifest}`")
    index = graph.index_folder / MANIFEST
    return Located(
        Artifact(task.folder), task.stage, index if index.exists() else None, epoch, task, _note(graph, task)
    )


def _stage(artifact: Artifact) -> Stage:
    name = artifact.manifest.stage
    if name not in STAGES:
        raise SeedbedError(f"{artifact.folder} was made by stage {name}; expected a recipe's node")
    return STAGES[name]


def _index_beside(artifact: Artifact) -> Path | None:
    for folder in artifact.folder.resolve().parents:
        index = folder / "index" / MANIFEST
        if folder.name == artifact.manifest.dataset and index.exists():
            return index
    return None


def _note(graph: TaskGraph, task: Task) -> str:
    state = task_states(graph, unique_tasks([task]))[task.key]
    return "" if state.status == "cached" else f"{task.folder} is {state.status} ({state.why}); used as it is"
