"""Reading the YAML files that people write: params.yaml and recipes."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from seedbed.errors import SeedbedError
from seedbed.regular_files import open_regular, system_reason

LARGEST_FILE, MOST_VALUES = 1_000_000, 20_000
"""Bytes of a YAML file, and its keys and values with every alias written out."""


def load_yaml(path: Path) -> Any:
    """The one reader of YAML files.

    Raises:
        SeedbedError: no such file, it is not YAML, a key is given twice in a mapping, or it is far larger than any
            recipe; with line and column where there is a place to name.
    """
    try:
        with open_regular(path) as stream:
            content = stream.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise SeedbedError(f"{path}: expected at most {LARGEST_FILE} bytes, got more")
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise SeedbedError(f"there is no file {path}") from None
    except OSError as error:
        raise SeedbedError(f"{path}: not readable YAML: {system_reason(error)}") from None
    except ValueError as error:
        raise SeedbedError(f"{path}: not readable YAML: {' '.join(str(error).split())}") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """A YAML document.

    Args:
        where: what to name in an error.

    Raises:
        SeedbedError: as `load_yaml`.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SeedbedError(f"{where}{place}: not YAML: {error.problem}") from None
    except RecursionError:
        raise SeedbedError(f"{where}: not readable YAML: nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        raise SeedbedError(f"{where}: not readable YAML: {' '.join(str(error).split())}") from None


class _Loader(yaml.SafeLoader):
    """The safe loader, which by itself lets the last of two equal keys win without a word, and follows any alias."""

    composed = 0
    """Nodes so far: a long file is refused where it becomes too long, not after all of it was read."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.composed += 1
        if self.composed > MOST_VALUES:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"over {MOST_VALUES} values", problem_mark=mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            _count_values(node, {})
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(
                    problem="a key is a list or a mapping", problem_mark=key_node.start_mark
                )
            if key in keys:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark
                )
            keys.add(key)
        return super().construct_mapping(node, deep)


def _count_values(node: yaml.Node, counted: dict[int, int | None]) -> int:
    """Keys and values of a node with every alias written out.

    Args:
        counted: by id of the nodes that were met; None while a node is being counted.

    Raises:
        yaml.MarkedYAMLError: there are too many, or a node holds itself.
    """
    if id(node) not in counted:
        counted[id(node)] = None
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        inner = [part for pair in pairs for part in pair]
        inner += node.value if isinstance(node, yaml.SequenceNode) else ()
        counted[id(node)] = 1 + sum(_count_values(part, counted) for part in inner)
    count = counted[id(node)]
    if count is None or count > MOST_VALUES:
        problem = (
            "an alias refers to a node that contains it" if count is None else f"over {MOST_VALUES} values"
        )
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
    return count
