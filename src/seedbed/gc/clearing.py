"""Listing what is left over, and deleting it while nothing writes there."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seedbed.artifacts.atomic import writing
from seedbed.errors import SeedbedError
from seedbed.gc.kept import Kept
from seedbed.gc.leftovers import LOGS, Leftover, keep_all, leftovers
from seedbed.plan.show import human_size, table
from seedbed.plan.workflow import Workflow
from seedbed.stages.naming import WORK


def collect(workflow: Workflow, yes: bool, logs: Path = LOGS) -> str:
    """List what no recipe wants, and with `yes` delete it.

    Returns:
        the list and its sum, for a terminal.

    Raises:
        SeedbedError: a run holds an output, a recipe cannot be loaded, or the disk refuses.
    """
    refuse_held(workflow.results)
    kept = keep_all(workflow, logs)
    found = leftovers(workflow, kept, logs)
    text = leftovers_text(workflow, kept, found, yes)
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
    workflow: Workflow, kept: Mapping[str, Kept], found: Sequence[Leftover], deleted: bool
) -> str:
    """What is kept, in a sentence; what is not, in a table; the sum."""
    rngs = ", ".join(map(str, workflow.config.rngs))
    lines = [
        f"kept: what any recipe of recipes/ ({', '.join(workflow.book.names())}) makes at rng {rngs}, at its own "
        f"regions setting and at {len(workflow.config.thresholds)} thresholds of params.yaml, on "
        f"{', '.join(kept) or 'no data set'}"
    ]
    for dataset, one in kept.items():
        lines += [f"kept whole: {dataset}/{owner}, for {why}" for owner, why in one.held.items()]
    if not found:
        return "\n".join([*lines, "nothing to delete"])
    rows = [(one.what, human_size(one.size), _shown(one), one.why) for one in found]
    total = human_size(sum(one.size for one in found))
    ending = f"{total} deleted" if deleted else f"{total} to delete; `seedbed gc --yes` does it"
    return "\n".join([*lines, table(("WHAT", "SIZE", "WHERE", "WHY"), rows), ending])


def _shown(one: Leftover) -> str:
    files = len(one.paths)
    counted = one.what in ("scores", "slices", "logs", "temporary")
    return f"{one.where} ({files} file{'s' if files > 1 else ''})" if counted else str(one.where)
