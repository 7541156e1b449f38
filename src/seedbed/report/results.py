"""The contents of a report, read from `results/`: nodes with their manifests, and what every judge found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import LedgerEntry
from seedbed.artifacts.meanings import MEANINGS, Meaning
from seedbed.errors import SeedbedError
from seedbed.runtime.axes import Axes
from seedbed.runtime.judging import read_judgement

NOTHING = "nothing"
LEDGER_SEPARATOR = " | "
"""Separates the entries of a ledger in words."""
CHOSEN_WITH_MASKS = "chosen with masks"


@dataclass(frozen=True)
class Place:
    """The place of a result: the recipe that owns it, and its point on the axes."""

    owner: str
    axes: Axes

    def columns(self) -> dict[str, Any]:
        """`owner`, `rng` and `regions` as every table has them; empty if nothing depends on the axis."""
        rng = "" if self.axes.rng is None else self.axes.rng
        return {"owner": self.owner, "rng": rng, "regions": self.axes.regions or ""}

    def __str__(self) -> str:
        """Words: `psa rng0 bg0.10-fg0.40`; the owner alone if nothing depends on the axes."""
        axes = "" if self.axes == Axes() else str(self.axes).replace("/", " ")
        return f"{self.owner} {axes}".strip()


@dataclass(frozen=True)
class Node:
    """One node at a point on the axes.

    Attributes:
        key: its folder under `results/`.
        splits: splits that it has, in order; empty for networks.
        parents: keys of the nodes that it was made from.
    """

    key: str
    name: str
    place: Place
    stage: str
    meaning: Meaning
    splits: tuple[str, ...]
    parents: tuple[str, ...]
    artifact: Artifact


def at_lowest_rng(nodes: Iterable[Node]) -> list[Node]:
    """The nodes of the lowest random seed among them, and those that depend on none."""
    nodes = list(nodes)
    known = [node.place.axes.rng for node in nodes if node.place.axes.rng is not None]
    return [node for node in nodes if node.place.axes.rng in (None, min(known, default=None))]


@dataclass(frozen=True)
class Judged:
    """One file of a judge.

    Attributes:
        key: folder of the judged node under `results/`.
        place: the place of that node.
        kind: of its scores: `cam`, `prediction`, `threshold_quality`, ….
        content: the whole file.
    """

    key: str
    place: Place
    node: str
    split: str
    kind: str
    content: Mapping[str, Any]

    @property
    def scores(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.content["scores"]
        return found

    @property
    def ledger(self) -> str:
        """Every use of pixel ground truth on the way to it, in words; `nothing` if there are none."""
        return ledger_text(LedgerEntry.model_validate(entry) for entry in self.content["ledger"])

    def columns(self) -> dict[str, Any]:
        """What was judged, as the tables have it: `owner`, `rng`, `regions`, `node`, `split`, `kind`."""
        return self.place.columns() | {"node": self.node, "split": self.split, "kind": self.kind}


def ledger_text(ledger: Iterable[LedgerEntry]) -> str:
    """A ledger in words; `nothing` if it is empty."""
    return LEDGER_SEPARATOR.join(f"{entry.use}: {entry.note} ({entry.stage})" for entry in ledger) or NOTHING


@dataclass(frozen=True)
class Results:
    """Everything that one page shows.

    Attributes:
        recipes: paper, aims_at and differs, by recipe.
        nodes: by key, inputs before consumers.
        judged: by judge (`seedbed.plan.judges`), in the order of the slice.
    """

    dataset: str
    name: str
    recipes: Mapping[str, Mapping[str, str]]
    nodes: Mapping[str, Node]
    judged: Mapping[str, tuple[Judged, ...]]

    @cached_property
    def ancestors(self) -> Mapping[str, tuple[str, ...]]:
        """Keys of all nodes from which a node was made and its own, in the order of `nodes`."""
        above: dict[str, set[str]] = {}
        for key, node in self.nodes.items():
            above[key] = {key}.union(*(above[parent] for parent in node.parents))
        return {key: tuple(other for other in self.nodes if other in found) for key, found in above.items()}

    def descendants(self, key: str) -> tuple[str, ...]:
        """Keys of all nodes that were made from a node, excluding itself, in the order of `nodes`."""
        return tuple(other for other, above in self.ancestors.items() if other != key and key in above)


def read_results(content: Mapping[str, Any], results: Path) -> Results:
    """Read what a report's slice names.

    Args:
        content: the slice, `Report.slice()` of the plan.
        results: the results folder, to which its paths are relative.

    Raises:
        SeedbedError: a file is missing or unreadable.
    """
    return Results(
        dataset=content["dataset"],
        name=content["name"],
        recipes=content["recipes"],
        nodes={entry["folder"]: _read_node(results, entry) for entry in content["nodes"]},
        judged={
            judge: tuple(read_judged(results, path) for path in paths)
            for judge, paths in content["judgements"].items()
        },
    )


def _read_node(results: Path, entry: Mapping[str, Any]) -> Node:
    return Node(
        key=entry["folder"],
        name=entry["node"],
        place=Place(entry["owner"], Axes.parse(entry["axes"])),
        stage=entry["stage"],
        meaning=MEANINGS[entry["makes"]],
        splits=tuple(entry["splits"]),
        parents=tuple(entry["parents"]),
        artifact=Artifact(results / entry["folder"]),
    )


def read_judged(results: Path, path: str) -> Judged:
    """Read a judge's file, `<dataset>/<owner>/<axes>/<judge>/<name>.json`.

    Raises:
        SeedbedError: it is missing, was changed, or is of another data set, node or split.
    """
    found = read_judgement(results / path)
    dataset, owner, *axes = Path(path).parent.parent.parts
    if found.dataset != dataset:
        raise SeedbedError(f"{results / path} is of data set {found.dataset}; run its stage again")
    return Judged(
        key="/".join((dataset, owner, *axes, found.node)),
        place=Place(owner, Axes.parse("/".join(axes))),
        node=found.node,
        split=found.split,
        kind=found.kind,
        content=found.content,
    )
