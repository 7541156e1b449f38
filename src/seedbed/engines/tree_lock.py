"""One engine per tree: neither Snakemake nor DVC honours the other's lock, and both delete outputs before they run.

Snakemake holds `results/.work/run.lock` while it runs, and `plan`, `dvc`, `resolve`, `sync-dvc` and `gc --yes` while
they write; DVC cannot, but notes the process of each running stage in `.dvc/tmp/rwlock`. The stage commands' own locks
catch what is left, and a command that a person started.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.regular_files import read_regular
from seedbed.runtime.locks import output_lock, refuse_locked

RUN = "run"
DVC_LOCK = Path(".dvc/tmp/rwlock")


def refuse_writers(workflow: Workflow) -> None:
    """Refuse to go on where another run writes to the results of this workflow; nothing on disk is touched.

    Raises:
        SeedbedError: naming what is being written, and by whom.
    """
    _refuse_locked([workflow.results, *workflow.output_folders()])


def refuse_dvc(workflow: Workflow, folder: Path = Path()) -> None:
    """Refuse to go on where DVC runs in a checkout (`resolve` cannot ask this: DVC runs it).

    Raises:
        SeedbedError: naming DVC's process.
    """
    for process in dvc_processes(folder / DVC_LOCK):
        raise SeedbedError(
            f"{workflow.results} is being written by DVC (pid {process}); wait for it, or stop it"
        )


def who_holds(workflow: Workflow) -> str:
    """Which other run writes to the results, in one line; empty if there is none. Nothing on disk is touched.

    Raises:
        SeedbedError: a mistake in params.yaml or a recipe.
    """
    folders = [workflow.results, *workflow.output_folders()]
    try:
        _refuse_locked(folders)
        refuse_dvc(workflow)
    except SeedbedError as error:
        return str(error)
    return ""


def refuse_unplanned(workflow: Workflow) -> None:
    """Refuse what was selected while another run writes, and whose slices therefore are not there yet.

    Raises:
        SeedbedError: names the first slice.
    """
    lacking = [path for path in workflow.slices() if not path.exists()]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise SeedbedError(
            f"another run writes to {workflow.results}, so what was selected since it began has no slices yet "
            f"({lacking[0]}{more}); wait for it, or stop it"
        )


def hold_tree(workflow: Workflow, folder: Path = Path(), by_dvc: bool = False) -> ExitStack:
    """Claim the results for one run of Snakemake, or for a command that writes slices or deletes.

    Args:
        folder: the checkout.
        by_dvc: called by a run of DVC, which otherwise counts as another run.

    Returns:
        what holds the claim, until it is closed or the process ends.

    Raises:
        SeedbedError: another run writes there.
    """
    refuse_writers(workflow)
    if not by_dvc:
        refuse_dvc(workflow, folder)
    stack = ExitStack()
    stack.enter_context(output_lock(workflow.results, RUN))
    return stack


@contextmanager
def hold_if_free(workflow: Workflow) -> Iterator[bool]:
    """Claim the results as long as the context lasts, if no other run writes there; the value says whether none does.

    Results of someone else, where no lock can be written, cannot be claimed: they are free if nothing holds them.

    Raises:
        SeedbedError: a mistake in params.yaml or a recipe.
    """
    is_free = not who_holds(workflow)
    with ExitStack() as stack:
        if is_free:
            try:
                stack.enter_context(hold_tree(workflow))
            except SeedbedError:
                is_free = not who_holds(workflow)
        yield is_free


def _refuse_locked(folders: Iterable[Path]) -> None:
    for folder in folders:
        refuse_locked(folder)


def dvc_processes(path: Path) -> Iterable[int]:
    """Living processes of DVC that its own lock file names as writers; none if the file is not as DVC writes it."""
    try:
        writers = json.loads(read_regular(path))["write"].values()
        commands = {int(writer["pid"]): str(writer.get("cmd", "")) for writer in writers}
    except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError):
        return []
    return [pid for pid, command in sorted(commands.items()) if pid > 0 and _runs(pid, command)]


def _runs(pid: int, command: str) -> bool:
    """Whether a process lives and is DVC's, which another one may be that got its number.

    Args:
        command: the words that DVC noted of itself, with blanks between them.
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").strip("\0").split("\0")
    except OSError:
        return True
    program, first, *_ = [Path(word).name for word in words[:2]] + ["", ""]
    is_dvc = program == "dvc" or (
        program.startswith("python") and (first == "dvc" or words[1:3] == ["-m", "dvc"])
    )
    return is_dvc or bool(command and " ".join(words).endswith(command))
