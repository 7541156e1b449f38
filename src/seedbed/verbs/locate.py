"""An artifact by name: `recipe.node[@rng0][@bg0.10-fg0.40][@epoch30]` of the configured data set, or its folder."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import MANIFEST
from seedbed.engines.soundness import Examiner
from seedbed.errors import SeedbedError
from seedbed.names import NODE, RECIPE
from seedbed.plan.commands import Workflow
from seedbed.plan.task import Task
from seedbed.plan.tasks import TaskGraph
from seedbed.stages.registry import STAGES

_NAME = re.compile(rf"(?P<recipe>{RECIPE.pattern})\.(?P<node>{NODE.pattern})\Z")


@dataclass(frozen=True)
class Located:
    """An artifact that exists.

    Attributes:
        index: manifest of its data set's index; None if there is none beside it.
        epoch: kept epoch asked for.
        task: the node; None if it was named by its folder.
        note: says that it is stale, and why; empty if it is not, or if it was named by its folder.
    """

    artifact: Artifact
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
        SeedbedError: it is neither, the name is unknown, or the node has not been made.
    """
    path = Path(text).expanduser()
    if path.exists() or "/" in text:
        artifact = Artifact(path / MANIFEST if path.is_dir() or not path.exists() else path)
        if artifact.manifest.stage not in STAGES:
            raise SeedbedError(
                f"{artifact.folder} was made by stage {artifact.manifest.stage}; expected a recipe's node"
            )
        return Located(artifact, _index_beside(artifact))
    name, *points = text.split("@")
    match = _NAME.match(name)
    if match is None:
        raise SeedbedError(
            f"expected a node as recipe.node[@rng0][@bg0.10-fg0.40][@epoch30], or an artifact's folder, got {text!r}"
        )
    workflow = read_workflow()
    given: dict[str, str] = {}
    for point in points:
        number = re.fullmatch(r"(rng|epoch)(\d+)", point)
        axis, value = (number[1], number[2]) if number else ("regions setting", point)
        if axis in given:
            raise SeedbedError(f"{text}: expected one {axis}, got {given[axis]} and {value}; keep one")
        given[axis] = value
    rng = int(given.get("rng", workflow.config.rngs[0]))
    epoch, regions = int(given["epoch"]) if "epoch" in given else None, given.get("regions setting")
    graph = workflow.graph()
    task = graph.task(match["recipe"], match["node"], rng, regions)
    if not task.manifest.exists():
        command = workflow.overrides.snakemake(str(task.manifest))
        planned = any(task.manifest == one.manifest for one in workflow.tasks)
        remedy = "run" if planned else "add its recipe, random seed and thresholds to params.yaml, then run"
        raise SeedbedError(f"{text} has not been made yet; {remedy} `{command}`")
    index = graph.index_folder / MANIFEST
    return Located(Artifact(task.folder), index if index.exists() else None, epoch, task, _note(graph, task))


def _index_beside(artifact: Artifact) -> Path | None:
    for folder in artifact.folder.resolve().parents:
        index = folder / "index" / MANIFEST
        if folder.name == artifact.manifest.dataset and index.exists():
            return index
    return None


def _note(graph: TaskGraph, task: Task) -> str:
    state = Examiner(graph).task(task)
    return "" if state.status == "cached" else f"{task.folder} is {state.status} ({state.why}); used as it is"
