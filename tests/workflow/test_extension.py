"""What an addition costs: a toy stage, method, judge and section are added to a copy of the checkout, run and counted.

The stage, the judge and the section are those of docs/adding-a-stage.md, as they stand there; the method is below.
"""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from docs.file_blocks import write_blocks
from workflow.engine_checkout import REPOSITORY, TINY

pytestmark = pytest.mark.slow

PAGE = (REPOSITORY / "docs/adding-a-stage.md").read_text()
COPIED = ("Snakefile", "rules", "report", "envs", "recipes", "workflow_scripts", "src", "profiles")
PIECE = re.compile(
    r"^```\w+\n# (?P<kind>row of|add to|import in): (?P<target>[^\n]+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
METHOD = '''"""A toy method: the CAM classifier, drawn to a hint per pixel and to a vector per image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seedbed.methods.base import MethodEntry, Objective, Progress
from seedbed.methods.cam import CamMethod, CamParameters

if TYPE_CHECKING:
    from seedbed.input.batch import Batch


class HintedMethod(CamMethod):
    """Class maps near the hints, probabilities near those of the vectors."""

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Two squared distances beside the classification loss."""
        from torch.nn.functional import adaptive_avg_pool2d

        hints, given = batch.fields["hints"], batch.fields["vectors.probabilities"]
        assert hints.shape[-2:] == batch.images.shape[-2:]
        (objective,) = super().objectives(batch, progress)
        output = self.classifier(batch.images)
        small = adaptive_avg_pool2d(hints, output.cam_logits.shape[-2:])
        parts = {
            "hints": (output.cam_logits.sigmoid() - small).square().mean(),
            "vectors": (output.class_logits.sigmoid() - given).square().mean(),
        }
        yield Objective("classifier", objective.loss + sum(parts.values()), parts)


ENTRY = MethodEntry(
    CamParameters,
    HintedMethod,
    "train_classifier",
    reads={"hints": ("maps",), "vectors": ("vectors",)},
)
'''
RECIPE = """\
extends: tiny
nodes:
  class_counts: {stage: count_classes, from: {labels: regions}}
  hinted:
    stage: train_classifier
    from: {hints: cams, vectors: classification}
    with: {method: hinted, backbone: test_resnet, weights: none, output_stride: 32}
"""
BASE = {
    "nodes": {
        "classifier": {
            "stage": "train_classifier",
            "with": {"backbone": "test_resnet", "weights": "none", "output_stride": 32, "conv_head": False},
        },
        "classification": {
            "stage": "classify",
            "from": {"classifier": "classifier"},
            "with": {"splits": ["train", "val"]},
        },
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}},
        "regions": {"stage": "confident_regions", "from": {"cams": "cams"}},
    },
    "scores": ["classification", "cams"],
}


class Copy:
    """A copy of the checkout under git, with its own sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for part in COPIED:
            source = REPOSITORY / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        (folder / "recipes/tiny.yaml").write_text(yaml.safe_dump(BASE, sort_keys=False))
        (folder / "params.yaml").write_text(yaml.safe_dump(TINY | {"recipes": ["toy"]}, sort_keys=False))
        (folder / ".gitignore").write_text("__pycache__/\nresults/\nlogs/\n.snakemake/\n")
        self.run("git", "init", "-q")
        self.commit()

    def run(self, *words: str) -> str:
        mine = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            words, cwd=self.folder, env=os.environ | mine, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def commit(self) -> None:
        self.run("git", "add", "-A")
        author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        self.run("git", *author, "commit", "-q", "-m", "x")

    def touched(self) -> tuple[list[str], list[str]]:
        """(new files, changed files) since the last commit, which this one is then."""
        lines = self.run("git", "status", "--porcelain", "--untracked-files=all").splitlines()
        self.commit()
        new = sorted(line[3:] for line in lines if line.startswith("??"))
        return new, sorted(line[3:] for line in lines if not line.startswith("??"))

    def insert(self, path: str, before: str, text: str) -> None:
        """Put text in front of the first place where `before` begins a line."""
        file = self.folder / path
        content = file.read_text()
        place = re.search(rf"^{re.escape(before)}", content, re.MULTILINE)
        assert place is not None, f"{path}: no line {before!r}"
        file.write_text(content[: place.start()] + text + content[place.start() :])


def pieces() -> dict[str, str]:
    """The page's blocks that are added to a file, by their target."""
    return {f"{m['kind']}: {m['target']}": m["text"] for m in PIECE.finditer(PAGE)}


