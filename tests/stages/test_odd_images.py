"""The whole chain on a user's folder with a background-only photograph and photographs of one pixel's width."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from seedbed.artifacts.artifact import Artifact
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from stages_in_process import run_command

SIZES = {
    "a": (48, 64),
    "b": (1, 40),
    "c": (40, 1),
    "d": (50, 40),
    "empty": (48, 48),
    "f": (64, 48),
    "g": (1, 1),
    "h": (33, 65),
}
BACKBONE = {"backbone": "test_resnet", "weights": "none", "output_stride": 32}
TRAINING = {"epochs": 1, "batch_size": 4, "augmentation": {"resize_long": [48, 64], "crop": 48}}
MASKS = {"background_score": 0.5, "crf": "irn"}
"""A number, since a classifier that has not learnt gives scores that Otsu's method cannot part."""
RECIPE = {
    "nodes": {
        "classifier": {"stage": "train_classifier", "with": {**BACKBONE, "conv_head": False, **TRAINING}},
        "classification": {
            "stage": "classify",
            "from": {"classifier": "classifier"},
            "with": {"splits": ["train"]},
        },
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}},
        "regions": {"stage": "confident_regions", "from": {"cams": "cams"}},
        "affinitynet": {
            "stage": "train_affinitynet",
            "from": {"regions": "regions"},
            "with": {**BACKBONE, **TRAINING},
        },
        "refined": {"stage": "random_walk", "from": {"cams": "cams", "affinitynet": "affinitynet"}},
        "pseudo": {"stage": "pseudo_masks", "from": {"cams": "refined"}, "with": MASKS},
        "segmenter": {
            "stage": "train_segmenter",
            "from": {"labels": "pseudo"},
            "with": {"backbone": "test_resnet", "weights": "none", "architecture": "unet", **TRAINING},
        },
        "predictions": {
            "stage": "predict",
            "from": {"segmenter": "segmenter"},
            "with": {"splits": ["train"], "crf": "deeplab-v2"},
        },
    },
    "scores": ["classification", "cams", "regions", "refined", "pseudo", "predictions"],
}


@pytest.mark.slow
def test_the_chain_runs(tmp_path: Path) -> None:
    data = tmp_path / "photographs"
    data.mkdir()
    (data / "masks").mkdir()
    rng = np.random.default_rng(0)
    lines = ["image_id,split,robin,wren"]
    for number, (name, (height, width)) in enumerate(SIZES.items()):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(data / f"{name}.png")
        labels = (0, 0) if name == "empty" else (1, number % 2)
        mask = np.zeros((height, width), np.uint8)
        mask[: height // 2] = labels[0]
        Image.fromarray(mask).save(data / "masks" / f"{name}.png")
        lines.append(f"{name}.png,train,{labels[0]},{labels[1]}")
    (data / "labels.csv").write_text("\n".join(lines) + "\n")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    (recipes / "odd.yaml").write_text(yaml.safe_dump(RECIPE))
    raw = {
        "dataset": "birds",
        "recipes": ["odd"],
        "settings": {"birds": {"evaluate": {"background_score": 0.25}}},
        "datasets": {
            "birds": {
                "kind": "folder",
                "root": str(data),
                "splits": {"train": {}},
                "with": {"masks": "masks"},
            }
        },
    }
    workflow = Workflow(parse_config(raw), RecipeBook(recipes), tmp_path / "results")
    workflow.write_slices()
    for command in workflow.commands():
        run_command(command)
    task = workflow.graph().recipe_tasks("odd", 0)["pseudo"]
    masks = Artifact(task.manifest).open("train")
    for name, size in SIZES.items():
        assert masks[f"{name}.png"].shape == size
    assert not masks["empty.png"].any()
