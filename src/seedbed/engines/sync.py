"""Handing DVC what Snakemake (or a person) made: `dvc commit` of every stage whose files are sound.

A bare `dvc commit -f` also accepts what is out of date; here each stage's files must have been made with its slice
from its inputs, and be unchanged since (`seedbed.engines.soundness`).
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seedbed.engines.dvc_yaml import stage_name
from seedbed.engines.resolve import resolve
from seedbed.engines.soundness import Examiner, State
from seedbed.errors import SeedbedError
from seedbed.plan.overrides import NOTHING, Overrides


@dataclass(frozen=True)
class Handover:
    """What was handed to DVC, and what was not.

    Attributes:
        committed: DVC stages.
        refused: reasons, by DVC stage.
        missing: DVC stages whose files have not been made yet, or only in part.
    """

    committed: tuple[str, ...]
    refused: Mapping[str, str]
    missing: tuple[str, ...]

    @classmethod
    def of(cls, states: Mapping[str, State]) -> "Handover":
        """From the states by unit."""
        named = {stage_name(unit): state for unit, state in states.items()}
        return cls(
            tuple(name for name, state in named.items() if state.status == "cached"),
            {name: state.why for name, state in named.items() if state.status == "stale"},
            tuple(name for name, state in named.items() if state.status in ("partial", "missing")),
        )

    def lines(self) -> list[str]:
        """For a terminal: refusals by name and reason, then the counts."""
        told = [f"refused {name}: {why}" for name, why in self.refused.items()]
        counts = f"{len(self.committed)} stages handed to DVC, {len(self.refused)} refused"
        return [*told, counts + (f", {len(self.missing)} not made yet" if self.missing else "")]


def sync(overrides: Overrides = NOTHING) -> Handover:
    """Hand DVC everything that is sound in the current checkout.

    Args:
        overrides: what a command line puts over params.yaml.

    Raises:
        SeedbedError: dvc.yaml is out of date, another run writes here, or DVC itself fails.
    """
    workflow, reports, _, data = resolve(overrides=overrides)
    states = Examiner(workflow.graph(), "hash", data).states(workflow.reports[name] for name in reports)
    handover = Handover.of(states)
    _commit(handover.committed)
    return handover


def _commit(names: tuple[str, ...]) -> None:
    if not names:
        return
    program = Path(sys.executable).with_name("dvc")
    done = subprocess.run(
        [str(program) if program.exists() else "dvc", "commit", "--force", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        told = _reason(done.stderr) or _reason(done.stdout) or "it gave no reason"
        raise SeedbedError(f"`dvc commit` failed (exit status {done.returncode}): {told}")


def _reason(told: str) -> str:
    """What DVC gives as the reason (with `--quiet` it gives none): its lines of errors, or else all that it says."""
    lines = [line.strip() for line in told.replace("\r", "\n").splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return "; ".join(errors or lines)
