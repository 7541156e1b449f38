"""Listing what is left over, and deleting it while nothing writes there."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.runtime.paths import WORK
from seedbed.verbs.gc.kept import Kept
from seedbed.verbs.gc.leftovers import LOGS, Leftover, keep_all, leftovers
from seedbed.verbs.show import human_size, table


def collect(workflow: Workflow, yes: bool, each: bool = False, logs: Path = LOGS) -> str:
    """List what no recipe wants, and with `yes` delete it.

    Args:
        yes: delete.
        each: a line for each folder, instead of one for all of an owner's that go for one reason.
        logs: folder of the engines' logs.

    Returns:
        the list and its sum, for a terminal.

    Raises:
        SeedbedError: a run holds an output, a recipe cannot be loaded, or the disk refuses.
    """
    refuse_held(workflow.results)
    kept = keep_all(workflow, logs)
    found = leftovers(workflow, kept, logs)
    text = leftovers_text(workflow, kept, found, yes, each)
    if yes:
        delete(found, [workflow.results, logs])
    return text


def refuse_held(results: Path) -> None:
    """Refuse while any run holds an output.

    Raises:
        SeedbedError: naming the output.
    """
    for path in sorted(results.glob(f"**/{WORK}/*.lock")):
        with _held(path):
            pass


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        who = lock.read_text().strip() or "unknown"
        output = lock.parent.parent
        raise SeedbedError(
            f"{output} ({lock.stem}) is being written by a run ({who}); wait for it, or stop it, then gc"
        ) from None
    finally:
        os.close(handle)


def delete(found: Sequence[Leftover], roots: Sequence[Path]) -> None:
    """Delete, holding the locks of each folder meanwhile, then the folders that became empty.

    Args:
        roots: folders that stay even when they are empty.

    Raises:
        SeedbedError: a run took one of the outputs, or the disk refuses; what was deleted before stays deleted.
    """
    for path in (path for leftover in found for path in leftover.paths):
        with ExitStack() as stack:
            for lock in _locks(path):
                stack.enter_context(_held(lock))
            with writing(path):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
                _prune(path.parent, roots)


def _locks(path: Path) -> list[Path]:
    if path.parent.name == WORK:
        return [path.parent / f"{path.name}.lock"]
    return sorted(path.glob(f"**/{WORK}/*.lock")) if path.is_dir() else []


def _prune(folder: Path, roots: Sequence[Path]) -> None:
    while folder not in roots and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def leftovers_text(
    workflow: Workflow, kept: Mapping[str, Kept], found: Sequence[Leftover], deleted: bool, each: bool = False
) -> str:
    """What is kept, in a sentence; what is not, in a table; the sum."""
    rngs = ", ".join(map(str, workflow.config.rngs))
    sweep = (
        f" and at the {len(workflow.config.thresholds)} of the sweep" if workflow.config.thresholds else ""
    )
    lines = [
        f"kept: what any recipe of recipes/ ({', '.join(workflow.book.names())}) makes at rng {rngs}, at its own "
        f"regions setting{sweep}, on "
        f"{', '.join(kept) or 'no data set'}"
    ]
    for dataset, stays in kept.items():
        lines += [f"kept whole: {dataset}/{owner}, for {why}" for owner, why in stays.held.items()]
    if not found:
        return "\n".join([*lines, "nothing to delete"])
    groups: dict[tuple[str, ...], list[Leftover]] = {}
    for one in found:
        place = one.where if each else one.where.parts[: len(workflow.results.parts) + 2]
        groups.setdefault((one.what, one.why, str(place)), []).append(one)
    rows = [
        (
            group[0].what,
            _items(group),
            human_size(sum(one.size for one in group)),
            _where(group),
            group[0].why,
        )
        for group in groups.values()
    ]
    total = human_size(sum(one.size for one in found))
    ending = f"{total} deleted" if deleted else f"{total} to delete; `seedbed gc --yes` does it"
    return "\n".join([*lines, table(("WHAT", "ITEMS", "SIZE", "WHERE", "WHY"), rows), ending])


def _items(group: Sequence[Leftover]) -> str:
    return str(sum(1 if one.what == "data set" else len(one.paths) for one in group))


def _where(group: Sequence[Leftover]) -> str:
    return os.path.commonpath([str(one.where) for one in group])
