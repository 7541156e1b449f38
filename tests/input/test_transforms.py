"""Augmentation of one image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from seedbed.input.augmentation import Augmentation, ColourJitter, RandAugment
from seedbed.input.photometric import (
    COLOUR_OPERATIONS,
    GEOMETRIC_OPERATIONS,
    MEAN_COLOUR,
    jitter_colours,
    rand_augment,
    turn,
    turn_hue,
)
from seedbed.input.transforms import augment, draw_size, place, resize


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def photo(width: int, height: int) -> Image.Image:
    rows, columns = np.mgrid[:height, :width]
    red = np.stack([rows * 5 % 256, columns * 3 % 256, (rows + columns) % 256], axis=-1)
    return Image.fromarray(red.astype(np.uint8))


KEEP = Augmentation(resize_long=None, crop=4, flip=0)


def test_a_small_image_is_placed_and_padded():
    image, labels = photo(2, 3), np.array([[1, 2], [3, 0], [255, 4]], dtype=np.uint8)
    for seed in range(20):
        sample = augment(image, {"labels": labels}, KEEP, generator(seed))
        rows, columns = np.nonzero(sample.valid)
        assert sample.valid.sum() == 6
        top, left = rows.min(), columns.min()
        assert (sample.image[top : top + 3, left : left + 2] == np.asarray(image)).all()
        assert (sample.fields["labels"][top : top + 3, left : left + 2] == labels).all()
        assert (sample.image[~sample.valid] == MEAN_COLOUR).all()
        assert (sample.fields["labels"][~sample.valid] == 255).all()


def test_every_placement_is_drawn():
    corners = set()
    for seed in range(100):
        rows, columns = np.nonzero(augment(photo(3, 3), {}, KEEP, generator(seed)).valid)
        corners.add((rows.min(), columns.min()))
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_large_image_is_cropped_at_every_place():
    image = photo(6, 5)
    corners = set()
    for seed in range(200):
        sample = augment(image, {}, KEEP, generator(seed))
        assert sample.valid.all()
        found = [
            (y, x)
            for y in range(2)
            for x in range(3)
            if (np.asarray(image)[y : y + 4, x : x + 4] == sample.image).all()
        ]
        assert len(found) == 1
        corners.add(found[0])
    assert len(corners) == 6


def test_flips_move_labels_along():
    image, labels = photo(4, 4), np.arange(16, dtype=np.uint8).reshape(4, 4)
    sample = augment(image, {"labels": labels}, KEEP.model_copy(update={"flip": 1.0}), generator())
    assert (sample.image == np.asarray(image)[:, ::-1]).all()
    assert (sample.fields["labels"] == labels[:, ::-1]).all()


def test_half_of_the_images_are_flipped():
    image = photo(4, 4)
    plain = sum(
        (
            augment(image, {}, KEEP.model_copy(update={"flip": 0.5}), generator(s)).image == np.asarray(image)
        ).all()
        for s in range(200)
    )
    assert 70 <= plain <= 130  # binomial(200, 1/2): four standard deviations are 28


@pytest.mark.parametrize("size", [(100, 60), (60, 100), (1, 90), (90, 1)])
def test_resize_long_draws_every_integer_of_the_range(size):
    drawn = {draw_size(size, Augmentation(resize_long=(7, 10)), generator(s)) for s in range(100)}
    assert {max(d) for d in drawn} == {7, 8, 9, 10}
    for width, height in drawn:
        longer = max(width, height)
        assert (width, height) == tuple(max(1, round(s * longer / max(size))) for s in size)


def test_rescale_draws_factors():
    drawn = [draw_size((100, 50), Augmentation(rescale=(0.5, 1.5)), generator(s))[0] for s in range(200)]
    assert 50 <= min(drawn) < 60
    assert 140 < max(drawn) <= 150
    assert draw_size((7, 3), KEEP, generator()) == (7, 3)


def test_rescale_takes_the_place_of_the_default_and_not_of_a_given_size():
    assert Augmentation(rescale=(0.5, 1.5)).resize_long is None
    with pytest.raises(ValidationError, match="expected resize_long or rescale, but both are set"):
        Augmentation(rescale=(0.5, 1.5), resize_long=(1, 2))
    with pytest.raises(
        ValidationError, match=r"resize_long: expected \[low, high\], but 3 is greater than 2"
    ):
        Augmentation(resize_long=(3, 2))
    stored = Augmentation(rescale=(0.5, 1.5)).model_dump(mode="json")
    assert Augmentation.model_validate(stored).resize_long is None


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(33, 20), (90, 71)])
def test_resizing_agrees_with_pil(mode, size):
    image = photo(60, 40)
    expected = image.resize(size, getattr(Image.Resampling, mode.upper()))
    found = resize(np.asarray(image), *size, mode)
    assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1


def test_label_maps_keep_their_indices():
    labels = generator().choice(np.array([0, 3, 255], dtype=np.uint8), size=(17, 23))
    sample = augment(
        photo(23, 17), {"labels": labels}, Augmentation(resize_long=(64, 64), crop=64), generator()
    )
    assert set(np.unique(sample.fields["labels"])) == {0, 3, 255}
    # Twice the size, nearest: every pixel four times.
    assert (
        resize(labels[..., None], 46, 34, "nearest-exact")[..., 0] == labels.repeat(2, 0).repeat(2, 1)
    ).all()


def test_maps_are_resized_flipped_and_padded_with_the_image():
    """Two maps of 1 x 2 cells become 2 x 4: nearest cells keep the ends, bilinear ones mix the middle."""
    maps = np.array([[[0.0, 1.0]], [[1.0, 0.0]]], np.float32)
    kept = Augmentation(resize_long=(4, 4), crop=4, flip=0.0)
    found = augment(photo(2, 1), {"hints": maps, "features": maps[0, 0]}, kept, generator())
    (rows,) = np.nonzero(found.valid.any(axis=1))
    assert len(rows) == 2
    assert found.fields["hints"][0, rows] == pytest.approx(np.array([[0, 0.25, 0.75, 1]] * 2))
    assert not found.fields["hints"][:, ~found.valid].any()
    assert found.fields["features"].tolist() == [0, 1]
    flipped = augment(photo(2, 1), {"hints": maps}, kept.model_copy(update={"flip": 1.0}), generator())
    assert flipped.fields["hints"][0, rows] == pytest.approx(np.array([[1, 0.75, 0.25, 0]] * 2))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (np.zeros((4, 5), np.int64), r"got int64 \[4, 5\]"),
        (np.zeros((4, 5), np.float32), r"got float32 \[4, 5\]"),
        (np.zeros((1, 5, 4), np.float32), "expected maps of the image's size 5x4, but it is 4x5"),
    ],
)
def test_a_field_of_no_known_kind_or_another_size_is_refused(value, problem):
    with pytest.raises(ValueError, match=f"field hints: .*{problem}"):
        augment(photo(5, 4), {"hints": value}, KEEP, generator())


def test_a_label_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="expected a label map of the image's size 5x4, but it is 4x5"):
        augment(photo(5, 4), {"labels": np.zeros((5, 4), dtype=np.uint8)}, KEEP, generator())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6), st.booleans())
def test_any_size_gives_a_whole_crop(width, height, seed, geometric):
    augmentation = Augmentation(
        resize_long=(3, 30),
        crop=16,
        colour_jitter=ColourJitter(),
        randaugment=RandAugment(geometric=geometric),
    )
    labels = np.ones((height, width), dtype=np.uint8)
    one = augment(photo(width, height), {"labels": labels}, augmentation, generator(seed))
    two = augment(photo(width, height), {"labels": labels}, augmentation, generator(seed))
    assert one.image.shape == (16, 16, 3)
    assert (one.image == two.image).all()
    assert (one.fields["labels"] == two.fields["labels"]).all()
    assert (one.valid == two.valid).all()
    assert ((one.fields["labels"] == 1) == one.valid).all()
    assert set(np.unique(one.fields["labels"])) <= {1, 255}


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 100))
def test_places_lie_inside(length, crop, seed):
    start, to, extent = place(length, crop, generator(seed))
    assert extent == min(length, crop)
    assert 0 <= start <= length - extent
    assert 0 <= to <= crop - extent


def test_hues_turn():
    red = Image.new("RGB", (1, 1), (255, 0, 0))
    assert turn_hue(red, 0.0).getpixel((0, 0)) == (255, 0, 0)
    r, g, b = turn_hue(red, 1 / 3).getpixel((0, 0))
    assert (r, g, b) == pytest.approx((0, 255, 0), abs=6)  # green, within the 256 steps of the circle
    assert turn_hue(red, -0.5).getpixel((0, 0)) == pytest.approx((0, 255, 255), abs=6)


def test_jitter_of_nothing_changes_nothing_and_of_something_does():
    image = photo(20, 20)
    still = ColourJitter(brightness=0, contrast=0, saturation=0, hue=0)
    # A round trip through HSV alone costs up to a few grey levels.
    assert (
        np.abs(np.asarray(jitter_colours(image, still, generator())).astype(int) - np.asarray(image)).max()
        <= 6
    )
    darker = ColourJitter(brightness=0.5, contrast=0, saturation=0, hue=0)
    means = [np.asarray(jitter_colours(image, darker, generator(s))).mean() for s in range(30)]
    plain = np.asarray(image).mean()
    assert 0.5 * plain - 3 < min(means) < 0.75 * plain
    assert 1.2 * plain < max(means) < 1.5 * plain + 3


@pytest.mark.parametrize("name", COLOUR_OPERATIONS)
@pytest.mark.parametrize("m", [-1.0, 0.0, 1.0])
def test_colour_operations_keep_the_size(name, m):
    result = COLOUR_OPERATIONS[name](photo(9, 7), m)
    assert (result.size, result.mode) == ((9, 7), "RGB")


@pytest.mark.parametrize("name", ["identity", "posterize", "solarize", "brightness", "contrast", "colour"])
def test_magnitude_zero_changes_nothing(name):
    image = photo(9, 7)
    result = np.asarray(COLOUR_OPERATIONS[name](image, 0.0)).astype(int)
    assert np.abs(result - np.asarray(image)).max() == 0


def test_solarize_and_posterize_by_hand():
    image = Image.new("RGB", (1, 1), (200, 100, 250))
    # Magnitude 1/3 of 30: threshold 255 * 2/3 = 170; values from there on are inverted.
    assert COLOUR_OPERATIONS["solarize"](image, 1 / 3).getpixel((0, 0)) == (55, 100, 5)
    # 8 - round(4) = 4 bits are kept.
    assert COLOUR_OPERATIONS["posterize"](image, 1.0).getpixel((0, 0)) == (192, 96, 240)


@pytest.mark.parametrize("name", GEOMETRIC_OPERATIONS)
def test_geometric_operations_fix_the_centre_or_shift(name):
    a, b, c, d, e, f = GEOMETRIC_OPERATIONS[name](40, 30, 1.0)
    moved = (a * 20 + b * 15 + c, d * 20 + e * 15 + f)
    shift = {"shift_x": (150 / 331 * 40, 0), "shift_y": (0, 150 / 331 * 30)}.get(name, (0, 0))
    assert moved == pytest.approx((20 + shift[0], 15 + shift[1]))
    assert GEOMETRIC_OPERATIONS[name](40, 30, 0.0) == pytest.approx((1, 0, 0, 0, 1, 0))


def test_geometric_operations_move_labels_along():
    """A square of one colour, label and score stays one: pixels, labels and maps move together."""
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[12:28, 12:28] = 255
    labels = (pixels[..., 0] > 0).astype(np.uint8) * 7
    moved = 0
    for seed in range(40):
        image, planes, valid = rand_augment(
            Image.fromarray(pixels),
            {"labels": labels, "hints": (labels[None] / 7).astype(np.float32)},
            Image.new("L", (40, 40), 255),
            RandAugment(n=1, m=10, geometric=True),
            generator(seed),
        )
        label_map, (hints,) = planes["labels"], planes["hints"]
        moved += (label_map != labels).any()
        inside = np.asarray(valid) > 0
        assert (label_map[~inside] == 255).all()
        assert (hints[~inside] < 0.51).all()
        if (label_map != labels).any():
            bright = np.asarray(image)[..., 0] > 127
            assert ((label_map == 7) != bright)[inside].mean() < 0.05
            assert np.abs(hints - np.asarray(image)[..., 0] / 255)[inside].max() < 0.01
    assert moved >= 5


def test_colour_operations_alone_are_the_default():
    labels = generator().integers(0, 5, size=(8, 8)).astype(np.uint8)
    for seed in range(30):
        inside = Image.new("L", (8, 8), 255)
        _, planes, valid = rand_augment(photo(8, 8), {"a": labels}, inside, RandAugment(), generator(seed))
        assert (planes["a"] == labels).all()
        assert (np.asarray(valid) == 255).all()


def test_rotation_turns_labels_with_the_image_and_leaves_the_outside_without_label():
    """A quarter turn of a square moves every pixel onto another; 45 degrees cut the corners off."""
    image = photo(8, 8)
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    maps = np.ones((1, 8, 8), np.float32)
    valid = Image.new("L", (8, 8), 255)
    turned, planes, inside = turn(image, {"labels": labels, "maps": maps}, valid, np.pi / 2)
    assert (planes["labels"] == np.rot90(labels)).all() or (planes["labels"] == np.rot90(labels, -1)).all()
    assert np.asarray(inside).all()
    turned, planes, inside = turn(image, {"labels": labels, "maps": maps}, valid, np.pi / 4)
    outside = np.asarray(inside) == 0
    assert outside[0, 0]
    assert outside[7, 7]
    assert not outside[3:5, 3:5].any()
    assert (planes["labels"][outside] == 255).all()
    assert set(planes["labels"][~outside]) <= set(range(64))  # no mixture of labels
    assert (np.asarray(turned)[0, 0] == MEAN_COLOUR).all()


def test_rotation_is_drawn_to_both_sides_up_to_the_angle_and_nothing_else_moves():
    labels = np.tile(np.arange(9, dtype=np.uint8), (9, 1))
    whole = Augmentation(resize_long=None, crop=9, flip=0)
    still = augment(photo(9, 9), {"labels": labels}, whole, generator())
    assert (still.fields["labels"] == labels).all()
    corners = set()
    for seed in range(40):
        sample = augment(
            photo(9, 9), {"labels": labels}, whole.model_copy(update={"rotate": 45.0}), generator(seed)
        )
        assert (sample.fields["labels"][~sample.valid] == 255).all()
        assert (sample.image[~sample.valid] == MEAN_COLOUR).all()
        assert sample.fields["labels"][4, 4] == 4
        # Turned to one side the pixel above the centre comes from the left, to the other from the right.
        corners.add(int(np.sign(int(sample.fields["labels"][1, 4]) - 4)))
    assert corners == {-1, 0, 1}


def test_no_rotation_draws_nothing():
    """Only the flip and two places, so that trainings without it keep their bytes."""
    one, two = generator(1), generator(1)
    augment(photo(9, 9), {}, Augmentation(resize_long=None, crop=4), one)
    two.random(), two.integers(6), two.integers(6)
    assert one.random() == two.random()
