"""Counts per image: packed and restored, and refused where they do not fit."""

import base64
import zlib

import numpy as np
import pytest

from seedbed.metrics.image_counts import ImageCounts, unpack


def packed(counts: np.ndarray) -> ImageCounts:
    images = ImageCounts()
    for one in counts:
        images.add(one)
    return images


@pytest.mark.parametrize("images", [0, 1, 50])
def test_counts_come_back_whole(images: int) -> None:
    random = np.random.default_rng(1)
    counts = random.integers(0, 300_000, (images, 4, 5)) * (random.random((images, 4, 5)) < 0.2)
    found = unpack(packed(counts).packed(), images, 4)
    assert found.shape == (images, 20)
    assert np.array_equal(found.toarray(), counts.reshape(images, 20))


def test_a_hundred_images_take_a_few_kilobytes() -> None:
    """Each with background and one class in truth and prediction, 375 x 500 pixels."""
    random, images = np.random.default_rng(1), ImageCounts()
    for _ in range(100):
        counts, one = np.zeros((21, 22), np.int64), int(random.integers(1, 21))
        counts[np.ix_([0, one], [0, one, 21])] = random.integers(0, 60_000, (2, 3))
        images.add(counts)
    assert 500 < len(images.packed()) < 4000


def test_what_does_not_fit_is_refused() -> None:
    counts = np.arange(3 * 2 * 3).reshape(3, 2, 3)
    text = packed(counts).packed()
    with pytest.raises(ValueError, match=r"not those of 2 images|in the middle"):
        unpack(text, 2, 2)
    with pytest.raises(ValueError, match="not those of 1 classes"):
        unpack(text, 3, 1)
    with pytest.raises(ValueError, match="not readable"):
        unpack("*" + text, 3, 2)
    with pytest.raises(ValueError, match="not readable"):
        unpack(base64.b64encode(b"no zlib").decode(), 3, 2)
    cut = base64.b64encode(zlib.compress(zlib.decompress(base64.b64decode(text))[:-1])).decode()
    with pytest.raises(ValueError, match="not those of 3 images"):
        unpack(cut, 3, 2)
    with pytest.raises(ValueError, match=r"up to 4294967295, got 4294967296"):
        packed(np.full((1, 2, 3), 2**32)).packed()
