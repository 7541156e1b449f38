"""Merging of parameters: by key, and inside mappings too."""

from pathlib import Path

import yaml

from seedbed.recipes import RecipeBook, overlay


def test_inner_mappings_merge_and_what_stands_above_wins() -> None:
    below = {"epochs": 5, "augmentation": {"crop": 160, "resize_long": [160, 320]}}
    above = {"augmentation": {"crop": 96}, "lr": 0.1}
    assert overlay(below, above) == {
        "epochs": 5,
        "augmentation": {"crop": 96, "resize_long": [160, 320]},
        "lr": 0.1,
    }
    assert below["augmentation"] == {"crop": 160, "resize_long": [160, 320]}


def test_a_recipe_keeps_what_it_does_not_name_of_a_nested_parameter(tmp_path: Path) -> None:
    base = {
        "nodes": {
            "classifier": {"stage": "train_classifier", "with": {"augmentation": {"crop": 160, "flip": 0.0}}}
        }
    }
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base))
    change = {"extends": "base", "nodes": {"classifier": {"with": {"augmentation": {"crop": 96}}}}}
    (tmp_path / "change.yaml").write_text(yaml.safe_dump(change))
    node = RecipeBook(tmp_path)["change"].nodes["classifier"]
    parameters = node.parameters({"augmentation": {"resize_long": [96, 128]}}, "test")
    augmentation = parameters.augmentation  # type: ignore[attr-defined]
    assert (augmentation.crop, augmentation.flip, augmentation.resize_long) == (96, 0.0, (96, 128))
