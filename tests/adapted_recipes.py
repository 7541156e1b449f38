"""Committed recipes with other parameters under the same names, so that those that refer to them need no change."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def adapted(names: Iterable[str], change: Callable[[dict[str, Any]], None]) -> dict[str, str]:
    """The text of recipes in which `change` has edited the parameters (`with`) of each node.

    Args:
        names: recipes.
        change: edits a node's parameters in place.
    """
    texts = {}
    for name in names:
        recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
        for node in recipe["nodes"].values():
            if node is not None and node.get("with"):
                change(node["with"])
        texts[name] = yaml.safe_dump(recipe, sort_keys=False)
    return texts
