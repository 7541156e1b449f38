"""dvc.yaml: one DVC stage for each command of the workflow, with the files that it reads and declares.

Everything is written out: `dvc.yaml` says for the committed params.yaml and recipes what runs. Where it no longer
matches them, the stage `resolve` stops with one line.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from seedbed.artifacts.atomic import write_if_changed
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Command, Workflow
from seedbed.plan.judges import SCORES, THRESHOLDS
from seedbed.runtime.paths import PARAMS
from seedbed.stages.registry import COMMANDS

FILE = "dvc.yaml"
RESOLVE = "resolve"
STAMP = "resolved"
RECIPES = "recipes"
HISTORY = "history.csv"

HEAD = """\
# Written by `seedbed dvc` from params.yaml and recipes/; do not edit. `dvc repro` runs what is out of date.
# A stage reads its slice of the parameters (results/.params/…), which `resolve` writes where it changed.
# Without git: `dvc config --local core.no_scm true`.
"""


def stamp(workflow: Workflow) -> Path:
    """The constant file that `resolve` leaves and on which every other stage depends."""
    return workflow.results / PARAMS / STAMP


def stage_name(unit: str) -> str:
    """A command's unit as a DVC stage name, which may hold letters, digits, dashes and underscores only.

    `composites/psa/rng0/bg0.10-fg0.40/cams/train-0` is `composites--psa--rng0--bg0_10-fg0_40--cams--train-0`.
    """
    return unit.replace("/", "--").replace(".", "_")


def stages(workflow: Workflow) -> dict[str, Command]:
    """Every command of both reports by the name of its DVC stage, in an order that runs.

    Raises:
        SeedbedError: two units would have one name.
    """
    found: dict[str, Command] = {}
    for command in workflow.commands(tuple(workflow.reports)):
        other = found.setdefault(stage_name(command.unit), command)
        if other is not command:
            raise SeedbedError(
                f"{other.unit} and {command.unit} would be one DVC stage, {stage_name(command.unit)}; "
                "rename a recipe or a node"
            )
    return found


def pipeline(workflow: Workflow) -> dict[str, Any]:
    """The contents of dvc.yaml."""
    mark = str(stamp(workflow))
    resolve = {
        "cmd": f"python workflow_scripts/{RESOLVE}.py",
        "deps": [RECIPES],
        "params": [{"params.yaml": None}],
        "outs": [{mark: {"cache": False}}],
        "always_changed": True,
    }
    made = {name: _stage(command, mark) for name, command in stages(workflow).items()}
    return {"stages": {RESOLVE: resolve} | made}


def _stage(command: Command, mark: str) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "cmd": shlex.join(command.words),
        "deps": [mark, *dict.fromkeys(map(str, command.reads))],
    }
    judged = [str(path) for path in command.writes if path.parent.name in (SCORES, THRESHOLDS)]
    histories = [str(path) for path in command.writes if path.name == HISTORY]
    outs = [str(path) for path in command.writes if str(path) not in (*judged, *histories)]
    if outs:
        stage["outs"] = outs
    if judged:
        stage["metrics"] = judged
    if histories:
        player = COMMANDS[Path(command.words[1]).stem].kind
        stage["plots"] = [{path: {"x": "step", "y": f"{player}/loss"}} for path in histories]
    return stage


class _Plain(yaml.SafeDumper):
    """Lists indented below their key, no aliases."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(workflow: Workflow) -> str:
    """dvc.yaml as it should stand in the checkout."""
    return HEAD + yaml.dump(
        pipeline(workflow), Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True
    )


def write(workflow: Workflow, folder: Path = Path()) -> bool:
    """Write dvc.yaml unless it is up to date.

    Returns:
        whether it was written.
    """
    return write_if_changed(folder / FILE, text(workflow).encode())


def check_fresh(workflow: Workflow, folder: Path = Path()) -> None:
    """Refuse a dvc.yaml that says something else than params.yaml and the recipes.

    Raises:
        SeedbedError: in one line, with the stages that are too many or too few.
    """
    try:
        found = yaml.safe_load((folder / FILE).read_text())
    except FileNotFoundError:
        raise SeedbedError(f"there is no {FILE} here; run `seedbed dvc`, which writes it") from None
    except yaml.YAMLError:
        found = None
    wanted = pipeline(workflow)
    if found == wanted:
        return
    have = found.get("stages", {}) if isinstance(found, dict) else {}
    lacking = [name for name in wanted["stages"] if name not in have]
    extra = [name for name in have if name not in wanted["stages"]]
    other = [name for name, stage in wanted["stages"].items() if name in have and have[name] != stage]
    parts = [
        _counted(names, what)
        for names, what in ((lacking, "lacks"), (extra, "has too many"), (other, "differs in"))
    ]
    told = "; ".join(part for part in parts if part) or "it holds more than stages"
    raise SeedbedError(
        f"{FILE} does not match params.yaml and {RECIPES}/ ({told}): run `seedbed dvc`, then again"
    )


def _counted(names: Sequence[str], what: str) -> str:
    return f"{what} {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "") if names else ""
