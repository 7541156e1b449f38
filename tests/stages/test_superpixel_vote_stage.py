"""The vote as a stage: what it reads and yields, and what it refuses."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from seedbed.datasets.index import IndexedDataset
from seedbed.errors import SeedbedError
from seedbed.stages.superpixel_vote import STAGE
from stages_in_process import StoredLabels, label_map_of

PHOTO = np.zeros((8, 16, 3), np.uint8)
PHOTO[:, 8:] = 200


class Photograph(IndexedDataset):
    def __init__(self) -> None:
        self.classes = ("cat",)

    def image(self, image_id: str) -> Image.Image:
        return Image.fromarray(PHOTO)


def voted(label_map: np.ndarray, **parameters: Any) -> np.ndarray:
    return label_map_of(
        STAGE, {"labels": StoredLabels("pseudo_masks", label_map)}, Photograph(), **parameters
    )


def test_each_half_takes_its_majority() -> None:
    """Two superpixels, the dark and the bright half; a stray row of each is outvoted, 255 stays."""
    labels = np.zeros((8, 16), np.uint8)
    labels[1:, 8:] = 1
    labels[7, :8] = 1
    labels[0, 0] = labels[0, 15] = 255
    expected = np.zeros((8, 16), np.uint8)
    expected[:, 8:] = 1
    expected[0, 0] = expected[0, 15] = 255
    assert (voted(labels, n_segments=2, compactness=0.001) == expected).all()


def test_smoothing_comes_after_the_vote() -> None:
    """Of 3 x 3 squares none changes a straight border, so a bigger one is needed: 31 covers all, and 0 wins."""
    labels = np.zeros((8, 16), np.uint8)
    labels[:, 8:] = 1
    labels[:, :8][:, 0] = 255
    found = voted(labels, n_segments=2, compactness=0.001, smoothing=31)
    # 56 pixels of 0 and 64 of 1 within each square that covers all; 255 stays.
    assert set(found[:, 1:].ravel()) == {1}
    assert set(found[:, 0]) == {255}


def test_a_label_map_of_another_size_is_refused() -> None:
    message = r"pseudo_masks: expected a label map of 'a' of its photograph's size 16x8, but it is 4x4; run its stage"
    with pytest.raises(SeedbedError, match=message):
        voted(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"smoothing": 4}, "expected an odd side of the square, got 4"),
        ({"compactness": 0}, "compactness"),
        ({"ties": "first"}, "ties"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SeedbedError, match=message):
        STAGE.validate(parameters, "test")
