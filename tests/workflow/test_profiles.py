"""The profiles name what is there: classes of resources, the prefix of job names; retries stand in a profile alone."""

import re
from pathlib import Path
from typing import get_args

import yaml

from seedbed.engines.resume import JOB_PREFIX
from seedbed.runtime.contract import ResourceClass

ROOT = Path(__file__).resolve().parents[2]
RULES = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
SLURM = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())


def test_the_classes_are_those_of_stages() -> None:
    text = (ROOT / "rules" / "resources.smk").read_text()
    assert re.findall(r'^    "(\w+)": \[', text, re.MULTILINE) == list(get_args(ResourceClass))


def test_the_slurm_profile_names_the_classes_and_no_rule() -> None:
    assert list(SLURM["set-resources"]) == list(get_args(ResourceClass))


def test_memory_and_time_grow_with_the_attempt() -> None:
    for name, resources in SLURM["set-resources"].items():
        assert all(str(resources[key]).endswith("* attempt") for key in ("mem_mb", "runtime")), name


def test_retries_stand_in_the_profile_and_in_no_rule() -> None:
    assert SLURM["retries"] >= 1
    assert not re.search(r"^\s*retries:", RULES, re.MULTILINE)


def test_resume_looks_for_the_profiles_job_names() -> None:
    assert SLURM["slurm-jobname-prefix"] == JOB_PREFIX


def test_the_default_profile_limits_gpu_jobs() -> None:
    """Where no limit is given, Snakemake takes the resource for unlimited."""
    assert (
        yaml.safe_load((ROOT / "profiles" / "default" / "config.yaml").read_text())["resources"]["gpu"] == 1
    )
