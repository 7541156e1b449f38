"""The DVC stage `resolve`: write the slices that changed, leave the stamp on which every other stage depends.

It always runs and its only output is constant, so that the other stages follow their slices alone. (As outputs of DVC,
slices would get new times on any change, and Snakemake would run again what is not stale.)
"""

from pathlib import Path

from seedbed.artifacts.atomic import write_bytes
from seedbed.engines.dvc_yaml import RESOLVE, check_fresh, stamp
from seedbed.engines.tree_lock import refuse_company
from seedbed.plan.commands import Workflow
from seedbed.runtime.options import Log, guarded

CONTENT = b"The slices are written.\n"


def resolve(folder: Path = Path()) -> list[Path]:
    """Bring the slices of a checkout up to date.

    Returns:
        slices that were written.

    Raises:
        SeedbedError: dvc.yaml does not match params.yaml and the recipes, or another run writes here.
    """
    workflow = Workflow.read(folder)
    check_fresh(workflow, folder)
    refuse_company(workflow)
    written = workflow.write_slices()
    write_bytes(stamp(workflow), CONTENT)
    return written


def main() -> int:
    """Run the stage's command.

    Returns:
        exit status: 0, or 1 after one line on stderr.
    """

    def work(log: Log) -> None:
        for path in resolve():
            log.line(f"wrote {path}")

    return guarded(RESOLVE, None, work)
