"""The DVC stage `resolve`: write the slices that changed, leave the stamp on which every other stage depends.

It always runs and its only output is constant, so the other stages depend only on their slices. (As outputs of DVC,
slices would get new modification times on any change, and Snakemake would run again what is not stale.)
"""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seedbed.artifacts.atomic import write_if_changed
from seedbed.engines.data_state import DataState, look
from seedbed.engines.dvc_yaml import RESOLVE, check_fresh, stamp
from seedbed.engines.tree_lock import hold_tree
from seedbed.plan.commands import Workflow
from seedbed.plan.overrides import NOTHING, Overrides
from seedbed.runtime.log import Log, guarded

CONTENT = b"The slices are written.\n"


class Resolved(NamedTuple):
    """A checkout whose slices are up to date.

    Attributes:
        reports: those that dvc.yaml has: `all`, or `all` and `sweep`.
        written: slices that changed.
        data: what was seen of the data set.
    """

    workflow: Workflow
    reports: tuple[str, ...]
    written: list[Path]
    data: DataState


def resolve(folder: Path = Path(), by_dvc: bool = False, overrides: Overrides = NOTHING) -> Resolved:
    """Bring the slices of a checkout up to date.

    Args:
        overrides: what a command line puts over params.yaml.
        by_dvc: called by a run of DVC, which otherwise counts as another run.

    Raises:
        SeedbedError: dvc.yaml does not match params.yaml and the recipes, or another run writes here.
    """
    workflow = Workflow.read(folder, overrides)
    reports = check_fresh(workflow, folder)
    with hold_tree(workflow, folder, by_dvc):
        written, data = write_slices(workflow, whole=by_dvc)
    return Resolved(workflow, reports, written, data)


def write_slices(workflow: Workflow, whole: bool = False) -> tuple[list[Path], DataState]:
    """Write the slices that changed, what the data set holds, and the stamp.

    Args:
        whole: read the data set even if it has no index yet.

    Returns:
        The slices that were written, and what was seen of the data set.
    """
    written = workflow.write_slices()
    data = look(workflow.graph(), write=True, whole=whole)
    write_if_changed(stamp(workflow), CONTENT)
    return written, data


def main(arguments: Sequence[str]) -> int:
    """Run the stage's command, which has no options but `--help`.

    Returns:
        Exit status: 0, or 1 after one line on stderr.
    """
    parser = ArgumentParser(
        description="Write the parameter slices that changed: the first stage of `dvc repro`."
    )
    parser.parse_args(arguments)

    def work(log: Log) -> None:
        resolved = resolve(by_dvc=True)
        for line in (*(f"wrote {path}" for path in resolved.written), *resolved.data.notes):
            log.line(line)

    return guarded(RESOLVE, None, work)
