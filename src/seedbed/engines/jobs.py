"""The jobs that are left, counted as Snakemake counts them: one per shard, one that gathers, one per judge's file.

A job is due if what it made is not what it would make now, or if it reads a file of another job that is due.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from seedbed.engines.mtimes import steps
from seedbed.engines.soundness import Examiner
from seedbed.plan.commands import Command, Workflow


def jobs_left(workflow: Workflow, reports: Sequence[str], examiner: Examiner) -> list[Command]:
    """The commands that a run would call, in an order that runs.

    Args:
        reports: `all`, `sweep`.
    """
    asked = {command.unit for name in reports for command in workflow.commands((name,), by_shard=True)}
    due: list[Command] = []
    pending: set[Path] = set()
    for command, state in steps(workflow, examiner):
        if command.unit in asked and (
            not pending.isdisjoint(command.reads) or state().status != "cached" or _is_partly_gone(command)
        ):
            due.append(command)
            pending.update(command.writes)
    return due


def _is_partly_gone(command: Command) -> bool:
    return not all(path.exists() for path in command.writes)


def counted_by_rule(jobs: Iterable[Command], reports: Sequence[str]) -> dict[str, int]:
    """Jobs by rule, with the targets and the `total`, as the table of `snakemake -n`; empty if nothing is left."""
    rules = Counter(Path(command.words[1]).stem for command in jobs)
    if not rules:
        return {}
    rules |= Counter(reports)
    return dict(sorted(rules.items())) | {"total": rules.total()}
