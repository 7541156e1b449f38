"""The DVC stage `resolve`: write the slices that changed, leave the stamp on which every other stage depends.

It always runs and its only output is constant, so the other stages depend only on their slices. (As outputs of DVC,
slices would get new modification times on any change, and Snakemake would run again what is not stale.)
"""

from pathlib import Path
from typing import NamedTuple

from seedbed.artifacts.atomic import write_if_changed
from seedbed.engines.dvc_yaml import RESOLVE, check_fresh, stamp
from seedbed.engines.tree_lock import refuse_dvc, refuse_writers
from seedbed.plan.commands import Workflow
from seedbed.plan.overrides import NOTHING, Overrides
from seedbed.runtime.log import Log, guarded

CONTENT = b"The slices are written.\n"


class Resolved(NamedTuple):
    """A checkout whose slices are up to date.

    Attributes:
        reports: those that dvc.yaml has: `all`, or `all` and `sweep`.
        written: slices that changed.
    """

    workflow: Workflow
    reports: tuple[str, ...]
    written: list[Path]


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
    refuse_writers(workflow)
    if not by_dvc:
        refuse_dvc(workflow, folder)
    return Resolved(workflow, reports, write_slices(workflow))


def write_slices(workflow: Workflow) -> list[Path]:
    """Write the slices that changed, and the stamp.

    Returns:
        The slices that were written.
    """
    written = workflow.write_slices()
    write_if_changed(stamp(workflow), CONTENT)
    return written


def main() -> int:
    """Run the stage's command.

    Returns:
        Exit status: 0, or 1 after one line on stderr.
    """

    def work(log: Log) -> None:
        for path in resolve(by_dvc=True).written:
            log.line(f"wrote {path}")

    return guarded(RESOLVE, None, work)
