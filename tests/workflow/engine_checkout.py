"""A small checkout of this repository in which tests run both engines: tiny images, one epoch, counted stage calls."""

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.models import MODEL, read_state
from seedbed.plan.commands import Command
from seedbed.runtime.paths import PARAMS, RUNS, WORK
from stages_in_process import run_command

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = (
    *("Snakefile", "rules", "report", "envs", "recipes", "workflow_scripts"),
    *(".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore"),
)

SCRIPTS = str(Path(sys.executable).parent)
JOBS_ENVIRONMENT = {
    "PYTHONPATH": str(REPOSITORY / "src"),
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
}

TRAINING = {"epochs": 1, "batch_size": 4, "augmentation": {"resize_long": [64, 72], "crop": 64}}
TINY: dict[str, Any] = {
    "dataset": "composites",
    "recipes": ["psa"],
    "rngs": [0],
    "datasets": {
        "composites": {
            "kind": "composites",
            "splits": {"train": {}, "val": {}},
            "with": {"images": {"train": 8, "val": 4}, "size": 64},
        }
    },
    "settings": {
        "composites": {
            "train_classifier": TRAINING,
            "train_affinitynet": TRAINING,
            "train_segmenter": TRAINING,
            "dump_cams": {"scales": [1.0]},
        }
    },
}
"""Contents of params.yaml for a chain that costs seconds."""


def photographs(test_data: Path, recipes: list[str], classifier: dict[str, Any]) -> dict[str, Any]:
    """Contents of params.yaml for voc-animals-tiny; all that is trained but the classifier costs seconds."""
    return {
        "dataset": "animals",
        "recipes": recipes,
        "rngs": [0],
        "datasets": {
            "animals": {
                "kind": "voc",
                "root": str(test_data / "voc-animals-tiny"),
                "splits": {"train": {}, "val": {}},
                "with": {"labels": "csv"},
            }
        },
        "settings": {
            "animals": {
                "train_classifier": classifier,
                "train_affinitynet": TRAINING,
                "train_segmenter": TRAINING,
                "dump_cams": {"scales": [1.0]},
            }
        },
    }


# psa up to the confident regions: everything whose change costs little.
CUT = """\
extends: psa
nodes:
  affinitynet: null
  refined_cams: null
  pseudo_masks: null
  segmenter: null
  predictions: null
"""


