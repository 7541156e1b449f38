"""The paired bootstrap, against a slow one in plain Python that shares no code with it."""

import random
from statistics import fmean

import numpy as np
import pytest

from seedbed.metrics.bootstrap import draw_weights, drawn_scores, paired_intervals
from seedbed.metrics.image_counts import ImageCounts, unpack

CLASSES = 3
Images = list[dict[tuple[int, int], int]]
"""Pixels by (truth, prediction) of each image; CLASSES stands for neutral."""


def some_images(seed: int, skill: float, count: int = 40) -> Images:
    chance = random.Random(seed)
    found = []
    for place in range(count):
        truths = [0, 1 + place % 2]
        image: dict[tuple[int, int], int] = {}
        for truth in truths:
            for _ in range(20):
                right = chance.random() < skill
                predicted = truth if right else chance.randrange(CLASSES + 1)
                image[truth, predicted] = image.get((truth, predicted), 0) + 1
        found.append(image)
    return found


def slow_mean_iou(images: Images, drawn: list[int]) -> float:
    """Over the classes in truth or prediction; neutral pixels removed from both."""
    ious = []
    for k in range(CLASSES):
        hit = union = 0
        for place in drawn:
            for (truth, predicted), pixels in images[place].items():
                if predicted == CLASSES:
                    continue
                hit += pixels * (truth == k and predicted == k)
                union += pixels * (truth == k or predicted == k)
        if union:
            ious.append(hit / union)
    return fmean(ious)


def counts_of(images: Images) -> object:
    packed = ImageCounts()
    for image in images:
        counts = np.zeros((CLASSES, CLASSES + 1), np.int64)
        for place, pixels in image.items():
            counts[place] = pixels
        packed.add(counts)
    return unpack(packed.packed(), len(images), CLASSES)


def test_each_draw_has_the_score_of_the_drawn_images() -> None:
    images = some_images(1, 0.6)
    weights = np.concatenate(list(draw_weights(len(images), 5)))
    assert weights.shape == (5, 40)
    assert (weights.sum(axis=1) == 40).all()
    assert len(np.unique(weights, axis=0)) == 5
    found = drawn_scores(counts_of(images), CLASSES, draws=5)[:, 0]
    slow = [slow_mean_iou(images, np.repeat(np.arange(40), row).tolist()) for row in weights]
    assert found == pytest.approx(slow, abs=1e-12)


def test_the_interval_is_that_of_an_independent_bootstrap() -> None:
    """Two random seeds on each side; other draws, so the ends agree up to their own noise."""
    first, second = (
        [some_images(s, skill, 15) for s in seeds] for skill, seeds in ((0.5, (1, 2)), (0.6, (3, 4)))
    )
    chance, slow = random.Random(9), []
    for _ in range(600):
        drawn = [chance.randrange(15) for _ in range(15)]
        means = [fmean(slow_mean_iou(images, drawn) for images in side) for side in (first, second)]
        slow.append(means[1] - means[0])
    slow.sort()
    sides = [
        [drawn_scores(counts_of(images), CLASSES, draws=500) for images in side] for side in (first, second)
    ]
    low, high = paired_intervals(*sides)[0]
    assert (low, high) == pytest.approx((slow[15], slow[584]), abs=0.01)
    assert high - low > 0.04


def test_a_side_against_itself_and_a_class_that_no_draw_has() -> None:
    scores = drawn_scores(counts_of(some_images(1, 0.6)), CLASSES, draws=50)
    assert paired_intervals([scores], [scores]) == [(0.0, 0.0)] * (CLASSES + 1)
    nothing = np.full_like(scores, np.nan)
    assert all(np.isnan(end) for one in paired_intervals([scores], [nothing]) for end in one)


def test_classes_of_a_draw() -> None:
    """One image, perfect: every draw is it. The IoU of class 2, in neither truth nor prediction, is undefined."""
    image = {(0, 0): 5, (1, 1): 3, (1, CLASSES): 4}
    dropped = drawn_scores(counts_of([image]), CLASSES, draws=2)
    missed = drawn_scores(counts_of([image]), CLASSES, neutral="missed", draws=2)
    assert np.array_equal(dropped, [[1, 1, 1, np.nan]] * 2, equal_nan=True)
    assert np.allclose(missed, [[(1 + 3 / 7) / 2, 1, 3 / 7, np.nan]] * 2, equal_nan=True)
