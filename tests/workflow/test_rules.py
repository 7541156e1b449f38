"""What Snakemake makes of the rules: the plan's commands, and what each job costs by its class."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.plan.commands import Workflow
from workflow.engine_checkout import REPOSITORY, TINY, two_shards

# The profile as Snakemake reads it; the SLURM executor itself is not needed.
JOBS = """
import json, sys
from pathlib import Path
from snakemake.api import DAGSettings, ResourceSettings, SnakemakeApi
from snakemake.cli import parse_set_resources
from snakemake.profiles import ProfileConfigFileParser
from snakemake.resources import Resources

with open(sys.argv[1]) as stream:
    profile = ProfileConfigFileParser().parse(stream)
given = parse_set_resources([*profile.get("set-resources", []), *sys.argv[2:]])
default = Resources.parse(profile.get("default-resources", []), allow_expressions=True)

def costs(job, attempt):
    job.attempt = attempt
    job.reset_params_and_resources()
    return {name: job.resources.get(name) for name in ("gpu", "mem_mb", "runtime", "gpu_model", "slurm_partition")}

with SnakemakeApi() as api:
    settings = ResourceSettings(cores=4, overwrite_resources=given, default_resources=default)
    workflow = api.workflow(settings, snakefile=Path("Snakefile"))
    workflow.dag(DAGSettings(targets={"all", "sweep"})).printd3dag()
    local = workflow._workflow._localrules
    jobs = [
        {
            "rule": j.rule.name,
            "command": j.shellcmd,
            "local": j.rule.name in local,
            "threads": j.threads,
            "costs": [costs(j, 1), costs(j, 2)],
        }
        for j in workflow._workflow.dag.jobs if not j.is_norun
    ]
Path("jobs.json").write_text(json.dumps(jobs))
"""


THREADS = {"train_classifier": 2, "dump_cams": 3}
"""Stages that are given more than one thread."""


@dataclass(frozen=True)
class Planned:
    """Snakemake's jobs in a folder."""

    folder: Path
    jobs: list[dict[str, Any]]

    def costs(self, rule: str, attempt: int = 1) -> dict[str, Any]:
        """What a job of the rule asks for; equal for all of them."""
        found = [job["costs"][attempt - 1] for job in self.jobs if job["rule"] == rule]
        assert found.count(found[0]) == len(found)
        return {name: value for name, value in found[0].items() if value is not None}


def planned(folder: Path, profile: str, *set_resources: str) -> Planned:
    """Two recipes, of which one has an input of its method alone, in two shards, with a sweep."""
    for name in ("rules", "recipes", "report", "envs", "profiles"):
        shutil.copytree(REPOSITORY / name, folder / name)
    shutil.copy(REPOSITORY / "Snakefile", folder)
    params = two_shards(TINY) | {
        "recipes": ["psa", "occse"],
        "thresholds": ["bg0.10-fg0.40", "bg0.20-fg0.60"],
    }
    settings = params["settings"]["composites"]
    for stage, threads in THREADS.items():
        settings[stage] = settings.get(stage, {}) | {"torch_threads": threads}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    done = subprocess.run(
        [sys.executable, "-c", JOBS, f"profiles/{profile}/config.yaml", *set_resources],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Planned(folder, json.loads((folder / "jobs.json").read_text()))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    return planned(tmp_path_factory.mktemp("here"), "default")


@pytest.fixture(scope="module")
def on_slurm(tmp_path_factory: pytest.TempPathFactory) -> Planned:
    """With more than the profile says of one class, and of one rule of another."""
    more = ("training:gpu_model=a100", "pixels:slurm_partition=cpu", "train_segmenter:mem_mb=64000")
    return planned(tmp_path_factory.mktemp("on_slurm"), "slurm", *more)


def test_commands_are_those_of_the_plan(here: Planned) -> None:
    workflow = Workflow.read(here.folder)
    commands = [shlex.split(job["command"]) for job in here.jobs]
    assert all(words[-2] == "--log" for words in commands)
    without_log = [tuple(words[:-2]) for words in commands]
    assert sorted(without_log) == sorted(c.words for c in workflow.commands(("all", "sweep"), by_shard=True))


def test_logs_are_those_of_the_plan(here: Planned) -> None:
    workflow = Workflow.read(here.folder)
    logs = sorted(shlex.split(job["command"])[-1] for job in here.jobs)
    assert logs == sorted(f"logs/{c.log}.log" for c in workflow.commands(("all", "sweep"), by_shard=True))


def test_whatever_a_rule_puts_into_a_shell_is_quoted() -> None:
    """The script is a name of ours, and `options_of` quotes the inputs itself."""
    text = "".join(path.read_text() for path in (REPOSITORY / "rules").glob("*.smk"))
    shells = re.findall(r"^    shell:\n((?:^        .*\n)+)", text, re.MULTILINE)
    fields = set(re.findall(r"\{([^}]*)\}", "".join(shells)))
    assert {field for field in fields if not field.endswith(":q")} == {"params.script", "params.inputs"}
    assert len(shells) == 2


GPU, NO_GPU = {"gpu": 1, "mem_mb": 8000}, {"gpu": 0, "mem_mb": 3000}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("train_affinitynet", GPU | {"runtime": 1440}),
        ("random_walk", GPU | {"runtime": 240}),
        ("pseudo_masks", NO_GPU | {"runtime": 120}),
        ("judge", NO_GPU | {"runtime": 60}),
        ("prepare_dataset", NO_GPU | {"runtime": 60}),
        ("prepare_masks", NO_GPU | {"runtime": 60}),
        ("gather", NO_GPU | {"runtime": 60}),
    ],
)
def test_a_job_costs_what_its_class_says(here: Planned, rule: str, expected: dict[str, int]) -> None:
    assert here.costs(rule) == expected
    assert here.costs(rule, attempt=2) == expected | {"mem_mb": 2 * expected["mem_mb"]}


@pytest.mark.parametrize("rule", ["train_classifier", "train_affinitynet"])
def test_a_profile_speaks_for_all_rules_of_a_class(on_slurm: Planned, rule: str) -> None:
    assert on_slurm.costs(rule) == {"gpu": 1, "mem_mb": 16000, "runtime": 1440, "gpu_model": "a100"}
    assert on_slurm.costs(rule, attempt=2) == {
        "gpu": 1,
        "mem_mb": 32000,
        "runtime": 2880,
        "gpu_model": "a100",
    }


def test_what_a_profile_says_of_a_rule_wins_over_its_class(on_slurm: Planned) -> None:
    assert on_slurm.costs("train_segmenter") == {
        "gpu": 1,
        "mem_mb": 64000,
        "runtime": 1440,
        "gpu_model": "a100",
    }


def test_one_class_of_a_profile_says_nothing_of_another(on_slurm: Planned) -> None:
    assert on_slurm.costs("pseudo_masks")["slurm_partition"] == "cpu"
    assert on_slurm.costs("judge") == NO_GPU | {"runtime": 60}


def test_a_job_takes_as_many_cores_as_its_stage_has_threads(here: Planned) -> None:
    threads = {(job["rule"], job["threads"]) for job in here.jobs}
    assert {(rule, count) for rule, count in threads if count > 1} == set(THREADS.items())
    assert {("train_segmenter", 1), ("pseudo_masks", 1), ("judge", 1), ("gather", 1)} <= threads


def test_gathering_is_done_where_snakemake_runs(here: Planned) -> None:
    """Merging a few small files is no job for a queue."""
    assert {job["rule"] for job in here.jobs if job["local"]} == {"gather"}
