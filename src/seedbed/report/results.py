"""What a report is made of, read from `results/`: nodes with their manifests, scores and threshold files.

Which node was made from which is taken from the manifests: each names the digests of its inputs' contents, so
the page shows what was really used, not what a recipe says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import LedgerEntry
from seedbed.errors import SeedbedError
from seedbed.runtime.paths import OWN, SHARED

NOTHING = "nothing"
LEDGER_SEPARATOR = " | "
"""Between the entries of a ledger in words."""
CHOSEN_WITH_MASKS = "chosen with masks"


@dataclass(frozen=True)
class Place:
    """Where a result stands: its owner and its point on the axes.

    Attributes:
        owner: recipe that owns it.
        rng: random seed; None where nothing above depends on it.
        regions: confident-region setting; empty where nothing above depends on it.
    """

    owner: str
    rng: int | None
    regions: str

    @classmethod
    def parse(cls, owner: str, axes: str) -> Place:
        """From the two path parts, for instance `psa` and `rng0/bg0.10-fg0.40`."""
        rng, regions = None, ""
        for part in axes.split("/"):
            if part.startswith("rng"):
                rng = int(part.removeprefix("rng"))
            elif part.startswith(("bg", "alpha")):
                regions = part
        return cls(owner, rng, regions)

    def __str__(self) -> str:
        parts = (self.owner, "" if self.rng is None else f"rng{self.rng}", self.regions)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Node:
    """One node instance.

    Attributes:
        key: its folder below `results/`.
        score: how it is scored (`cam`, `pseudo_mask`, …); None for what is not.
        splits: splits that it has, in order; empty for networks.
    """

    key: str
    name: str
    place: Place
    stage: str
    score: str | None
    splits: tuple[str, ...]
    artifact: Artifact

    @property
    def content(self) -> str:
        return self.artifact.manifest.content


@dataclass(frozen=True)
class Judged:
    """One scores or thresholds file.

    Attributes:
        key: folder of the judged node below `results/`.
        place: where that node stands; of a thresholds file in the shared form, its `regions` are the reference's.
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
    def form(self) -> str:
        """Of a thresholds file: `own` or `shared`."""
        return str(self.content.get("form", OWN))

    def pairs(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Of a thresholds file: each pair's label with its scores."""
        if self.form == OWN:
            yield self.place.regions, self.scores
        else:
            yield from self.scores.items()

    @property
    def ledger(self) -> str:
        """Every use of pixel ground truth on the way to it, in words; `nothing` where there is none."""
        return ledger_text(LedgerEntry.model_validate(entry) for entry in self.content["ledger"])


def ledger_text(ledger: Any) -> str:
    """A ledger in words; `nothing` where it is empty."""
    return LEDGER_SEPARATOR.join(f"{entry.use}: {entry.note} ({entry.stage})" for entry in ledger) or NOTHING


@dataclass(frozen=True)
class Results:
    """Everything that one page shows.

    Attributes:
        recipes: paper, aims_at and differs, by recipe.
        nodes: by key, inputs before consumers.
        thresholds: each pair with its own AffinityNet.
        shared: all pairs on one setting's refined CAMs; a file's `scores` hold a row a pair.
    """

    dataset: str
    name: str
    recipes: Mapping[str, Mapping[str, str]]
    nodes: Mapping[str, Node]
    scores: tuple[Judged, ...]
    thresholds: tuple[Judged, ...]
    shared: tuple[Judged, ...]

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """Keys of the nodes that a node was made from."""
        return {key: self._parents(node) for key, node in self.nodes.items()}

    def _parents(self, node: Node) -> tuple[str, ...]:
        found = []
        for name, contents in sorted(node.artifact.manifest.inputs.items()):
            if name == "index":
                continue
            equal = [
                other for other in self.nodes.values() if other.content in contents and other is not node
            ]
            found += [_nearest(node, equal).key] if equal else []
        return tuple(found)

    @cached_property
    def ancestors(self) -> Mapping[str, tuple[str, ...]]:
        """Keys of all nodes that a node was made from and its own, in the order of `nodes`."""
        return {key: self._ancestors(key) for key in self.nodes}

    def _ancestors(self, key: str) -> tuple[str, ...]:
        seen: set[str] = set()
        open_keys = [key]
        while open_keys:
            one = open_keys.pop()
            if one not in seen:
                seen.add(one)
                open_keys += self.parents[one]
        return tuple(other for other in self.nodes if other in seen)

    def descendants(self, key: str) -> tuple[str, ...]:
        """Keys of all nodes that were made from a node, without itself, in the order of `nodes`."""
        return tuple(other for other, above in self.ancestors.items() if other != key and key in above)


def _nearest(node: Node, equal: Sequence[Node]) -> Node:
    """Of nodes with equal contents the one that stands nearest to `node`."""
    place = node.place
    return min(
        equal,
        key=lambda n: (
            n.place.owner != place.owner,
            n.place.regions != place.regions,
            n.place.rng != place.rng,
        ),
    )


def read_results(content: Mapping[str, Any], results: Path) -> Results:
    """Read what a report's slice names.

    Args:
        content: the slice, `Report.slice()` of the plan.
        results: the results folder, below which its paths lie.

    Raises:
        SeedbedError: a file is missing or unreadable.
    """
    nodes = {}
    for entry in content["nodes"]:
        nodes[entry["folder"]] = Node(
            key=entry["folder"],
            name=entry["node"],
            place=Place.parse(entry["owner"], entry["axes"]),
            stage=entry["stage"],
            score=entry["score"],
            splits=tuple(entry["splits"]),
            artifact=Artifact(results / entry["folder"]),
        )
    thresholds = [read_judged(results, path) for path in content["thresholds"]]
    return Results(
        dataset=content["dataset"],
        name=content["name"],
        recipes=content["recipes"],
        nodes=nodes,
        scores=tuple(read_judged(results, path) for path in content["scores"]),
        thresholds=tuple(judged for judged in thresholds if judged.form == OWN),
        shared=tuple(judged for judged in thresholds if judged.form == SHARED),
    )


def read_judged(results: Path, path: str) -> Judged:
    """Read a file `<dataset>/<owner>/<axes>/<scores or thresholds>/<node>-<split>[-shared].json`.

    Raises:
        SeedbedError: missing, or not such a file.
    """
    file = results / path
    try:
        found = json.loads(file.read_bytes())
        node, split, kind, _, _ = (found[key] for key in ("node", "split", "kind", "ledger", "scores"))
    except FileNotFoundError:
        raise SeedbedError(f"expected scores at {file}, found none; run what makes them first") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SeedbedError(f"{file} is no readable file of scores ({error}); make it again") from None
    dataset, owner, *axes = Path(path).parent.parent.parts
    return Judged(
        key="/".join((dataset, owner, *axes, node)),
        place=Place.parse(owner, "/".join(axes)),
        node=node,
        split=split,
        kind=kind,
        content=found,
    )
