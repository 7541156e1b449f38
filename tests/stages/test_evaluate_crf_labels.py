"""`crf_labels` of `evaluate`: which labels the CRF on a label map knows."""

from types import SimpleNamespace

import numpy as np
import pytest

from seedbed.artifacts.artifact import Artifact
from seedbed.runtime.contract import Job
from seedbed.runtime.crf_options import CrfOptions
from seedbed.stages.evaluate import EvaluateParameters, score_label_maps

LABEL_MAP = np.array([[0, 2, 2]], np.uint8)


class OneMap(Artifact):
    """A label map in memory."""

    def __init__(self):
        pass

    def open(self, split=None, shard=None):
        return {"a": LABEL_MAP}


@pytest.mark.parametrize(("choice", "asked", "counts"), [("found", 2, [0, 0, 3]), ("present", 3, [0, 3, 0])])
def test_labels_with_a_pixel_or_all_that_the_image_has(monkeypatch, choice, asked, counts):
    """Cat and dog are present, only dog (2) has pixels; a CRF that always says its second label."""
    numbers = []

    def second(labels, n):
        numbers.append(n)
        return np.ones(labels.shape, np.int64)

    monkeypatch.setattr(CrfOptions, "label_refiner", lambda self, image: second)
    job = object.__new__(Job)
    job.parameters = EvaluateParameters(crf="irn", crf_labels=choice)
    job.split, job.progress = "val", lambda items, total, name: items
    job.true_mask = lambda image_id: np.zeros((1, 3), np.uint8)
    job.dataset = SimpleNamespace(
        classes=("cat", "dog"),
        mask_classes=("cat", "dog"),
        mask_class_ids=lambda image_id: [0, 1],
        image_ids=lambda split: ("a",),
        image=lambda image_id: None,
        labels=lambda image_id: np.array([True, True]),
    )
    found = score_label_maps(job, OneMap())["counts"]
    assert numbers == [asked]
    assert found[0][:3] == counts
