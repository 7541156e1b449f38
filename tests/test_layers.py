"""The layers: by import-linter, and once more by reading every import and every name of a module in a text."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import lacking

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "seedbed"
BOTTOM = ["losses", "networks", "cam", "refine", "metrics"]
ENGINES = {"snakemake", "dvc"}
(CONTRACT,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = [re.split(r"\s*[|:]\s*", layer) for layer in CONTRACT["layers"]]
MODULE = re.compile(r"(seedbed(?:\.\w+)+)(?::\w+)?\Z")


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


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, `from x import y` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named(tree: ast.AST) -> Iterator[str]:
    """Modules of ours that a text names, as `import_module` takes them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            match = MODULE.match(node.value)
            if match and (ROOT / "src" / Path(*match[1].split("."))).with_suffix(".py").exists():
                yield match[1]


def layer_of(module: str) -> int | None:
    """Number of a module's layer from the top; None for the package itself."""
    for number, members in enumerate(LAYERS):
        if any(module == member or module.startswith(f"{member}.") for member in members):
            return number
    return None


def files() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        yield module, ast.parse(path.read_text())


def test_every_module_has_a_layer() -> None:
    assert [module for module, _ in files() if layer_of(module) is None] == ["seedbed"]


def test_no_text_names_a_module_of_a_higher_layer() -> None:
    """What is imported by its name in a text escapes import-linter."""
    for module, tree in files():
        own = layer_of(module)
        for other in named(tree) if own is not None else ():
            found = layer_of(other)
            assert found is not None, f"{module} names {other}"
            assert found >= own, f"{module} names {other}, which lies above it"


def test_a_name_in_a_text_and_a_from_import_are_seen() -> None:
    tree = ast.parse(
        "from snakemake import utils\nx = load('seedbed.report.page:run')\ny = 'seedbed.no.module'\n"
    )
    assert {"snakemake", "snakemake.utils"} <= set(imports(tree))
    assert list(named(tree)) == ["seedbed.report.page"]


@pytest.mark.parametrize("package", BOTTOM)
def test_the_bottom_knows_only_itself_and_the_ground(package: str) -> None:
    found = [(module, tree) for module, tree in files() if module.startswith(f"seedbed.{package}")]
    assert found
    allowed = (
        "seedbed.errors",
        "seedbed.installed",
        "seedbed.labels",
        "seedbed.mirror",
        "seedbed.number_formats",
        f"seedbed.{package}",
    )
    for module, tree in found:
        others = {n for n in imports(tree) if n.startswith("seedbed.") and not n.startswith(allowed)}
        assert not others, f"{module} imports {', '.join(sorted(others))}"


def test_no_module_knows_an_engine() -> None:
    for module, tree in files():
        assert not {name.partition(".")[0] for name in imports(tree)} & ENGINES, module
