"""Notes on masks that contradict their labels as a whole."""

from pathlib import Path

import numpy as np
import pytest

from seedbed.datasets.mask_checks import MaskChecks

CAT = np.array([True, False])


def checked(*masks: list[int]) -> list[str]:
    checks = MaskChecks(("cat", "dog"), (1, 2))
    for number, mask in enumerate(masks):
        assert checks.check(Path(f"{number}.png"), np.array([mask], np.uint8), CAT) == []
    return checks.notes()


ABSENT = "no mask shows 'dog'"


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        ([[0, 1], [0, 1, 255]], []),
        ([[0, 0], [0, 1]], ["1 mask of an image with a class holds background only, 0.png"]),
        ([[0, 1], [0, 0], [0]], ["2 masks of images with a class hold background only, first 1.png"]),
        ([[1, 255], [1, 1]], ["no mask has a pixel of background (0); are 0 and 255 swapped?"]),
        ([[1, 255], [1, 0]], []),
    ],
)
def test_notes_of_all_masks(masks, told):
    assert checked(*masks) == [ABSENT, *told]


def test_a_background_mask_of_an_image_without_a_class_says_nothing():
    checks = MaskChecks(("cat", "dog"), (1, 2))
    checks.check(Path("a.png"), np.zeros((1, 2), np.uint8), np.array([False, False]))
    assert checks.notes() == ["no mask shows 'cat', 'dog'"]
