"""Whether the files of a command are what it would write now: made with its slice, from its inputs, unchanged since.

The files say it themselves: manifests, sidecars and scores hold the whole slice and the digests of their inputs;
manifests and sidecars also size and SHA-256 of every file. Neither engine's records are asked.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seedbed.artifacts.artifact import verify
from seedbed.artifacts.manifest import MANIFEST, merge_shards, read_manifest
from seedbed.errors import SeedbedError
from seedbed.plan.commands import (
    Command,
    Workflow,
    judgement_command,
    prepare_command,
    report_command,
    task_commands,
)
from seedbed.plan.judges import Judgement, Report, report_sources
from seedbed.plan.state import contents_of_masks, difference
from seedbed.plan.tasks import Task

Check = Callable[[], None]


@dataclass(frozen=True)
class Verdict:
    """What is known of the files of a command.

    Attributes:
        why: why they are not what the command would write now; empty where they are.
        missing: whether none of them is there, rather than some, or wrong ones.
    """

    command: Command
    why: str = ""
    missing: bool = False

    @property
    def sound(self) -> bool:
        return not self.why


class Examiner:
    """Judges the commands of a workflow.

    Args:
        workflow: what params.yaml asks for.
    """

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.graph = workflow.graph()

    def steps(self) -> Iterator[tuple[Command, Check]]:
        """Every command in an order that runs, and what raises where its files are not what it would write."""
        graph = self.graph
        yield (
            prepare_command(graph),
            partial(self._check, graph.index_folder / MANIFEST, graph.index_slice(), {}),
        )
        for task in self.workflow.tasks():
            commands = task_commands(graph, task)
            for shard, command in zip(task.shard_names, commands, strict=False):
                yield command, partial(self._check_task, task, task.shard_files(shard)[1])
            check = (
                self._check_gathered if task.stage.sharded else partial(self._check_task, path=task.manifest)
            )
            yield commands[-1], partial(check, task)
        for judgement in self.workflow.judgements():
            yield judgement_command(graph, judgement), partial(self._check_judgement, judgement)
        for report in self.workflow.reports.values():
            yield report_command(report), partial(self._check_report, report)

    def verdicts(self) -> Iterator[Verdict]:
        """A verdict on every command; reads all data once, to compare its SHA-256."""
        unsound: dict[Path, str] = {}
        for command, check in self.steps():
            judged = verdict(command, check, unsound)
            if not judged.sound:
                unsound |= dict.fromkeys(command.writes, command.unit)
            yield judged

    def _inputs(self, sources: Mapping[str, Task | None], judged: bool) -> dict[str, list[str]]:
        """Digests of the contents that lie there now, by input name; None among the sources stands for true masks."""
        found = {"index": [read_manifest(self.graph.index_folder / MANIFEST).content]}
        masks = contents_of_masks(self.graph)
        for name, source in sources.items():
            found[name] = masks if source is None else [read_manifest(source.manifest).content]
        return found | ({"masks": masks} if judged else {})

    def _check(self, path: Path, wanted: Mapping[str, Any], inputs: Mapping[str, list[str]]) -> None:
        manifest = read_manifest(path)
        _agree(manifest.parameters, wanted, manifest.inputs, inputs)
        for name, entry in manifest.files.items():
            verify(path.parent / name, entry)

    def _check_task(self, task: Task, path: Path) -> None:
        self._check(path, task.slice(), self._inputs(task.inputs, False))

    def _check_gathered(self, task: Task) -> None:
        sidecars = [task.shard_files(shard)[1] for shard in task.shard_names]
        merged = merge_shards({path.name: read_manifest(path) for path in sidecars})
        if merged.to_bytes() != task.manifest.read_bytes():
            raise SeedbedError(f"{MANIFEST} does not agree with the shards")

    def _check_judgement(self, judgement: Judgement) -> None:
        content = json.loads(judgement.path.read_bytes())
        _agree(
            content["parameters"], judgement.slice(), content["inputs"], self._inputs(judgement.sources, True)
        )

    def _check_report(self, report: Report) -> None:
        path = report.folder / MANIFEST
        self._check(path, report.slice(), self._inputs({}, True))
        if read_manifest(path).facts.get("sources") != report_sources(report.slice(), self.graph.results):
            raise SeedbedError("what the page shows changed since")


def verdict(command: Command, check: Check, unsound: Mapping[Path, str] = MappingProxyType({})) -> Verdict:
    """The verdict on one command.

    Args:
        check: raises where the files are not what the command would write.
        unsound: unit of the command that writes it, by each file known not to be sound.
    """
    lacking = [path.name for path in command.writes if not path.exists()]
    if lacking:
        every = len(lacking) == len(command.writes)
        return Verdict(command, "not made yet" if every else f"{lacking[0]} is missing", every)
    blocked = next((unsound[path] for path in command.reads if path in unsound), "")
    if blocked:
        return Verdict(command, f"input {blocked} is not up to date")
    try:
        check()
    except (SeedbedError, OSError, ValueError, KeyError) as error:
        return Verdict(command, " ".join(str(error).split()) or type(error).__name__)
    return Verdict(command)


def _agree(
    made: Mapping[str, Any],
    wanted: Mapping[str, Any],
    used: Mapping[str, list[str]],
    inputs: Mapping[str, list[str]],
) -> None:
    if why := difference(made, wanted):
        raise SeedbedError(why)
    changed = [name for name in sorted({*used, *inputs}) if used.get(name) != inputs.get(name)]
    if changed:
        raise SeedbedError(f"input {', '.join(changed)} changed")
