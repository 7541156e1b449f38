"""The layers: by import-linter's contract, and the bottom by reading every import statement once more."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import lacking

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "seedbed"
BOTTOM = ["losses", "networks", "cam", "refine", "metrics"]


def test_import_linters_contracts_are_kept() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    found = str(tool) if tool.exists() else shutil.which("lint-imports")
    if found is None:
        lacking("lint-imports is not installed")
    done = subprocess.run(
        [str(found), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


def ours(path: Path) -> Iterator[str]:
    """Every module of ours that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("seedbed"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module and node.module.startswith("seedbed"):
                yield node.module


@pytest.mark.parametrize("package", BOTTOM)
def test_the_bottom_knows_only_itself_the_errors_and_the_labels(package: str) -> None:
    files = sorted((SOURCE / package).rglob("*.py"))
    assert files
    for path in files:
        others = {
            name
            for name in ours(path)
            if name not in ("seedbed.errors", "seedbed.labels") and not name.startswith(f"seedbed.{package}")
        }
        assert not others, f"{path.relative_to(ROOT)} imports {', '.join(sorted(others))}"


def test_algorithms_know_no_engine() -> None:
    for path in SOURCE.rglob("*.py"):
        names = {
            n.name
            for s in ast.walk(ast.parse(path.read_text()))
            if isinstance(s, ast.Import)
            for n in s.names
        }
        assert not {name.partition(".")[0] for name in names} & {"snakemake", "dvc"}, path
