"""dvc.yaml: one DVC stage per node, judgement, index and report, with the files that it reads and declares.

Everything is written out: `dvc.yaml` says what runs for the committed params.yaml and recipes. If it no longer
matches them, the stage `resolve` stops with one line. DVC runs one stage at a time, so shards would gain nothing:
a node's command makes all of them.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from seedbed.artifacts.atomic import write_if_changed
from seedbed.artifacts.models import HISTORY
from seedbed.errors import SeedbedError
from seedbed.plan.commands import ALL_STAGES, Command, Workflow
from seedbed.plan.reports import ALL, SWEEP
from seedbed.regular_files import read_regular
from seedbed.runtime.paths import PARAMS
from seedbed.stages.report import METRICS

FILE = "dvc.yaml"
RESOLVE = "resolve"
STAMP = "resolved"
RECIPES = "recipes"

HEAD = """\
# Written by `seedbed dvc` from params.yaml and recipes/; do not edit. `dvc repro` runs what is out of date.
# A stage reads its slice of the parameters (results/.params/…), which `resolve` writes if it changed.
# Without git: `dvc config --local core.no_scm true`.
"""


def stamp(workflow: Workflow) -> Path:
    """The constant file that `resolve` writes and on which every other stage depends."""
    return workflow.results / PARAMS / STAMP


def stage_name(unit: str) -> str:
    """A command's unit as a DVC stage name, which may contain only letters, digits, dashes and underscores.

    `composites/psa/rng0/bg0.10-fg0.40/cams` is `composites--psa--rng0--bg0_10-fg0_40--cams`.
    """
    return unit.replace("/", "--").replace(".", "_")


def reports_with(workflow: Workflow, sweep: bool) -> tuple[str, ...]:
    """The reports of a dvc.yaml with or without the sweep.

    Raises:
        SeedbedError: the sweep is requested, but params.yaml names no thresholds.
    """
    return (ALL, workflow.asked(SWEEP).name) if sweep else (ALL,)


def stages(workflow: Workflow, reports: Sequence[str]) -> dict[str, Command]:
    """Every command of the reports by the name of its DVC stage, in an order that runs.

    Raises:
        SeedbedError: two units would have the same name.
    """
    found: dict[str, Command] = {}
    for command in workflow.commands(tuple(reports)):
        other = found.setdefault(stage_name(command.unit), command)
        if other is not command:
            raise SeedbedError(
                f"{other.unit} and {command.unit} would be one DVC stage, {stage_name(command.unit)}; "
                "rename a recipe or a node"
            )
    return found


def pipeline(workflow: Workflow, reports: Sequence[str] = (ALL,)) -> dict[str, Any]:
    """The contents of dvc.yaml."""
    mark = str(stamp(workflow))
    resolve = {
        "cmd": f"python workflow_scripts/{RESOLVE}.py",
        "deps": [RECIPES],
        "params": [{"params.yaml": None}],
        "outs": [{mark: {"cache": False}}],
        "always_changed": True,
    }
    made = {name: _stage(command, mark) for name, command in stages(workflow, reports).items()}
    return {"stages": {RESOLVE: resolve} | made}


def _stage(command: Command, mark: str) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "cmd": shlex.join(command.words),
        "deps": [mark, *dict.fromkeys(map(str, command.reads))],
    }
    kinds: dict[str, list[Any]] = {"outs": [], "metrics": [], "plots": []}
    for path in command.writes:
        if path.name == METRICS:
            kinds["metrics"].append(str(path))
        elif path.name == HISTORY:
            made = ALL_STAGES[Path(command.words[1]).stem].makes
            kinds["plots"].append({str(path): {"x": "step", "y": f"{made}/loss"}})
        else:
            kinds["outs"].append(str(path))
    return stage | {kind: entries for kind, entries in kinds.items() if entries}


class _Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """No aliases: every path is written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(workflow: Workflow, reports: Sequence[str] = (ALL,)) -> str:
    """dvc.yaml as it should be in the checkout."""
    content = pipeline(workflow, reports)
    return HEAD + yaml.dump(content, Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True)


def write(workflow: Workflow, folder: Path = Path(), sweep: bool = False) -> bool:
    """Write dvc.yaml unless it is up to date.

    Returns:
        Whether it was written.

    Raises:
        SeedbedError: the sweep is requested, but params.yaml names no thresholds.
    """
    return write_if_changed(folder / FILE, text(workflow, reports_with(workflow, sweep)).encode())


def check_fresh(workflow: Workflow, folder: Path = Path()) -> tuple[str, ...]:
    """Refuse a dvc.yaml that does not match params.yaml and the recipes.

    Returns:
        The reports that it has: `all`, or `all` and `sweep`.

    Raises:
        SeedbedError: in one line, with the stages that it lacks, has too many or that differ.
    """
    try:
        found = yaml.load(read_regular(folder / FILE), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise SeedbedError(f"there is no {FILE} here; run `seedbed dvc`, which writes it") from None
    except (yaml.YAMLError, OSError, ValueError, RecursionError):
        found = None
    stages = found.get("stages") if isinstance(found, dict) else None
    have = stages if isinstance(stages, dict) else {}
    sweep = workflow.reports.get(SWEEP)
    reports = reports_with(workflow, sweep is not None and stage_name(sweep.key) in have)
    wanted = pipeline(workflow, reports)
    if found == wanted:
        return reports
    told = "; ".join(_differences(have, wanted["stages"])) or "it contains more than stages"
    command = "seedbed dvc" if reports == (ALL,) else "seedbed dvc --sweep"
    raise SeedbedError(
        f"{FILE} does not match params.yaml and {RECIPES}/ ({told}): run `{command}`, then again"
    )


def _differences(have: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    found = {
        "lacks": [name for name in wanted if name not in have],
        "has too many": [name for name in have if name not in wanted],
        "differs in": [name for name, stage in wanted.items() if name in have and have[name] != stage],
    }
    for what, names in found.items():
        if names:
            yield f"{what} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
