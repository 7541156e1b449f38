"""What plans, judges and reports is quick: it imports neither torch nor timm. Every stage has its script and rule."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.runtime.contract import Stage
from seedbed.stages.registry import COMMANDS, STAGES

ROOT = Path(__file__).parents[1]
LIGHT = [
    "seedbed.artifacts.artifact",
    "seedbed.cli",
    "seedbed.datasets",
    "seedbed.datasets.index",
    "seedbed.methods.table",
    "seedbed.metrics.segmentation",
    "seedbed.metrics.threshold_tables",
    "seedbed.verbs.show",
    "seedbed.plan.commands",
    "seedbed.recipes",
    "seedbed.report",
    "seedbed.verbs.doctor",
    "seedbed.stages.evaluate",
    "seedbed.runtime.options",
    "seedbed.runtime.gather",
    "seedbed.stages.registry",
    "seedbed.stages.report",
    "seedbed.runtime.run",
    "seedbed.stages.threshold_quality",
    "seedbed.training.parameters",
]
REPORT = ROOT / "src/seedbed/report"
LIGHT += [f"seedbed.report.{path.stem}" for path in sorted(REPORT.glob("*.py")) if path.stem != "__init__"]


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('loaded', *sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded ")[2].split())


def heavy(modules: set[str]) -> set[str]:
    return modules & {
        "torch",
        "torchvision",
        "timm",
        "segmentation_models_pytorch",
        "lightning_fabric",
        "snakemake",
    }


def test_light_modules_import_no_torch() -> None:
    """All in one process; where that fails, the message names the first culprit."""
    modules = sorted(set(LIGHT))
    watch = "import sys\n" + "\n".join(
        f"import {name}\nassert not {{'torch', 'timm', 'torchvision'}} & set(sys.modules), {name!r}"
        for name in modules
    )
    assert heavy(loaded_by(watch)) == set()


def test_planning_imports_no_torch() -> None:
    plan = (
        "from seedbed.plan.commands import Workflow\nw = Workflow.read()\nassert w.commands(tuple(w.reports))"
    )
    assert heavy(loaded_by(plan)) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_stage_has_a_script(name: str) -> None:
    text = (ROOT / "workflow_scripts" / f"{name}.py").read_text()
    assert f'main("{name}")' in text
    assert len(text.splitlines()) <= 12


def test_every_script_is_a_stage_or_gather_or_resolve() -> None:
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")}
    assert scripts == {*COMMANDS, "gather", "resolve"}


def rules() -> dict[str, str]:
    """Text of each rule by its name."""
    found: dict[str, str] = {}
    for path in (ROOT / "rules").glob("*.smk"):
        parts = re.split(r"^rule (\w+):$", path.read_text(), flags=re.MULTILINE)
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return found


def test_every_rule_is_a_stage_or_gather() -> None:
    assert rules().keys() == {*COMMANDS, "gather"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_stage_has_a_rule_that_calls_its_script(name: str) -> None:
    rule = rules()[name]
    assert f"python workflow_scripts/{name}.py --params" in rule
    for key in COMMANDS[name].inputs:
        assert f"--{key.replace('_', '-')} " in rule
    for directive in ("log:", "benchmark:", "resources:", "message:"):
        assert f"    {directive}" in rule


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda s: s.name)
def test_a_rule_declares_the_files_of_its_stage(stage: Stage) -> None:
    rule = rules()[stage.name]
    assert f'nodes_of("{stage.name}")' in rule
    assert f"gpu={int(stage.unit == 'gpu')}," in rule
    if stage.sharded:
        assert f'{{shard}}{stage.suffix}"' in rule
        assert '{shard}.json"' in rule
    else:
        for name in ("manifest.json", *stage.files):
            assert f'{name}"' in rule
