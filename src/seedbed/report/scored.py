"""Rows of score tables: which are judged against what, and which belong to one node at several random seeds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

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