@dataclass
class Checkout:
    """A checkout at `folder`, whose engines find `python` in the folder `warm` if there is one."""

    folder: Path
    warm: Path | None = None

    @classmethod
    def make(
        cls,
        folder: Path,
        params: dict[str, Any],
        git: bool = True,
        recipes: Mapping[str, str] | None = None,
        warm: Path | None = None,
    ) -> "Checkout":
        """Copy what the workflow needs, write params.yaml and dvc.yaml (with the sweep if there are thresholds).

        Args:
            recipes: more recipes, the text of each by name.
            warm: folder of a `python` that starts jobs quickly (fixture `warm_python`).
        """
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source, target = REPOSITORY / part, folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        checkout = cls(folder, warm)
        for name, text in {"cut": CUT, **(recipes or {})}.items():
            (folder / "recipes" / f"{name}.yaml").write_text(text)
        checkout.write_params(params)
        checkout.seedbed("dvc", *(["--sweep"] if params.get("thresholds") else []))
        if git:
            checkout.run("git", "init", "-q", "-b", "main")
            checkout.commit("Start")
        else:
            checkout.run("dvc", "config", "--local", "core.no_scm", "true")
        return checkout

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def _calls(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.calls")

    @property
    def environment(self) -> dict[str, str]:
        """As `make` sets it up, with this repository's package, and nothing of this machine's DVC."""
        mine = JOBS_ENVIRONMENT | {
            "PATH": ":".join([*([str(self.warm)] if self.warm else []), SCRIPTS, os.environ["PATH"]]),
            "SEEDBED_CALLS": str(self._calls),
            "DVC_NO_ANALYTICS": "1",
            "DVC_SITE_CACHE_DIR": str(self.folder / ".dvc" / "tmp" / "site"),
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": "test@localhost",
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@localhost",
        }
        return os.environ | mine

    def run(self, *words: str, status: int | None = 0, timeout_s: float = 900) -> str:
        """Output of a command (stdout, then stderr), whose exit status must be `status` (None: any)."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        told = done.stdout + done.stderr
        assert status is None or done.returncode == status, f"{' '.join(words)}: {done.returncode}\n{told}"
        return told

    def seedbed(self, *words: str, status: int | None = 0) -> str:
        """Output of a `seedbed` command."""
        return self.run(sys.executable, "-c", "from seedbed.cli import main; main()", *words, status=status)

    def snakemake(self, *words: str, status: int | None = 0) -> list[str]:
        """Stage commands that Snakemake ran, on one core unless the words say otherwise."""
        self.run("snakemake", "--cores", "1", *words, "--quiet", "all", status=status)
        return self.calls()

    def repro(self, *words: str, status: int | None = 0) -> list[str]:
        """Stage commands that DVC ran."""
        self.run("dvc", "repro", "--quiet", *words, status=status)
        return self.calls()

    def pasted(self) -> list[str]:
        """Stage commands of `seedbed plan --shell`, run line by line in this process, which starts torch once."""
        first, *lines = self.seedbed("plan", "--shell").splitlines()
        assert first == "set -e"
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("SEEDBED_CALLS", str(self._calls))
            for line in lines:
                run_command(Command("", "", tuple(shlex.split(line)), (), ()))
        return self.calls()

    def calls(self) -> list[str]:
        """Stage commands since the last look, each `stage output [shard]` with paths below the data set."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return [line.replace("results/composites/", "") for line in lines]

    def clone(self, folder: Path) -> "Checkout":
        """A fresh clone, with this checkout's DVC cache as its own."""
        self.run("git", "clone", "-q", str(self.folder), str(folder))
        clone = Checkout(folder, self.warm)
        clone.run("dvc", "config", "--local", "cache.dir", str(self.folder / ".dvc" / "cache"))
        return clone

    def commit(self, message: str) -> None:
        """Commit all that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)

    def write_params(self, params: dict[str, Any]) -> None:
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))

    def nodes(self) -> dict[str, dict[str, Artifact]]:
        """Artifacts of random seed 0, by owner and node."""
        found: dict[str, dict[str, Artifact]] = {}
        for manifest in self.results.glob("*/*/rng0/**/manifest.json"):
            _, owner, *_, node, _ = manifest.relative_to(self.results).parts
            found.setdefault(owner, {})[node] = Artifact(manifest)
        return found

    def judged(self, judge: str) -> dict[tuple[str, str], Any]:
        """What a judge wrote, by owner and name of the file."""
        found = self.results.glob(f"[!.]*/*/**/{judge}/*.json")
        return {
            (path.relative_to(self.results).parts[1], path.stem): json.loads(path.read_bytes())
            for path in found
        }

    def artifacts(self) -> dict[str, str]:
        """SHA-256 of every file below `results/` but what may differ between equal runs."""
        return {str(path.relative_to(self.results)): _sha256(path) for path in sorted(self._files())}

    def _files(self) -> Iterator[Path]:
        for path in self.results.rglob("*"):
            if path.is_file() and not {WORK, RUNS, PARAMS} & set(path.relative_to(self.results).parts):
                yield path


def outputs_of(network: Artifact) -> int:
    """Outputs of a classifier or segmentation network: rows of the weights of its head."""
    (rows,) = {
        len(weights)
        for name, weights in read_state(network.folder / MODEL).items()
        if name == "head.weight" or ("segmentation_head." in name and name.endswith(".weight"))
    }
    return rows


def with_settings(params: dict[str, Any], stage: str, **values: Any) -> dict[str, Any]:
    """The params with other settings of a stage."""
    settings = dict(params["settings"]["composites"])
    settings[stage] = {**settings.get(stage, {}), **values}
    return {**params, "settings": {"composites": settings}}


def two_shards(params: dict[str, Any]) -> dict[str, Any]:
    """The params with every artifact of the data set in two parts."""
    return {**params, "datasets": {"composites": {**params["datasets"]["composites"], "shards": 2}}}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
