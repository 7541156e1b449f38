"""`seedbed gc`: what is in `results/` and `logs/` though no recipe's commands write it, and deleting it.

It speaks of the configured data set, or of all of them. Indexes and reports of declared data sets stay, and so do files
that seedbed did not write.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from seedbed.artifacts.atomic import writing
from seedbed.artifacts.manifest import MANIFEST
from seedbed.engines.mtimes import LOGS
from seedbed.engines.soundness import Examiner
from seedbed.engines.tree_lock import hold_tree
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import JUDGES
from seedbed.runtime.axes import Axes, is_axes
from seedbed.runtime.locks import lock_path, output_lock, refuse_locked
from seedbed.runtime.paths import PARAMS, RUNS, WORK
from seedbed.runtime.progress_mark import MARK, mark_path
from seedbed.verbs.kept import Kept
from seedbed.verbs.terminal import folder_size, human_size, table

SUFFIXES = {"slices": (".json",), "logs": (".log", ".tsv")}


@dataclass(frozen=True)
class Leftover:
    """Something to delete.

    Attributes:
        what: `data set`, `node`, the name of a judge, `work`, `slices`, `logs`, `temporary`.
        where: the file or folder to show for it.
        paths: files and folders to delete: `where`, or what belongs to it.
        why: why no recipe owns it.
    """

    what: str
    where: Path
    paths: tuple[Path, ...]
    why: str

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(folder_size(p) if p.is_dir() else p.lstat().st_size for p in self.paths if p.exists())


def collect(workflow: Workflow, yes: bool, each: bool = False, every: bool = False, logs: Path = LOGS) -> str:
    """List what no recipe wants, and delete it with `yes`.

    Args:
        yes: delete.
        each: one line per folder or file, instead of one for all of an owner's that go for the same reason.
        every: of all data sets, also of those that are no longer declared; otherwise of the configured one.
        logs: folder of the engines' logs.

    Returns:
        The list and its total, for a terminal.

    Raises:
        SeedbedError: a run holds an output, a recipe cannot be loaded, or the disk refuses.
    """
    with hold_tree(workflow) if yes else nullcontext():
        return _collect(workflow, yes, each, every, logs)


def _collect(workflow: Workflow, yes: bool, each: bool, every: bool, logs: Path) -> str:
    results = workflow.results
    for work in sorted(results.glob(f"**/{WORK}")):
        if not (yes and work.parent == results):  # which this holds
            refuse_locked(work.parent)
    kept = {
        name: Kept.of(workflow, name)
        for name in (workflow.config.datasets if every else [workflow.config.dataset])
        if any((folder / name).is_dir() for folder in (results, results / PARAMS, logs))
    }
    found = leftovers(workflow, kept, logs, every)
    text = _text(workflow, kept, found, yes, each)
    if not every and (others := _others(workflow, logs)):
        text += f"\nnot looked at: {', '.join(others)}; `seedbed gc --all` does"
    if yes:
        for path in (path for leftover in found for path in leftover.paths):
            _delete(path, (results, logs))
    return text


def leftovers(
    workflow: Workflow, kept: Mapping[str, Kept], logs: Path = LOGS, every: bool = True
) -> list[Leftover]:
    """Everything that no recipe wants, given what is kept for each data set with results, slices or logs.

    Args:
        every: also data sets that are no longer declared.
    """
    results = workflow.results
    found = []
    for folder in _undeclared(workflow) if every else ():
        others = (results / PARAMS / folder.name, logs / folder.name)
        paths = (folder, *(path for path in others if path.is_dir()))
        found.append(Leftover("data set", folder, paths, "params.yaml declares no such data set"))
    for name, one in kept.items():
        found += [*_nodes(workflow, one, results / name), *_work(one)]
        found += _strays("slices", one, results / PARAMS, set())
        found += _strays("logs", one, logs, one.logs(logs))
    doomed = [path for leftover in found for path in leftover.paths]
    searched = (
        [results] if every else [folder / name for name in kept for folder in (results, results / PARAMS)]
    )
    temporary = [path for folder in searched for path in sorted(folder.glob("**/.*.tmp"))]
    found += [
        Leftover("temporary", path, (path,), "left by killed runs")
        for path in temporary
        if not any(map(path.is_relative_to, doomed))
    ]
    return found


def _undeclared(workflow: Workflow) -> list[Path]:
    """Folders of data sets that params.yaml no longer declares."""
    declared = workflow.config.datasets
    folders = _folders(workflow.results)
    return [f for f in folders if f.name not in declared and (f / "index" / MANIFEST).is_file()]


def _others(workflow: Workflow, logs: Path) -> list[str]:
    """Data sets with results, slices or logs, besides the configured one."""
    config, results = workflow.config, workflow.results
    places = (results, results / PARAMS, logs)
    declared = [name for name in config.datasets if any((place / name).is_dir() for place in places)]
    names = [*declared, *(folder.name for folder in _undeclared(workflow))]
    return [name for name in names if name != config.dataset]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _nodes(workflow: Workflow, kept: Kept, dataset: Path) -> Iterator[Leftover]:
    """Nodes, and judges' files beside them."""
    for owner in _folders(dataset):
        if owner.name in ("index", "reports", *kept.held):
            continue
        points = [first for first in _folders(owner) if is_axes(first.name)]
        points += [p for first in points for p in _folders(first) if is_axes(f"{first.name}/{p.name}")]
        for point in points:
            axes = Axes.parse(point.relative_to(owner).as_posix())
            for folder in _folders(point):
                key = folder.relative_to(workflow.results).as_posix()
                if folder.name in JUDGES:
                    yield from _judged(folder, key, kept)
                elif folder not in points and not kept.wants(key):
                    why = _why(workflow, kept, owner.name, axes, folder.name)
                    yield Leftover("node", folder, (folder,), why)


