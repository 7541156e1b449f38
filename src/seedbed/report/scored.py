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


def is_background_only(scores: Mapping[str, Any]) -> bool:
    """Whether label maps, or CAMs at their threshold, have no pixel of any class, as the scores of them tell."""
    if "foreground_area" in scores:
        return bool(scores["foreground_area"] == 0)
    classes = [values for name, values in scores.get("per_class", {}).items() if name != "background"]
    predicted = [values["predicted_pixels"] for values in classes if "predicted_pixels" in values]
    return bool(predicted) and not any(predicted)
