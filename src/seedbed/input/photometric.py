"""Colour jitter and RandAugment (Cubuk et al. 2020) on PIL images, with an explicit generator.

The ranges of RandAugment are those of its paper's operations (AutoAugment's, Cubuk et al. 2019, table 6) with
magnitudes out of 30. Operations never change the size of an image.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from seedbed.input.augmentation import ColourJitter, RandAugment
from seedbed.labels import IGNORE

MEAN_COLOUR = (124, 116, 104)
"""ImageNet's mean, in uint8: what moves in from outside the image."""

Affine = tuple[float, float, float, float, float, float]
"""Output pixel (x, y) is input pixel (a x + b y + c, d x + e y + f)."""


def jitter_colours(image: Image.Image, jitter: ColourJitter, rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue, each drawn anew, in random order.

    Args:
        image: RGB.
        jitter: the ranges.
        rng: the number of draws does not depend on the image.
    """
    factors = {
        "brightness": rng.uniform(1 - jitter.brightness, 1 + jitter.brightness),
        "contrast": rng.uniform(1 - jitter.contrast, 1 + jitter.contrast),
        "saturation": rng.uniform(1 - jitter.saturation, 1 + jitter.saturation),
        "hue": rng.uniform(-jitter.hue, jitter.hue),
    }
    for k in rng.permutation(4):
        name = list(factors)[k]
        image = _JITTER[name](image, factors[name])
    return image


def turn_hue(image: Image.Image, turn: float) -> Image.Image:
    """Shift the hue by a fraction of the full circle."""
    hue, saturation, value = image.convert("HSV").split()
    shift = round(turn * 256) % 256
    return Image.merge("HSV", (hue.point(lambda h: (h + shift) % 256), saturation, value)).convert("RGB")


_JITTER: Mapping[str, Callable[[Image.Image, float], Image.Image]] = {
    "brightness": lambda image, factor: ImageEnhance.Brightness(image).enhance(factor),
    "contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(factor),
    "saturation": lambda image, factor: ImageEnhance.Color(image).enhance(factor),
    "hue": turn_hue,
}

_FULL = 30

COLOUR_OPERATIONS: Mapping[str, Callable[[Image.Image, float], Image.Image]] = {
    "identity": lambda image, m: image,
    "autocontrast": lambda image, m: ImageOps.autocontrast(image),
    "equalize": lambda image, m: ImageOps.equalize(image),
    "posterize": lambda image, m: ImageOps.posterize(image, 8 - round(4 * abs(m))),
    "solarize": lambda image, m: ImageOps.solarize(image, round(255 * (1 - abs(m)))),
    "brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(1 + 0.9 * m),
    "contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(1 + 0.9 * m),
    "colour": lambda image, m: ImageEnhance.Color(image).enhance(1 + 0.9 * m),
    "sharpness": lambda image, m: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * m),
}
"""Name → operation; m is the magnitude in [−1, 1]."""

GEOMETRIC_OPERATIONS: Mapping[str, Callable[[int, int, float], Affine]] = {
    "shear_x": lambda width, height, m: (1.0, 0.3 * m, -0.3 * m * height / 2, 0.0, 1.0, 0.0),
    "shear_y": lambda width, height, m: (1.0, 0.0, 0.0, 0.3 * m, 1.0, -0.3 * m * width / 2),
    "shift_x": lambda width, height, m: (1.0, 0.0, 150 / 331 * m * width, 0.0, 1.0, 0.0),
    "shift_y": lambda width, height, m: (1.0, 0.0, 0.0, 0.0, 1.0, 150 / 331 * m * height),
    "rotate": lambda width, height, m: rotation(width, height, np.deg2rad(30) * m),
}
"""Name → matrix for width, height and the magnitude in [−1, 1]."""


def rotation(width: int, height: int, angle: float) -> Affine:
    """The matrix that turns an image about its centre, by an angle in radians."""
    cos, sin, x, y = np.cos(angle), np.sin(angle), width / 2, height / 2
    return cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y


def rand_augment(
    image: Image.Image,
    planes: Mapping[str, np.ndarray],
    valid: Image.Image,
    parameters: RandAugment,
    rng: np.random.Generator,
) -> tuple[Image.Image, dict[str, np.ndarray], Image.Image]:
    """n operations, drawn with replacement, each at magnitude m with a random sign.

    Args:
        image: RGB.
        planes: label maps (uint8 [h w]; 255 moves in) and maps (float32 [classes h w]; 0 moves in), moved along with
            geometric operations.
        valid: greyscale, moved along; 0 moves in.
        parameters: n, m, and whether operations may be geometric.
        rng: drawn from 2 n times, whatever the image.
    """
    moved = dict(planes)
    names = [*COLOUR_OPERATIONS, *(GEOMETRIC_OPERATIONS if parameters.geometric else ())]
    for _ in range(parameters.n):
        name = names[rng.integers(len(names))]
        m = parameters.m / _FULL * (1 if rng.random() < 0.5 else -1)
        if name in COLOUR_OPERATIONS:
            image = COLOUR_OPERATIONS[name](image, m)
            continue
        matrix = GEOMETRIC_OPERATIONS[name](*image.size, m)
        image, moved, valid = move_all(image, moved, valid, matrix)
    return image, moved, valid


def turn(
    image: Image.Image, planes: Mapping[str, np.ndarray], valid: Image.Image, angle: float
) -> tuple[Image.Image, dict[str, np.ndarray], Image.Image]:
    """Turn an image about its centre, by an angle in radians, with its planes and what of it is valid."""
    return move_all(image, planes, valid, rotation(*image.size, angle))


def move_all(
    image: Image.Image, planes: Mapping[str, np.ndarray], valid: Image.Image, matrix: Affine
) -> tuple[Image.Image, dict[str, np.ndarray], Image.Image]:
    """Move an image (the mean colour moves in), its planes and what of it is valid (0 moves in)."""
    return (
        move(image, matrix, Image.Resampling.BILINEAR, MEAN_COLOUR),
        {key: move_plane(plane, matrix) for key, plane in planes.items()},
        move(valid, matrix, Image.Resampling.NEAREST, 0),
    )


def move_plane(plane: np.ndarray, matrix: Affine) -> np.ndarray:
    """A label map (nearest pixel) or maps (bilinear) moved as the image is."""
    if plane.dtype == np.uint8:
        picture = Image.fromarray(np.ascontiguousarray(plane))
        return np.asarray(move(picture, matrix, Image.Resampling.NEAREST, IGNORE))
    channels = [Image.fromarray(np.ascontiguousarray(channel)) for channel in plane]
    moved = [np.asarray(move(channel, matrix, Image.Resampling.BILINEAR, 0)) for channel in channels]
    return np.stack(moved) if moved else plane


def move(
    image: Image.Image, matrix: Affine, resample: Image.Resampling, fill: int | tuple[int, ...]
) -> Image.Image:
    """An image of the same size whose pixel (x, y) is what the matrix says of this one, and `fill` outside."""
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample, fillcolor=fill)
