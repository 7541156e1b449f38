"""What `evaluate` keeps of each image, and what `label_areas` says of label maps without masks; on hand-made maps."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from result_files import change
from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.maps import Maps
from seedbed.datasets.index import IndexedDataset
from seedbed.errors import SeedbedError
from seedbed.metrics.confusion import confusion_counts
from seedbed.runtime.contract import Job, Stage
from seedbed.runtime.judging import read_judgement
from seedbed.stages.evaluate import STAGE as EVALUATE
from seedbed.stages.evaluate import run as evaluate
from seedbed.stages.label_areas import STAGE as AREAS
from seedbed.stages.label_areas import run as label_areas
from stages_in_process import StoredMaps

TRUTH = {
    "a": np.array([[0, 0, 1, 1, 255, 0]], np.uint8),
    "b": np.array([[2, 2, 2, 0, 0, 0]], np.uint8),
    "c": np.zeros((1, 6), np.uint8),
}
FOUND = {
    "a": np.array([[0, 1, 1, 255, 1, 0]], np.uint8),
    "b": np.array([[1, 255, 0, 0, 0, 0]], np.uint8),
    "c": np.zeros((1, 6), np.uint8),
}
CAMS = {
    "a": Maps((0,), (1, 6), (np.array([[[0.1, 0.6, 0.9, 1.0, 1.0, 0.25]]], np.float32),)),
    "b": Maps((1,), (1, 6), (np.array([[[1.0, 0.5, 0.25, 0.3, 0.0, 0.0]]], np.float32),)),
    "c": Maps((), (1, 6), (np.zeros((0, 1, 6), np.float32),)),
}


class Photographs(IndexedDataset):
    def __init__(self) -> None:
        self.classes = self.mask_classes = ("cat", "dog")
        self.mask_lookup = np.arange(256, dtype=np.uint8)

    def image_ids(self, split: str) -> tuple[str, ...]:
        return tuple(TRUTH)

    def mask(self, image_id: str) -> np.ndarray:
        return TRUTH[image_id]

    def size(self, image_id: str) -> tuple[int, int]:
        return (1, 6)

    def mask_class_ids(self, image_id: str) -> list[int]:
        return np.flatnonzero(self.labels(image_id)).tolist()

    def labels(self, image_id: str) -> np.ndarray:
        return np.array([1 in TRUTH[image_id], 2 in TRUTH[image_id]])


def job(stage: Stage, target: Any, **parameters: Any) -> Job:
    found = object.__new__(Job)
    values = {
        "parameters": stage.validate(parameters, "test"),
        "slice": {"dataset": "toy", "node": "masks", "split": "train"},
        "dataset": Photographs(),
        "contents": {},
        "inputs": {"target": target},
        "split": "train",
        "image_ids": (),
        "shard": "",
        "ledger": [],
        "progress": lambda items, total, name: iter(items),
    }
    for name, value in values.items():
        setattr(found, name, value)
    return found


class StoredLabelMaps(Artifact):
    """Pseudo masks in memory."""

    def __init__(self) -> None:
        self.folder = Path("masks")
        self.manifest = SimpleNamespace(facts={"meaning": "pseudo_masks", "classes": ["cat", "dog"]})

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        return FOUND


def label_maps() -> StoredLabelMaps:
    return StoredLabelMaps()


def cams() -> StoredMaps:
    stored = StoredMaps("none", **CAMS)
    stored.folder = Path("cams")
    stored.manifest.facts["meaning"] = "cams"
    return stored


def written(content: bytes, folder: Path) -> Path:
    path = folder / "masks-train.json"
    path.write_bytes(content)
    return path


def test_counts_of_each_label_map(tmp_path: Path) -> None:
    found = read_judgement(written(evaluate(job(EVALUATE, label_maps())), tmp_path))
    wanted = [confusion_counts(TRUTH[i], FOUND[i], 3).ravel() for i in TRUTH]
    assert np.array_equal(found.image_counts.toarray(), wanted)
    assert np.sum(wanted, axis=0).tolist() == np.ravel(found.content["counts"]).tolist()


def test_counts_of_each_cam_at_the_fixed_threshold(tmp_path: Path) -> None:
    """Background where the score is at most 0.25, the threshold included."""
    found = read_judgement(written(evaluate(job(EVALUATE, cams(), background_score=0.25)), tmp_path))
    decided = {
        "a": np.array([[0, 1, 1, 1, 1, 0]], np.uint8),
        "b": np.array([[2, 2, 0, 2, 0, 0]], np.uint8),
        "c": np.zeros((1, 6), np.uint8),
    }
    wanted = [confusion_counts(TRUTH[i], decided[i], 3).ravel() for i in TRUTH]
    assert np.array_equal(found.image_counts.toarray(), wanted)


def test_counts_of_merged_classes(tmp_path: Path) -> None:
    both = {"cat": "pet", "dog": "pet"}
    found = read_judgement(written(evaluate(job(EVALUATE, label_maps(), class_map=both)), tmp_path))
    merged = [
        confusion_counts(
            (TRUTH[i] > 0) + (TRUTH[i] == 255) * np.uint8(254), np.where(FOUND[i] == 2, 1, FOUND[i]), 2
        )
        for i in TRUTH
    ]
    assert np.array_equal(found.image_counts.toarray(), [one.ravel() for one in merged])


def test_counts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    """Even where the file's digest fits."""
    path = written(evaluate(job(EVALUATE, label_maps())), tmp_path)
    content = json.loads(path.read_bytes())
    change(path, counts=[[row[0] + 1, *row[1:]] for row in content["counts"]])
    with pytest.raises(
        SeedbedError, match=r"the counts per image do not add up to the counts\); run its stage again"
    ):
        read_judgement(path)
    change(
        path,
        counts=content["counts"],
        image_counts={"images": 4, "packed": content["image_counts"]["packed"]},
    )
    with pytest.raises(SeedbedError, match=r"not those of 4 images|middle of a number"):
        read_judgement(path)


def test_areas_by_hand() -> None:
    """18 pixels: 2 neutral, 4 of cat, none of dog; b is labelled dog, and c has no label."""
    scores = json.loads(label_areas(job(AREAS, label_maps())))["scores"]
    assert scores["neutral_ratio"] == 2 / 18
    assert scores["foreground_area"] == 4 / 18
    assert scores["labelled_without_pixel"] == 1 / 2
    assert scores["images_without_foreground"] == 1 / 3
    assert scores["per_class"] == {
        "background": {"area": 12 / 18},
        "cat": {"area": 4 / 18, "images": 1, "without_pixel": 0.0},
        "dog": {"area": 0.0, "images": 1, "without_pixel": 1.0},
    }
