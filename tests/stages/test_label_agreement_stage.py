"""Agreement of two sources of label maps: the function, and the stage that reads both."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seedbed.artifacts.artifact import Artifact
from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE
from seedbed.refine.agreement import agreeing_labels
from seedbed.runtime.contract import Job
from seedbed.stages.label_agreement import STAGE, run

FIRST = np.array([[0, 1, 2, 255, 255, 3]], np.uint8)
SECOND = np.array([[0, 2, 2, 1, 255, 255]], np.uint8)


class Labels(Artifact):
    """Label maps in memory."""

    def __init__(self, name: str, label_map: np.ndarray) -> None:
        self.folder, self.label_map = Path(name), label_map

    def open(self, split: str | None = None, shard: str | None = None) -> Any:
        assert (split, shard) == ("train", "train-0")
        return {"a": self.label_map}


def agreed(first: np.ndarray, second: np.ndarray, **parameters: Any) -> np.ndarray:
    job = object.__new__(Job)
    values = {
        "parameters": STAGE.validate(parameters, "test"),
        "inputs": {"labels": Labels("pseudo_masks", first), "others": Labels("predictions", second)},
        "image_ids": ("a",),
        "split": "train",
        "shard": "train-0",
    }
    for name, value in values.items():
        setattr(job, name, value)
    ((image_id, found),) = run(job)
    assert image_id == "a"
    return found


def test_what_differs_becomes_neutral() -> None:
    assert agreed(FIRST, SECOND).tolist() == [[0, 255, 2, 255, 255, 255]]


def test_a_neutral_pixel_may_take_the_other_label() -> None:
    assert agreed(FIRST, SECOND, one_neutral="other").tolist() == [[0, 255, 2, 1, 255, 3]]


@given(*(arrays(np.uint8, (2, 3), elements=st.sampled_from([0, 1, 2, IGNORE])) for _ in range(2)))
def test_either_order_gives_the_same_and_agreement_is_what_a_loop_finds(first, second) -> None:
    for one_neutral in ("neutral", "other"):
        found = agreeing_labels(first, second, one_neutral=one_neutral)
        assert (found == agreeing_labels(second, first, one_neutral=one_neutral)).all()
        for a, b, c in zip(first.ravel(), second.ravel(), found.ravel(), strict=True):
            labels = {int(a), int(b)} - ({IGNORE} if one_neutral == "other" else set())
            assert c == (labels.pop() if len(labels) == 1 else IGNORE)


def test_label_maps_of_two_sizes_are_refused() -> None:
    message = (
        r"pseudo_masks and predictions: expected label maps of 'a' of one size, got 6x1 and 2x3; run their"
    )
    with pytest.raises(SeedbedError, match=message):
        agreed(FIRST, np.zeros((3, 2), np.uint8))


def test_a_wrong_choice_is_refused() -> None:
    with pytest.raises(SeedbedError, match="one_neutral"):
        STAGE.validate({"one_neutral": "union"}, "test")
