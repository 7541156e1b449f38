"""Supervised ceilings: the mean IoU that a segmenter reaches which was trained on the true masks of the data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from seedbed.artifacts.manifest import TRAINED_ON_TRUE_MASKS
from seedbed.plan.judges import SCORES
from seedbed.report.results import Judged, Results

PREDICTION = "prediction"
"""Kind of the scores that a ceiling is."""


class Ceiling(NamedTuple):
    """One supervised recipe's score on a split, the mean over its random seeds."""

    mean_iou: float
    recipe: str
    architecture: str


def is_supervised(judged: Judged) -> bool:
    """Whether a training on the way to it read the true masks; neither what a recipe inherits nor initial weights that
    were trained on masks count."""
    return any(
        entry["use"] == "training" and entry["note"] == TRAINED_ON_TRUE_MASKS
        for entry in judged.content["ledger"]
    )


def ceilings_of(results: Results) -> Mapping[str, Sequence[Ceiling]]:
    """The ceilings of each split, the highest first; none if no supervised recipe is among those reported."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for judged in results.judged[SCORES]:
        mean_iou = judged.scores.get("mean_iou")
        if judged.kind == PREDICTION and is_supervised(judged) and mean_iou is not None:
            key = (judged.split, judged.place.owner, architecture_of(results, judged))
            values.setdefault(key, []).append(float(mean_iou))
    found: dict[str, list[Ceiling]] = {}
    for (split, recipe, architecture), scores in values.items():
        found.setdefault(split, []).append(Ceiling(fmean(scores), recipe, architecture))
    return {split: sorted(rows, key=lambda row: (-row.mean_iou, row.recipe)) for split, rows in found.items()}


def ceiling_of(results: Results, ceilings: Mapping[str, Sequence[Ceiling]], judged: Judged) -> Ceiling | None:
    """The ceiling beside a weakly supervised score: that of the same segmentation network if there is one, else the
    highest; None beside supervised scores, and where the split has none."""
    rows = ceilings.get(judged.split, ())
    if not rows or is_supervised(judged) or judged.scores.get("mean_iou") is None:
        return None
    architecture = architecture_of(results, judged)
    return next((row for row in rows if row.architecture == architecture), rows[0])


def architecture_of(results: Results, judged: Judged) -> str:
    """Segmentation network that made predictions, with its backbone; empty for what no segmenter made."""
    node = results.nodes.get(judged.key)
    for parent in node.parents if node else ():
        if results.nodes[parent].meaning.name == "segmenter":
            own = results.nodes[parent].artifact.manifest.parameters.get("parameters", {})
            return " ".join(str(own.get(name, "")) for name in ("architecture", "backbone"))
    return ""
