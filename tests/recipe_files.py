"""Recipes and configurations written into a folder, for the tests of recipes, plan and command line."""

from pathlib import Path
from typing import Any

import yaml

from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook

BASE: dict[str, Any] = {
    "paper": "Base 2018",
    "nodes": {
        "classifier": {"stage": "train_classifier", "with": {"lr": 0.1, "epochs": 3}},
        "classification": {"stage": "classify", "from": {"classifier": "classifier"}},
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}},
        "regions": {
            "stage": "confident_regions",
            "from": {"cams": "cams"},
            "with": {"regions": "bg0.10-fg0.40"},
        },
        "affinitynet": {"stage": "train_affinitynet", "from": {"regions": "regions"}},
        "refined": {"stage": "random_walk", "from": {"cams": "cams", "affinitynet": "affinitynet"}},
        "masks_": {"stage": "pseudo_masks", "from": {"cams": "refined"}},
        "segmenter": {"stage": "train_segmenter", "from": {"labels": "masks_"}},
        "predictions": {"stage": "predict", "from": {"segmenter": "segmenter"}},
    },
    "scores": ["classification", "cams", "refined", "masks_", "predictions"],
}
"""The plain pipeline: a diamond (CAMs feed both regions and walk) with a tail."""

DESCENDANTS = {
    "classifier": set(BASE["nodes"]),
    "classification": {"classification"},
    "cams": set(BASE["nodes"]) - {"classifier", "classification"},
    "regions": set(BASE["nodes"]) - {"classifier", "classification", "cams"},
    "affinitynet": {"affinitynet", "refined", "masks_", "segmenter", "predictions"},
    "refined": {"refined", "masks_", "segmenter", "predictions"},
    "masks_": {"masks_", "segmenter", "predictions"},
    "segmenter": {"segmenter", "predictions"},
    "predictions": {"predictions"},
}
"""Each node of `BASE` with what depends on it, written down by hand from the graph above."""

CONFIG: dict[str, Any] = {
    "dataset": "toy",
    "recipes": ["base"],
    "datasets": {"toy": {"kind": "folder", "root": "nowhere", "splits": {"train": {}, "val": {}}}},
}


def write_recipes(folder: Path, **recipes: dict[str, Any] | str) -> RecipeBook:
    """Recipes by name (`_` for `-`), beside `BASE` as `base`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ({"base": BASE} | recipes).items():
        text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
        (folder / f"{name.replace('_', '-')}.yaml").write_text(text)
    return RecipeBook(folder)


def make_workflow(
    folder: Path, config: dict[str, Any] | None = None, **recipes: dict[str, Any] | str
) -> Workflow:
    """A workflow over written recipes, with its results in the same folder."""
    book = write_recipes(folder / "recipes", **recipes)
    return Workflow(parse_config(CONFIG | (config or {})), book, folder / "results")
