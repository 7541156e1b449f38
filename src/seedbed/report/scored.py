"""Rows of score tables: which are judged against what, and which belong to one node at several random seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from seedbed.artifacts.meanings import MEANINGS
from seedbed.report.tables import groups

if TYPE_CHECKING:
    import pandas as pd

Truth = Literal["masks", "labels"]
NODE_HEADINGS = ("recipe (owner)", "regions", "node", "split")
BACKGROUND_ONLY = "background only, no pixel of any class"
NEUTRAL_ONLY = "neutral only (255), no pixel of any class"
TRUTH = {meaning.score: meaning.truth for meaning in MEANINGS.values() if meaning.score}


def scored_nodes(frame: pd.DataFrame, truth: Truth) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    """What is judged against the true masks, or the image-level labels: each node, and its rows for all random seeds.

    Args:
        frame: with the columns of `Judged.columns`.

    Yields:
        owner, regions, node and split; the rows.
    """
    rows = frame[frame["kind"].map(TRUTH) == truth]
    yield from groups(rows, ("owner", "regions", "node", "split"))


def without_classes(scores: Mapping[str, Any]) -> str:
    """What label maps, or CAMs at their threshold, hold that have no pixel of any class, as the scores of them tell.

    Returns:
        `BACKGROUND_ONLY`, `NEUTRAL_ONLY` where all pixels are 255, or empty if there are pixels of a class.
    """
    if "foreground_area" in scores:
        if scores["foreground_area"] != 0:
            return ""
        return NEUTRAL_ONLY if scores.get("neutral_ratio") == 1 else BACKGROUND_ONLY
    predicted = {
        name: values["predicted_pixels"]
        for name, values in scores.get("per_class", {}).items()
        if "predicted_pixels" in values
    }
    background = predicted.pop("background", 0)
    if not predicted or any(predicted.values()):
        return ""
    return BACKGROUND_ONLY if background else NEUTRAL_ONLY
