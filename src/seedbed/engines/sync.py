"""Handing DVC what Snakemake (or a person) made: `dvc commit` of every stage whose files are sound.

A bare `dvc commit -f` also certifies what is out of date; here each stage's files must have been made with its slice
from its inputs, and be unchanged since (`seedbed.engines.soundness`).
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from seedbed.engines.dvc_yaml import stage_name
from seedbed.engines.resolve import resolve
from seedbed.engines.soundness import Examiner, Verdict
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow


@dataclass(frozen=True)
class Handover:
    """What was handed to DVC, and what not."""

    committed: tuple[Verdict, ...]
    refused: tuple[Verdict, ...]
    missing: tuple[Verdict, ...]

    def lines(self) -> list[str]:
        """For a terminal: refusals by name and reason, then the counts."""
        told = [f"refused {stage_name(v.command.unit)}: {v.why}" for v in self.refused]
        counts = f"{len(self.committed)} stages handed to DVC, {len(self.refused)} refused"
        return [*told, counts + (f", {len(self.missing)} not made yet" if self.missing else "")]


def sync() -> Handover:
    """Hand DVC all that is sound in the checkout in which this runs.

    Raises:
        SeedbedError: dvc.yaml is out of date, another run writes here, or DVC itself fails.
    """
    resolve()
    found = list(Examiner(Workflow.read()).verdicts())
    handover = Handover(
        tuple(v for v in found if v.sound),
        tuple(v for v in found if not v.sound and not v.missing),
        tuple(v for v in found if v.missing),
    )
    _commit([stage_name(v.command.unit) for v in handover.committed])
    return handover


def _commit(names: list[str]) -> None:
    if not names:
        return
    program = Path(sys.executable).with_name("dvc")
    done = subprocess.run(
        [str(program) if program.exists() else "dvc", "commit", "--force", "--quiet", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        told = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise SeedbedError(f"`dvc commit` failed: {told}")
