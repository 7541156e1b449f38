"""What ran: the recipes, and every node with the parameters that differ from its stage's defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seedbed.report.blocks import Block, Paragraph, Table, Terms
from seedbed.report.results import Node, ledger_text
from seedbed.report.section import Page, Section
from seedbed.report.tables import with_notes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("owner", "rng", "regions", "node", "stage", "meaning"),
    *("parameters", "images", "megabytes", "ground_truth"),
)


def frame(page: Page) -> pd.DataFrame:
    """One row per node."""
    import pandas as pd

    return pd.DataFrame([_row(node) for node in page.results.nodes.values()], columns=list(COLUMNS))


def _row(node: Node) -> dict[str, Any]:
    manifest = node.artifact.manifest
    parameters = manifest.parameters.get("parameters", {})
    return node.place.columns() | {
        "node": node.name,
        "stage": node.stage,
        "meaning": node.meaning.name,
        "parameters": " ".join(f"{key}={_plain(value)}" for key, value in sorted(parameters.items())),
        "images": ", ".join(f"{split} {count}" for split, count in manifest.images.items()),
        "megabytes": sum(entry.size for entry in manifest.files.values()) / 1e6,
        "ground_truth": ledger_text(manifest.ledger),
    }


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def blocks(page: Page, frame: pd.DataFrame) -> list[Block]:
    """The data set, the recipes, and the nodes folded away."""
    recipes = tuple((name, _said_of(facts)) for name, facts in page.results.recipes.items())
    return [Paragraph(f"Data set {page.results.dataset}."), Terms(recipes), node_table(page, frame)]


def _said_of(recipe: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    lines = (("aims at", recipe["aims_at"]), ("differs", recipe["differs"]))
    return (("", recipe["paper"] or "no paper"), *(line for line in lines if line[1]))


def node_table(page: Page, frame: pd.DataFrame) -> Table:
    """The nodes as text."""
    places = [str(node.place) for node in page.results.nodes.values()]
    rows = [
        (
            *(row["node"], row["stage"], place, row["parameters"]),
            *(row["images"], f"{row['megabytes']:.1f}", row["ground_truth"]),
        )
        for place, row in zip(places, frame.to_dict("records"), strict=True)
    ]
    table = Table(
        headings=(
            *("node", "stage", "recipe (owner), axes", "parameters set"),
            *("images", "MB", "ground truth used"),
        ),
        figures=(False, False, False, False, False, True, False),
        rows=tuple(rows),
        summary=f"All {len(rows)} nodes",
    )
    return with_notes(table)


SECTION = Section("What ran", 10, frame, blocks)