def _why(workflow: Workflow, kept: Kept, owner: str, axes: Axes, node: str) -> str:
    if owner not in workflow.book.names():
        return f"there is no recipe {owner}"
    recipe = workflow.book[owner]
    if node not in recipe.nodes:
        return f"recipe {owner} has no node {node}"
    if axes.rng is not None and axes.rng not in workflow.config.rngs:
        return f"rng{axes.rng} is not among params.yaml's rngs"
    if axes.regions and axes.regions not in (*workflow.config.thresholds, kept.graph.regions_of(recipe)):
        return f"{axes.regions} is neither the recipe's nor among params.yaml's thresholds"
    return f"recipe {owner} no longer owns it here"


def _judged(folder: Path, key: str, kept: Kept) -> Iterator[Leftover]:
    for path in sorted(folder.glob("*.json")):
        if not kept.wants(f"{key}/{path.stem}"):
            beside = (folder / RUNS / path.name, lock_path(folder, path.name), mark_path(folder, path.name))
            paths = (path, *(one for one in beside if one.exists()))
            yield Leftover(folder.name, path, paths, "no recipe asks for it")


def _work(kept: Kept) -> Iterator[Leftover]:
    """Partial work of complete nodes, and marks that killed jobs left; a run may resume from that of others."""
    examiner = Examiner(kept.graph)
    for task in kept.tasks.values():
        work = task.folder / WORK
        here = sorted(work.iterdir()) if work.is_dir() else []
        paths = tuple(path for path in here if path.is_dir() or path.suffix == MARK)
        if paths and examiner.task(task).status == "cached":
            yield Leftover("work", work, paths, "the node is complete")


def _strays(what: str, kept: Kept, root: Path, wanted: set[str]) -> Iterator[Leftover]:
    """Slices or logs of nodes that are not wanted."""
    for owner in _folders(root / kept.graph.dataset):
        if owner.name in ("reports", *kept.held):
            continue
        for path in sorted(owner.rglob("*")):
            key = path.relative_to(root).as_posix().removesuffix(path.suffix)
            is_ours = path.suffix in SUFFIXES[what] and is_axes(path.relative_to(owner).parts[0])
            if is_ours and key not in wanted and not kept.wants(key):
                yield Leftover(what, path, (path,), "no node needs it")


def _delete(path: Path, roots: Sequence[Path]) -> None:
    """Delete a path while holding its locks, then the folders that became empty, except `roots`.

    Raises:
        SeedbedError: a run took one of the outputs, or the disk refuses; what was deleted before stays deleted.
    """
    if path.parent.name == WORK:
        locks = [
            lock for lock in [lock_path(path.parent.parent, path.name.removesuffix(MARK))] if lock.exists()
        ]
    else:
        locks = sorted(path.glob(f"**/{WORK}/*.lock")) if path.is_dir() else []
    with ExitStack() as stack, writing(path):
        for lock in locks:
            stack.enter_context(output_lock(lock.parent.parent, lock.stem))
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        folder = path.parent
        while folder not in roots and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _text(
    workflow: Workflow, kept: Mapping[str, Kept], found: Sequence[Leftover], deleted: bool, each: bool
) -> str:
    """What is kept, in a sentence; what is not, in a table; the total."""
    rngs = ", ".join(map(str, workflow.config.rngs))
    pairs = len(workflow.config.thresholds)
    sweep = f" and at the sweep's {pairs}" if pairs else ""
    names = workflow.book.names()
    told = ", ".join(names) if len(names) <= 5 else f"{len(names)} of them"
    lines = [
        f"kept: what any recipe of recipes/ ({told}) makes at rng {rngs}, at its own "
        f"regions setting{sweep}, on {', '.join(kept) or 'no data set'}"
    ]
    for dataset, stays in kept.items():
        lines += [f"kept whole: {dataset}/{owner}, for {why}" for owner, why in stays.held.items()]
    if not found:
        return "\n".join([*lines, "nothing to delete"])
    groups: dict[tuple[str, ...], list[Leftover]] = {}
    for one in found:
        place = one.where if each else Path(*one.where.parts[: len(workflow.results.parts) + 2])
        groups.setdefault((one.what, one.why, str(place)), []).append(one)
    rows = []
    for (what, why, _), group in groups.items():
        items = sum(len(one.paths) for one in group) if what == "work" else len(group)
        rows.append((what, str(items), human_size(sum(one.size for one in group)), _places(group), why))
    total = human_size(sum(one.size for one in found))
    ending = f"{total} deleted" if deleted else f"{total} to delete; `seedbed gc --yes` does it"
    return "\n".join([*lines, table(("WHAT", "ITEMS", "SIZE", "WHERE", "WHY"), rows), ending])


def _places(group: Sequence[Leftover]) -> str:
    """The folder of a group of folders; of files, beside which others stay, the first by name."""
    first = group[0].where
    if first.is_dir():
        return os.path.commonpath([str(one.where) for one in group])
    return f"{first} and {len(group) - 1} more" if len(group) > 1 else str(first)
