"""No circle among our modules, counting imports inside functions too: each can be read after those that it imports."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
ROOMS = ("seedbed",)
"""Packages and modules that are held to it."""


def modules(source: Path) -> dict[str, Path]:
    """The file of each module below a folder, by dotted name."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: Iterable[str]) -> Iterator[str]:
    """Known modules that a file imports, anywhere in it: `from package import name` means the module of that name, or
    else the package."""
    names = set(known)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield from [n for n in (f"{node.module}.{alias.name}", node.module) if n in names][:1]


def circle(source: Path, rooms: Iterable[str]) -> str | None:
    """A circle of imports that passes through a room, as text; None if there is none."""
    files = modules(source)
    graph = {name: set(imported(path, files)) for name, path in files.items()}
    inside = {name for name in graph if any(name == r or name.startswith(f"{r}.") for r in rooms)}
    return first_circle(reachable(graph, inside))


def reachable(graph: Mapping[str, set[str]], start: set[str]) -> dict[str, set[str]]:
    """The part of a graph that can be reached."""
    found: dict[str, set[str]] = {}
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = graph[name]
            waiting.extend(graph[name])
    return found


def first_circle(graph: Mapping[str, set[str]]) -> str | None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return None


def test_rooms_exist() -> None:
    known = modules(SOURCE)
    assert [room for room in ROOMS if room not in known] == []


def test_no_module_imports_itself_by_a_detour() -> None:
    assert circle(SOURCE, ROOMS) is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a/b": "", "a/c": "from a import b"}, None),
        ({"a/b": "import a.c", "a/c": "def f():\n    from a import b"}, {"a.b", "a.c"}),
        (
            {"a/b": "from a.c import x", "a/c": "from a.d import y", "a/d": "import a.b"},
            {"a.b", "a.c", "a.d"},
        ),
        ({"a/__init__": "from a.b import x", "a/b": "from a import y"}, {"a", "a.b"}),
        ({"a/__init__": "from a.b import x", "a/b": "from a import c", "a/c": ""}, None),
        ({"a/b": "from a import b"}, {"a.b"}),
        # elsewhere, and not reached from the room
        ({"a/b": "", "e/f": "import e.g", "e/g": "import e.f"}, None),
        ({"a/b": "import e.f", "e/f": "import e.g", "e/g": "import e.f"}, {"e.f", "e.g"}),
    ],
)
def test_circles_are_found(tmp_path: Path, files: Mapping[str, str], expected: set[str] | None) -> None:
    for name, text in files.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    found = circle(tmp_path, ["a"])
    assert (found and set(found.split(" imports "))) == expected


def test_a_circle_is_named_in_the_order_of_its_imports(tmp_path: Path) -> None:
    for name, other in (("b", "c"), ("c", "d"), ("d", "b")):
        (tmp_path / f"{name}.py").write_text(f"import {other}")
    found = circle(tmp_path, ["b"])
    assert found is not None
    assert set(pairwise(found.split(" imports "))) == {("b", "c"), ("c", "d"), ("d", "b")}