def row(copy: Copy, table: str, path: str, text: str) -> None:
    """A row at the end of a table, as it is: a mapping, or one made from the items of a tuple."""
    file = copy.folder / path
    content = file.read_text()
    end = re.compile(r"\n(    \)\n)?\}\n").search(content, content.index(f"{table}: dict"))
    assert end is not None
    file.write_text(f"{content[: end.start()]}\n{text.strip()}{content[end.start() :]}")


def add_stage(copy: Copy) -> None:
    write_blocks(PAGE, copy.folder)
    for path in (
        "src/seedbed/stages/coverage.py",
        "src/seedbed/report/sections/coverage.py",
        "recipes/counted.yaml",
    ):
        (copy.folder / path).unlink()
    registry = "src/seedbed/stages/registry.py"
    text = (copy.folder / registry).read_text()
    (copy.folder / registry).write_text(
        text.replace("confident_regions,", "confident_regions, count_classes,", 1)
    )
    row(copy, "STAGES", registry, pieces()[f"row of: STAGES in {registry}"])
    with (copy.folder / "rules/pseudo_masks.smk").open("a") as stream:
        stream.write("\n\n" + pieces()["add to: rules/pseudo_masks.smk"])


def test_what_additions_cost_and_that_they_run(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    meanings = "src/seedbed/artifacts/meanings.py"
    row(copy, "MEANINGS", meanings, pieces()[f"row of: MEANINGS in {meanings}"])
    assert copy.touched() == ([], [meanings])

    add_stage(copy)
    new, changed = copy.touched()
    assert new == ["src/seedbed/stages/count_classes.py", "workflow_scripts/count_classes.py"]
    assert changed == ["rules/pseudo_masks.smk", "src/seedbed/stages/registry.py"]

    (copy.folder / "src/seedbed/methods/hinted.py").write_text(METHOD)
    table = "src/seedbed/methods/table.py"
    text = (copy.folder / table).read_text()
    (copy.folder / table).write_text(
        text.replace("    edge_affinity,\n", "    edge_affinity,\n    hinted,\n", 1)
    )
    row(copy, "METHODS", table, '    "hinted": hinted.ENTRY,')
    (copy.folder / "recipes/toy.yaml").write_text(RECIPE)
    assert copy.touched() == (["recipes/toy.yaml", "src/seedbed/methods/hinted.py"], [table])

    blocks = tmp_path / "blocks"
    write_blocks(PAGE, blocks)
    judge, section = "src/seedbed/stages/coverage.py", "src/seedbed/report/sections/coverage.py"
    judges = "src/seedbed/plan/judges.py"
    shutil.copy(blocks / judge, copy.folder / judge)
    copy.insert(judges, "from seedbed.stages.", pieces()[f"import in: {judges}"])
    copy.insert(judges, "JUDGES: dict", pieces()[f"add to: {judges}"] + "\n\n")
    row(copy, "JUDGES", judges, pieces()[f"row of: JUDGES in {judges}"])
    assert copy.touched() == ([judge], [judges])

    shutil.copy(blocks / section, copy.folder / section)
    assert copy.touched() == ([section], [])

    copy.run("snakemake", "--cores", "1", "--quiet", "all")
    results = copy.folder / "results/composites"
    at_pair = results / "toy/rng0/bg0.10-fg0.40"
    (counts,) = results.glob("toy/*/*/class_counts/table.csv")
    assert counts.is_relative_to(at_pair)
    with counts.open() as stream:
        assert next(csv.DictReader(stream)).keys() == {"image_id", "class", "pixels"}
    with (results / "toy/rng0/hinted/history.csv").open() as stream:
        (first, *_) = csv.DictReader(stream)
    assert float(first["classifier/hints"]) > 0
    assert float(first["classifier/vectors"]) > 0
    (judged,) = results.glob("tiny/*/*/coverage/regions-train.json")
    coverage = json.loads(judged.read_text())["scores"]["coverage"]
    assert 0 <= coverage <= 1
    page = (results / "reports/all/index.html").read_text()
    assert f"{coverage:.3f}" in page
    assert "Coverage" in page
    with (results / "reports/all/coverage.csv").open() as stream:
        assert float(next(csv.DictReader(stream))["coverage"]) == coverage
