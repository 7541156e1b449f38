"""Put a data set into the text of params.yaml; whatever else stands there keeps its place and its comments."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from seedbed.errors import SeedbedError

Pair = tuple[yaml.Node, yaml.Node]


class Edit(NamedTuple):
    """Characters `start` to `end` of a text become `new`; of edits at one place, the lower order comes first."""

    start: int
    end: int
    new: str
    order: int = 0


def with_dataset(text: str, name: str, declaration: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """The text with a data set's block, its settings, and `dataset` set to its name; blocks of that name are replaced.

    Args:
        text: of params.yaml, a mapping.
        name: of the data set.
        declaration: its value under `datasets`.
        settings: its value under `settings`.

    Raises:
        SeedbedError: the text is laid out in a way that cannot be edited.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text if not text or text.endswith("\n") else text + newline
    raw: dict[str, Any] = yaml.safe_load(text) or {}
    wanted = raw | {
        "dataset": name,
        "datasets": (raw.get("datasets") or {}) | {name: dict(declaration)},
        "settings": (raw.get("settings") or {}) | {name: dict(settings)},
    }
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = dict(_children(root))
    edits = [_set_dataset(text, pairs.get("dataset"), name)]
    for key, value in (("datasets", declaration), ("settings", settings)):
        edits.append(_put(text, key, pairs.get(key), name, value, raw.get(key) or {}))
    for edit in sorted(edits, key=lambda e: (e.start, e.order), reverse=True):
        text = text[: edit.start] + edit.new.replace("\n", newline) + text[edit.end :]
    try:
        written = yaml.safe_load(text)
    except yaml.YAMLError:
        written = None
    if written != wanted:
        raise SeedbedError(
            "params.yaml is laid out in a way that cannot be edited here; write its mappings as blocks"
        )
    return text


def block(name: str, content: Mapping[str, Any], indent: int = 2) -> str:
    """Lines of YAML: the name, and one line for each key of its content."""
    margin = " " * indent
    lines = [f"{_flow(name)}:"] + [f"  {_flow(key)}: {_flow(value)}" for key, value in content.items()]
    return "".join(f"{margin}{line}\n" for line in lines)


def _flow(value: Any) -> str:
    """A value on one line."""
    told = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return told.strip()[1:-1]


def _children(node: yaml.Node | None) -> list[tuple[str, Pair]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(str(key.value), (key, value)) for key, value in node.value]


def _set_dataset(text: str, pair: Pair | None, name: str) -> Edit:
    if pair is None:
        return Edit(len(text), len(text), f"dataset: {name}\n", 1)
    _, value = pair
    space = "" if value.end_mark.index > value.start_mark.index else " "
    return Edit(value.start_mark.index, value.end_mark.index, space + _flow(name))


def _put(
    text: str, key: str, pair: Pair | None, name: str, content: Mapping[str, Any], present: Mapping[str, Any]
) -> Edit:
    """The edit that puts `name: content` below a key of the file; in place of a block of that name."""
    if pair is None:
        return Edit(len(text), len(text), f"\n{key}:\n{block(name, content)}", 2 if key == "datasets" else 3)
    children = _children(pair[1])
    if not children or (isinstance(pair[1], yaml.CollectionNode) and pair[1].flow_style):
        lines = "".join(f"  {_flow(k)}: {_flow(v)}\n" for k, v in present.items() if k != name)
        start = pair[0].end_mark.index
        return Edit(start, _line_end(text, pair[1].end_mark.index), f":\n{lines}{block(name, content)}")
    indent = children[0][1][0].start_mark.column
    for known, (first, value) in children:
        if known == name:
            start = first.start_mark.index - first.start_mark.column
            return Edit(start, _line_end(text, _end(first, value)), block(name, content, indent))
    end = _line_end(text, max(_end(*child) for _, child in children))
    return Edit(end, end, block(name, content, indent))


def _end(key: yaml.Node, value: yaml.Node) -> int:
    """Where a value ends, without the comments that follow a block."""
    if isinstance(value, yaml.CollectionNode) and not value.flow_style and value.value:
        last = value.value[-1]
        return _end(*last) if isinstance(last, tuple) else _end(last, last)
    index = max(key.end_mark.index, value.end_mark.index)
    return int(index) - 1 if value.end_mark.column == 0 and index > key.end_mark.index else int(index)


def _line_end(text: str, index: int) -> int:
    """Where the line of a character ends, with its line break."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1
