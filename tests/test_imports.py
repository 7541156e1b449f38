"""What plans, judges and reports is quick: it imports neither torch nor timm. Every stage has its script and rule."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seedbed.plan.commands import ALL_STAGES, JUDGE_STAGES
from seedbed.runtime.contract import Stage
from seedbed.stages.registry import STAGES

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src"
HEAVY = ("seedbed.methods.guards", "seedbed.methods.trained")
"""What a method imports inside its class, and what stages import when they run."""
LIGHT_PACKAGES = ("artifacts", "datasets", "engines", "methods", "plan", "report", "stages")
LIGHT = [
    "seedbed.cli",
    "seedbed.metrics.segmentation",
    "seedbed.metrics.threshold_tables",
    "seedbed.recipes",
    "seedbed.runtime.gather",
    "seedbed.runtime.judging",
    "seedbed.runtime.options",
    "seedbed.runtime.run",
    "seedbed.training.parameters",
    "seedbed.verbs.doctor",
    "seedbed.verbs.show",
]
TRAINING = [name for name, stage in STAGES.items() if stage.resources == "training"]


def modules(package: str) -> list[str]:
    """Names of a package's modules, those of its packages too."""
    files = sorted((SOURCES / "seedbed" / package).rglob("*.py"))
    parts = [file.relative_to(SOURCES).with_suffix("").parts for file in files]
    return [".".join(part).removesuffix(".__init__") for part in parts]


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('loaded', *sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded ")[2].split())


def heavy(loaded: set[str]) -> set[str]:
    return loaded & {
        "torch",
        "torchvision",
        "timm",
        "segmentation_models_pytorch",
        "lightning_fabric",
        "snakemake",
    }


def test_light_modules_import_no_torch() -> None:
    """All in one process; where that fails, the message names the first culprit."""
    names = [*LIGHT, *(name for package in LIGHT_PACKAGES for name in modules(package))]
    names = [name for name in names if name not in HEAVY]
    watch = "import sys\n" + "\n".join(
        f"import {name}\nassert not {{'torch', 'timm', 'torchvision'}} & set(sys.modules), {name!r}"
        for name in sorted(names)
    )
    assert heavy(loaded_by(watch)) == set()


def test_planning_imports_no_torch() -> None:
    plan = (
        "from seedbed.plan.commands import Workflow\nw = Workflow.read()\nassert w.commands(tuple(w.reports))"
    )
    assert heavy(loaded_by(plan)) == set()


@pytest.mark.parametrize("name", sorted(ALL_STAGES.keys() - JUDGE_STAGES.keys()))
def test_every_stage_has_a_script(name: str) -> None:
    text = (ROOT / "workflow_scripts" / f"{name}.py").read_text()
    assert re.search(r"^    run_script\(main, STAGE\b", text, re.MULTILINE)
    assert len(text.splitlines()) <= 13


def test_every_script_is_a_stage_or_judge_or_gather_or_resolve() -> None:
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")}
    assert scripts == (ALL_STAGES.keys() - JUDGE_STAGES.keys()) | {"judge", "gather", "resolve"}


def rules(*paths: Path) -> dict[str, str]:
    """Text of each rule of the files by its name, from the line that names it."""
    found: dict[str, str] = {}
    for path in paths:
        starts = r"^(?=(?:use )?rule .*:$)"
        for text in re.split(starts, path.read_text(), flags=re.MULTILINE)[1:]:
            named = re.match(r"(?:use rule \w+ as|rule) (\w+)", text)
            assert named, text
            found[named[1]] = text.rstrip()
    return found


BASE = ROOT / "rules/base.smk"
RULES = rules(*(path for path in (ROOT / "rules").glob("*.smk") if path != BASE))


def test_every_rule_is_a_stage_or_judge_or_gather() -> None:
    assert RULES.keys() == (ALL_STAGES.keys() - JUDGE_STAGES.keys()) | {"judge", "gather"}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_short_and_inherits(name: str) -> None:
    lines = RULES[name].splitlines()
    assert len(lines) <= 15
    assert re.fullmatch(rf"use rule (whole|sharded) as {name} with:", lines[0])


def test_every_rule_has_a_docstring() -> None:
    """`snakemake --list` shows it."""
    for name, text in (RULES | rules(BASE, ROOT / "Snakefile")).items():
        assert re.fullmatch(r'    """\w.*\."""', text.splitlines()[1]), name


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda s: s.name)
def test_a_rule_declares_the_files_of_its_stage(stage: Stage) -> None:
    rule = RULES[stage.name]
    assert f'nodes_of("{stage.name}")' in rule
    assert rule.startswith("use rule sharded " if stage.sharded else "use rule whole ")
    shard = (f"{{shard}}{stage.suffix}", "{shard}.json")
    files = shard if stage.sharded else ("manifest.json", *stage.files)
    assert sorted(re.findall(r'=in_node\("(.+)"\),', rule)) == sorted(files)


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda s: s.name)
def test_a_rule_names_the_inputs_of_its_stage(stage: Stage) -> None:
    """But those of training, which methods of installed packages add to."""
    named = re.findall(r'        (\w+)=files_of\("(\w+)"\),', RULES[stage.name])
    if stage.name in TRAINING:
        assert "        unpack(inputs_of)," in RULES[stage.name]
        assert named == []
    else:
        assert named == [(name, name) for name in stage.inputs]
