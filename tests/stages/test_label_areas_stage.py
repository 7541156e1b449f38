"""`label_areas` of label maps whose classes a `class_map` joined, by hand."""

import json
from types import SimpleNamespace

import numpy as np

from seedbed.datasets.index import Index, IndexedDataset, IndexRow
from seedbed.runtime.contract import Job
from seedbed.stages.label_areas import STAGE, run

MAPS = {"a": np.array([[0, 1, 1, 255]], np.uint8), "b": np.zeros((1, 4), np.uint8)}
LABELS = {"a": (True, False, True), "b": (False, True, True)}
LOOKUP = np.arange(256, dtype=np.uint8)
LOOKUP[1:4] = 1, 1, 0
"""Cat and dog are pets; cow is background."""


def test_labels_are_joined_as_the_label_maps_are() -> None:
    rows = tuple(IndexRow(i, "val", 4, 1, "0", labels) for i, labels in LABELS.items())
    whole = SimpleNamespace(
        name="toy", classes=("cat", "dog", "cow"), mask_classes=("pet",), mask_lookup=LOOKUP
    )
    dataset = object.__new__(IndexedDataset)
    dataset.name, dataset.classes, dataset.mask_classes = "toy", whole.classes, whole.mask_classes
    dataset.mask_lookup, dataset.index = LOOKUP, Index(whole.classes, rows)
    assert [dataset.mask_class_ids(i) for i in LABELS] == [[0], [0]]
    job = object.__new__(Job)
    target = SimpleNamespace(open=lambda split: MAPS, meaning=SimpleNamespace(score="prediction"))
    job.dataset, job.split, job.ledger, job.contents = dataset, "val", [], {}
    job.slice, job.parameters = {"dataset": "toy", "node": "predictions"}, STAGE.validate({}, "test")
    job.progress = lambda items, total, label: iter(items)
    job.artifact = lambda name: target  # type: ignore[method-assign]
    scores = json.loads(run(job))["scores"]
    assert scores["per_class"] == {
        "background": {"area": 5 / 8},
        "pet": {"area": 2 / 8, "images": 2, "without_pixel": 1 / 2},
    }
    assert scores["labelled_without_pixel"] == 1 / 2
    assert scores["neutral_ratio"] == 1 / 8
