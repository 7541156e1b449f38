"""FixMatch's variant of RandAugment (Sohn et al. 2020, table 12), as the code of Puzzle-CAM and P-NOC runs it.

Neither torchvision's `RandAugment` (always applied, one strength, enhancements to both sides of 1) nor timm's
(`rand-m10-n2-p0.5`: other operations and ranges) matches. Enhancements only weaken: their factors run from 0.14 to
0.86. Geometric operations turn about the centre (rotation) or the upper left corner (shears), take the nearest pixel,
and black moves in. The published code augments before it crops, here it is the crop that is augmented.
"""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from seedbed.input.augmentation import FixMatch
from seedbed.input.photometric import Affine, move, move_plane, rotation
from seedbed.labels import IGNORE

BLACK = (0, 0, 0)
_FULL = 10

COLOUR_OPERATIONS: Mapping[str, Callable[[Image.Image, int], Image.Image]] = {
    "autocontrast": lambda image, v: ImageOps.autocontrast(image),
    "brightness": lambda image, v: ImageEnhance.Brightness(image).enhance(enhancement(v)),
    "colour": lambda image, v: ImageEnhance.Color(image).enhance(enhancement(v)),
    "contrast": lambda image, v: ImageEnhance.Contrast(image).enhance(enhancement(v)),
    "equalize": lambda image, v: ImageOps.equalize(image),
    "identity": lambda image, v: image,
    "posterize": lambda image, v: ImageOps.posterize(image, 4 + 4 * v // _FULL),
    "sharpness": lambda image, v: ImageEnhance.Sharpness(image).enhance(enhancement(v)),
    "solarize": lambda image, v: ImageOps.solarize(image, 256 - 256 * v // _FULL),
}
"""Name → operation; v is the strength out of 10."""

GEOMETRIC_OPERATIONS: Mapping[str, Callable[[int, int, int, int], Affine]] = {
    "rotate": lambda width, height, v, sign: rotation(width, height, np.deg2rad(sign * (30 * v // _FULL))),
    "shear_x": lambda width, height, v, sign: (1.0, sign * 0.3 * v / _FULL, 0.0, 0.0, 1.0, 0.0),
    "shear_y": lambda width, height, v, sign: (1.0, 0.0, 0.0, sign * 0.3 * v / _FULL, 1.0, 0.0),
    "shift_x": lambda width, height, v, sign: (
        1.0,
        0.0,
        float(sign * int(0.3 * v / _FULL * width)),
        0.0,
        1.0,
        0.0,
    ),
    "shift_y": lambda width, height, v, sign: (
        1.0,
        0.0,
        0.0,
        0.0,
        1.0,
        float(sign * int(0.3 * v / _FULL * height)),
    ),
}
"""Name → matrix for width, height, the strength out of 10 and the sign."""


def enhancement(v: int) -> float:
    """Factor of an enhancement at strength v: 0.05 + 0.9 v / 10, where 1 would leave the image as it is."""
    return 0.05 + 0.9 * v / _FULL


def fixmatch_augment(
    image: Image.Image, planes: Mapping[str, np.ndarray], parameters: FixMatch, rng: np.random.Generator
) -> tuple[Image.Image, dict[str, np.ndarray]]:
    """n operations, drawn with replacement, each with probability 1/2, at a strength from 1 to m - 1; then the square.

    Args:
        image: RGB.
        planes: label maps (uint8 [h w]) and maps (float32 [classes h w]), moved along with geometric operations; where
            black moves in or the square lies, they have no label (255) and score 0.
        parameters: n, m and the side of the square.
        rng: drawn from 4 n + 2 times, whatever the image.
    """
    moved = dict(planes)
    names = [*COLOUR_OPERATIONS, *GEOMETRIC_OPERATIONS]
    for _ in range(parameters.n):
        name, v = names[rng.integers(len(names))], int(rng.integers(1, parameters.m))
        applied, sign = rng.random() < 0.5, 1 if rng.random() < 0.5 else -1
        if not applied:
            continue
        if name in COLOUR_OPERATIONS:
            image = COLOUR_OPERATIONS[name](image, v)
            continue
        matrix = GEOMETRIC_OPERATIONS[name](*image.size, v, sign)
        image = move(image, matrix, Image.Resampling.NEAREST, BLACK)
        moved = {key: move_plane(plane, matrix) for key, plane in moved.items()}
    left, top, right, bottom = square(image.size, parameters.cutout, rng)
    if parameters.cutout:
        image = image.copy()
        ImageDraw.Draw(image).rectangle((left, top, right, bottom), BLACK)
        moved = {key: plane.copy() for key, plane in moved.items()}
        for plane in moved.values():
            plane[..., top : bottom + 1, left : right + 1] = IGNORE if plane.dtype == np.uint8 else 0
    return image, moved


def square(size: tuple[int, int], side: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel, all inside the square, which begins half a side before a random point.

    As in the published code, the last ones are `side` pixels after the first, so that it has `side` + 1 of them.
    """
    starts = [int(max(0.0, rng.uniform(0, length) - side / 2)) for length in size]
    ends = [min(length - 1, start + side) for length, start in zip(size, starts, strict=True)]
    return starts[0], starts[1], ends[0], ends[1]
