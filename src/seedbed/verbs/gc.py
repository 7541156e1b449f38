"""`seedbed gc`: what is in `results/` and `logs/` though no recipe's commands write it, and deleting it.

Indexes and reports of declared data sets stay, and so do files that seedbed did not write.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from seedbed.artifacts.atomic import writing
from seedbed.artifacts.manifest import MANIFEST
from seedbed.engines.mtimes import LOGS
from seedbed.engines.soundness import Examiner
from seedbed.plan.commands import Workflow
from seedbed.plan.judges import JUDGES
from seedbed.runtime.axes import Axes, is_axes
from seedbed.runtime.locks import lock_path, output_lock, refuse_locked
from seedbed.runtime.paths import PARAMS, RUNS, WORK
from seedbed.verbs.kept import Kept
from seedbed.verbs.terminal import folder_size, human_size, table

SUFFIXES = {"slices": (".json",), "logs": (".log", ".tsv")}


@dataclass(frozen=True)
class Leftover:
    """Something to delete.

    Attributes:
        what: `data set`, `node`, the name of a judge, `work`, `slices`, `logs`, `temporary`.
        where: the path to show for it.
        paths: files and folders to delete.
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


def collect(workflow: Workflow, yes: bool, each: bool = False, logs: Path = LOGS) -> str:
    """List what no recipe wants, and delete it with `yes`.

    Args:
        yes: delete.
        each: one line per folder, instead of one for all of an owner's folders that go for the same reason.
        logs: folder of the engines' logs.

    Returns:
        The list and its total, for a terminal.

    Raises:
        SeedbedError: a run holds an output, a recipe cannot be loaded, or the disk refuses.
    """
    results = workflow.results
    for work in sorted(results.glob(f"**/{WORK}")):
        refuse_locked(work.parent)
    kept = {
        name: Kept.of(workflow, name)
        for name in workflow.config.datasets
        if any((folder / name).is_dir() for folder in (results, results / PARAMS, logs))
    }
    found = leftovers(workflow, kept, logs)
    text = _text(workflow, kept, found, yes, each)
    if yes:
        for path in (path for leftover in found for path in leftover.paths):
            _delete(path, (results, logs))
    return text


def leftovers(workflow: Workflow, kept: Mapping[str, Kept], logs: Path = LOGS) -> list[Leftover]:
    """Everything that no recipe wants, given what is kept for each data set with results, slices or logs."""
    results, declared = workflow.results, workflow.config.datasets
    found = []
    for folder in _folders(results):
        if folder.name not in declared and (folder / "index" / MANIFEST).is_file():
            others = (results / PARAMS / folder.name, logs / folder.name)
            paths = (folder, *(path for path in others if path.is_dir()))
            found.append(Leftover("data set", folder, paths, "params.yaml declares no such data set"))
    for name, one in kept.items():
        found += [*_nodes(workflow, one, results / name), *_work(one)]
        found += _strays("slices", one, results / PARAMS, set())
        found += _strays("logs", one, logs, one.logs(logs))
    doomed = [path for leftover in found for path in leftover.paths]
    temporary = [p for p in sorted(results.glob("**/.*.tmp")) if not any(map(p.is_relative_to, doomed))]
    if temporary:
        found.append(Leftover("temporary", results, tuple(temporary), "left by killed runs"))
    return found


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
    files = [path for path in sorted(folder.glob("*.json")) if not kept.wants(f"{key}/{path.stem}")]
    if files:
        beside = [path for f in files for path in (folder / RUNS / f.name, lock_path(folder, f.name))]
        paths = (*files, *(path for path in beside if path.exists()))
        yield Leftover(folder.name, folder, paths, "no recipe asks for them")


def _work(kept: Kept) -> Iterator[Leftover]:
    """Partial work of complete nodes; a run may resume from that of others."""
    examiner = Examiner(kept.graph)
    for task in kept.tasks.values():
        work = task.folder / WORK
        paths = tuple(sorted(path for path in work.iterdir() if path.is_dir())) if work.is_dir() else ()
        if paths and examiner.task(task).status == "cached":
            yield Leftover("work", work, paths, "the node is complete")


def _strays(what: str, kept: Kept, root: Path, wanted: set[str]) -> Iterator[Leftover]:
    """Slices or logs of nodes that are not wanted, by owner."""
    for owner in _folders(root / kept.graph.dataset):
        if owner.name in ("reports", *kept.held):
            continue
        files = [path for path in sorted(owner.rglob("*")) if path.suffix in SUFFIXES[what]]
        keys = {path: path.relative_to(root).as_posix().removesuffix(path.suffix) for path in files}
        stray = tuple(
            path
            for path, key in keys.items()
            if is_axes(path.relative_to(owner).parts[0]) and key not in wanted and not kept.wants(key)
        )
        if stray:
            yield Leftover(what, owner, stray, "no node needs them")


def _delete(path: Path, roots: Sequence[Path]) -> None:
    """Delete a path while holding its locks, then the folders that became empty, except `roots`.

    Raises:
        SeedbedError: a run took one of the outputs, or the disk refuses; what was deleted before stays deleted.
    """
    if path.parent.name == WORK:
        locks = [lock for lock in [lock_path(path.parent.parent, path.name)] if lock.exists()]
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
    sweep = f" and at the {pairs} of the sweep" if pairs else ""
    lines = [
        f"kept: what any recipe of recipes/ ({', '.join(workflow.book.names())}) makes at rng {rngs}, at its own "
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
        items = len(group) if what == "data set" else sum(len(one.paths) for one in group)
        where = os.path.commonpath([str(one.where) for one in group])
        rows.append((what, str(items), human_size(sum(one.size for one in group)), where, why))
    total = human_size(sum(one.size for one in found))
    ending = f"{total} deleted" if deleted else f"{total} to delete; `seedbed gc --yes` does it"
    return "\n".join([*lines, table(("WHAT", "ITEMS", "SIZE", "WHERE", "WHY"), rows), ending])
