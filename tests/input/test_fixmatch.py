"""FixMatch's RandAugment: factors, strengths and the square by hand, geometry against PIL's own operations."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from pydantic import ValidationError

from seedbed.input.augmentation import Augmentation, FixMatch, RandAugment
from seedbed.input.fixmatch import (
    BLACK,
    COLOUR_OPERATIONS,
    GEOMETRIC_OPERATIONS,
    enhancement,
    fixmatch_augment,
    square,
)
from seedbed.input.photometric import move
from seedbed.input.transforms import augment


def photo(width=20, height=12):
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows * 20 + 3, columns * 10 + 5, 200 - rows - columns], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def test_fourteen_operations_five_of_them_geometric():
    assert len(COLOUR_OPERATIONS) + len(GEOMETRIC_OPERATIONS) == 14
    assert len(GEOMETRIC_OPERATIONS) == 5


def test_enhancements_only_weaken():
    assert [enhancement(v) for v in (1, 5, 9)] == pytest.approx([0.14, 0.5, 0.86])
    expected = ImageEnhance.Brightness(photo()).enhance(0.41)
    assert np.array_equal(COLOUR_OPERATIONS["brightness"](photo(), 4), expected)


def test_posterize_and_solarize_by_hand():
    """Strength 9 keeps 4 + 3 bits and inverts from 256 - 230 = 26 on; strength 1 keeps 4 bits and inverts from 231."""
    grey = Image.fromarray(np.array([[[0, 25, 26], [230, 231, 255]]], np.uint8))
    assert np.asarray(COLOUR_OPERATIONS["posterize"](grey, 9)).ravel().tolist() == [0, 24, 26, 230, 230, 254]
    assert np.asarray(COLOUR_OPERATIONS["posterize"](grey, 1)).ravel().tolist() == [0, 16, 16, 224, 224, 240]
    assert np.asarray(COLOUR_OPERATIONS["solarize"](grey, 9)).ravel().tolist() == [0, 25, 229, 25, 24, 0]
    assert np.asarray(COLOUR_OPERATIONS["solarize"](grey, 1)).ravel().tolist() == [0, 25, 26, 230, 24, 0]


@pytest.mark.parametrize("v", [1, 4, 9])
@pytest.mark.parametrize("sign", [1, -1])
def test_geometry_is_pils(v, sign):
    image = photo()
    width, height = image.size

    def moved(name):
        matrix = GEOMETRIC_OPERATIONS[name](width, height, v, sign)
        return np.asarray(move(image, matrix, Image.Resampling.NEAREST, BLACK)).astype(int)

    def affine(*matrix):
        return np.asarray(image.transform(image.size, Image.Transform.AFFINE, matrix)).astype(int)

    shear = sign * 0.03 * v
    assert np.array_equal(moved("shear_x"), affine(1, shear, 0, 0, 1, 0))
    assert np.array_equal(moved("shear_y"), affine(1, 0, 0, shear, 1, 0))
    assert np.array_equal(moved("shift_x"), affine(1, 0, sign * int(0.03 * v * 20), 0, 1, 0))
    assert np.array_equal(moved("shift_y"), affine(1, 0, 0, 0, 1, sign * int(0.03 * v * 12)))
    turned = [np.asarray(image.rotate(angle)).astype(int) for angle in (3 * v, -3 * v)]
    differing = [(moved("rotate") != one).any(2).mean() for one in turned]
    assert min(differing) < 0.02
    assert max(differing) > 0.02 or v == 1


class Numbers(np.random.Generator):
    """A generator whose numbers are given."""

    def __init__(self, integers, randoms, uniforms):
        super().__init__(np.random.PCG64(0))
        self.given = {"integers": list(integers), "random": list(randoms), "uniform": list(uniforms)}

    def integers(self, *bounds):
        return self.given["integers"].pop(0)

    def random(self):
        return self.given["random"].pop(0)

    def uniform(self, low, high):
        return self.given["uniform"].pop(0)


NAMES = [*COLOUR_OPERATIONS, *GEOMETRIC_OPERATIONS]


def test_the_square_by_hand():
    """It begins 8 pixels before the point, at 0 at the earliest, and its last pixel is the 16th after its first."""
    assert square((100, 50), 16, Numbers((), (), (40.7, 5.0))) == (32, 0, 48, 16)
    assert square((100, 50), 16, Numbers((), (), (97.0, 49.0))) == (89, 41, 99, 49)


def test_operations_planes_and_square_by_hand():
    """The first operation is drawn but not applied; the second shifts by int(0.27 · 20) = 5 to the left."""
    labels = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20) % 7
    maps = np.linspace(0.1, 1, 240, dtype=np.float32).reshape(1, 12, 20)
    numbers = Numbers(
        (NAMES.index("solarize"), 9, NAMES.index("shift_x"), 9), (0.5, 0.9, 0.4, 0.4), (4.0, 2.0)
    )
    image, moved = fixmatch_augment(photo(), {"a": labels, "b": maps}, FixMatch(cutout=4), numbers)
    expected = np.zeros((12, 20, 3), np.uint8)
    expected[:, :15] = np.asarray(photo())[:, 5:]
    expected[0:5, 2:7] = 0
    assert np.array_equal(np.asarray(image), expected)
    known = np.full((12, 20), True)
    known[:, 15:] = known[0:5, 2:7] = False
    assert (moved["a"][~known] == 255).all()
    assert np.array_equal(moved["a"][:, :15][known[:, :15]], labels[:, 5:][known[:, :15]])
    assert (moved["b"][0][~known] == 0).all()
    assert np.array_equal(moved["b"][0, :, :15][known[:, :15]], maps[0, :, 5:][known[:, :15]])


def test_strengths_and_the_share_applied(monkeypatch):
    seen = []
    for name in COLOUR_OPERATIONS:
        monkeypatch.setitem(
            COLOUR_OPERATIONS, name, lambda image, v, name=name: seen.append((name, v)) or image
        )
    for name in GEOMETRIC_OPERATIONS:
        monkeypatch.setitem(
            GEOMETRIC_OPERATIONS,
            name,
            lambda w, h, v, sign, name=name: seen.append((name, v)) or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        )
    rng, image = np.random.default_rng(0), photo(2, 2)
    for _ in range(800):
        fixmatch_augment(image, {}, FixMatch(cutout=0), rng)
    assert {name for name, _ in seen} == set(NAMES)
    assert {v for _, v in seen} == set(range(1, 10))
    assert 0.45 < len(seen) / 1600 < 0.55


def test_it_is_part_of_the_augmentation_and_stands_alone():
    chosen = Augmentation(resize_long=None, crop=16, flip=0, fixmatch=FixMatch())
    sample = augment(photo(16, 16), {}, chosen, np.random.default_rng(1))
    assert (sample.image == 0).all(2).any()
    assert sample.valid.all()
    with pytest.raises(ValidationError, match="expected randaugment or fixmatch, but both are set"):
        Augmentation(randaugment=RandAugment(), fixmatch=FixMatch())
