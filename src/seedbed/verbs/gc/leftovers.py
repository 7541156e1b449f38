"""What lies in `results/` and `logs/` though no recipe wants it; files that are none of ours are left alone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from seedbed.artifacts.manifest import MANIFEST
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import SCORES, THRESHOLDS
from seedbed.plan.state import folder_size, task_states
from seedbed.plan.tasks import NO_AXES
from seedbed.runtime.paths import PARAMS, RUNS, WORK
from seedbed.verbs.gc.kept import Kept

LOGS = Path("logs")
_REGIONS = re.compile(r"(bg|alpha)[^/-]*-[^/]*\Z")
_RNG = re.compile(r"rng\d+\Z")


@dataclass(frozen=True)
class Leftover:
    """Something to delete.

    Attributes:
        what: `data set`, `node`, `scores`, `work`, `slices`, `logs`, `temporary`.
        where: what to show for it.
        paths: files and folders to delete.
        why: no recipe owns it, because …
    """

    what: str
    where: Path
    paths: tuple[Path, ...]
    why: str

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(folder_size(p) if p.is_dir() else p.lstat().st_size for p in self.paths if p.exists())


def keep_all(workflow: Workflow, logs: Path = LOGS) -> dict[str, Kept]:
    """What is kept of each declared data set that has results, slices or logs."""
    folders = (workflow.results, workflow.results / PARAMS, logs)
    return {
        name: Kept.of(workflow, name)
        for name in workflow.config.datasets
        if any((folder / name).is_dir() for folder in folders)
    }


def leftovers(workflow: Workflow, kept: Mapping[str, Kept], logs: Path = LOGS) -> list[Leftover]:
    """Everything that no recipe wants; the indexes and reports of declared data sets are wanted.

    Args:
        kept: `keep_all` of the same workflow.
        logs: folder of the engines' logs.
    """
    results = workflow.results
    gone = [
        path for path in _folders(results) if path.name not in workflow.config.datasets and _indexed(path)
    ]
    found = [_undeclared(path, results, logs) for path in gone]
    for name, one in kept.items():
        found += _nodes(workflow, one, results / name)
        found += _work(one)
        found += _strays("slices", one, results / PARAMS, one.slices())
        found += _strays("logs", one, logs, one.logs())
    doomed = [path for leftover in found for path in leftover.paths]
    temporary = sorted(path for path in results.glob("**/.*.tmp") if not _below(path, doomed))
    if temporary:
        found.append(Leftover("temporary", results, tuple(temporary), "left by killed runs"))
    return found


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _indexed(folder: Path) -> bool:
    return (folder / "index" / MANIFEST).is_file()


def _undeclared(folder: Path, results: Path, logs: Path) -> Leftover:
    others = (results / PARAMS / folder.name, logs / folder.name)
    paths = (folder, *(path for path in others if path.is_dir()))
    return Leftover("data set", folder, paths, "params.yaml declares no such data set")


def _axes_folders(owner: Path) -> Iterator[tuple[str, str, Path]]:
    """(rng, regions, folder) of each point of the axes that an owner has results at."""
    for first in _folders(owner):
        if first.name == NO_AXES:
            yield "", "", first
        elif _REGIONS.match(first.name):
            yield "", first.name, first
        elif _RNG.match(first.name):
            yield first.name, "", first
            for second in _folders(first):
                if _REGIONS.match(second.name):
                    yield first.name, second.name, second


def _nodes(workflow: Workflow, kept: Kept, dataset: Path) -> Iterator[Leftover]:
    for owner in _folders(dataset):
        if owner.name in ("index", "reports", *kept.held):
            continue
        for rng, regions, axes in _axes_folders(owner):
            for node in _folders(axes):
                key = str(node.relative_to(workflow.results))
                if node.name in (SCORES, THRESHOLDS):
                    yield from _scores(node, key, kept)
                elif not _REGIONS.match(node.name) and key not in kept.tasks:
                    why = _why(workflow, kept, owner.name, rng, regions, node.name)
                    yield Leftover("node", node, (node,), why)


def _why(workflow: Workflow, kept: Kept, owner: str, rng: str, regions: str, node: str) -> str:
    if owner not in workflow.book.names():
        return f"no recipe {owner}"
    recipe = workflow.book[owner]
    if node not in recipe.nodes:
        return f"recipe {owner} has no node {node}"
    if rng and int(rng.removeprefix("rng")) not in workflow.config.rngs:
        return f"{rng} is not among params.yaml's rngs"
    if regions and regions not in (*workflow.config.thresholds, kept.graph.regions_of(recipe)):
        return f"{regions} is neither the recipe's nor among params.yaml's thresholds"
    return f"recipe {owner} no longer owns it here"


def _scores(folder: Path, key: str, kept: Kept) -> Iterator[Leftover]:
    files = [path for path in sorted(folder.glob("*.json")) if f"{key}/{path.stem}" not in kept.judgements]
    if files:
        facts = [path for file in files if (path := folder / RUNS / file.name).exists()]
        yield Leftover("scores", folder, (*files, *facts), "no recipe asks for them")


def _work(kept: Kept) -> Iterator[Leftover]:
    """Partial work of nodes that are complete; of others a run may resume from it."""
    used = {key: task for key, task in kept.tasks.items() if _folders_of_work(task.folder / WORK)}
    if not used:
        return
    states = task_states(kept.graph, list(kept.tasks.values()))
    for key, task in used.items():
        if states[key].status == "cached":
            folder = task.folder / WORK
            yield Leftover("work", folder, tuple(_folders_of_work(folder)), "the node is complete")


def _folders_of_work(work: Path) -> list[Path]:
    return sorted(path for path in work.iterdir() if path.is_dir()) if work.is_dir() else []


def _strays(what: str, kept: Kept, root: Path, wanted: Iterable[str]) -> Iterator[Leftover]:
    """Slices or logs of nodes that are not wanted, an owner at a time."""
    suffixes = (".json",) if what == "slices" else (".log", ".tsv")
    known = set(wanted)
    for owner in _folders(root / kept.graph.dataset):
        if owner.name in ("reports", *kept.held):
            continue
        files = sorted(path for path in owner.rglob("*") if path.suffix in suffixes and path.is_file())
        stray = tuple(
            path
            for path in files
            if _at_axes(path.relative_to(owner).parts[0])
            and str(path.relative_to(root)).removesuffix(path.suffix) not in known
        )
        if stray:
            yield Leftover(what, owner, stray, "no node needs them")


def _at_axes(name: str) -> bool:
    return name == NO_AXES or bool(_RNG.match(name) or _REGIONS.match(name))


def _below(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
