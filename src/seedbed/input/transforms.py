"""From a photograph to a uint8 crop: resize, flip, colours, random crop (PSA, Ahn & Kwak 2018; IRN, 2019).

Images stay uint8 until they are on the device (`loaders.normalise`): a quarter of the bytes, and torch's
antialiased bicubic on uint8 is several times faster than PIL's, with which it agrees to one grey level.
The published codes jitter colours before they crop; here after it, so contrast is taken relative to the crop.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image
from torch.nn import functional

from seedbed.input.augmentation import Augmentation
from seedbed.input.photometric import MEAN_COLOUR, jitter_colours, rand_augment
from seedbed.labels import IGNORE


class Sample(NamedTuple):
    """One augmented training image."""

    image: UInt8[np.ndarray, "crop crop 3"]
    label_map: UInt8[np.ndarray, "crop crop"] | None
    """255 where there is no label, padding included."""
    valid: Bool[np.ndarray, "crop crop"]
    """False on padding."""


def augment(
    image: Image.Image,
    label_map: UInt8[np.ndarray, "height width"] | None,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Sample:
    """Augment one image and, with the same geometry, its label map.

    Args:
        image: RGB.
        label_map: pixel labels of the image's size, 255 = none.
        augmentation: what to do.
        rng: all randomness comes from it.

    Raises:
        ValueError: the label map has another size than the image.
    """
    if label_map is not None and label_map.shape != (image.height, image.width):
        raise ValueError(
            f"expected a label map of the image's size {image.width}x{image.height},"
            f" but it is {label_map.shape[1]}x{label_map.shape[0]}"
        )
    width, height = draw_size(image.size, augmentation, rng)
    flip = rng.random() < augmentation.flip
    top, to_top, rows = place(height, augmentation.crop, rng)
    left, to_left, columns = place(width, augmentation.crop, rng)
    source = (slice(top, top + rows), slice(left, left + columns))
    target = (slice(to_top, to_top + rows), slice(to_left, to_left + columns))

    pixels = resize(np.asarray(image), width, height, augmentation.interpolation)
    labels = (
        None if label_map is None else resize(label_map[..., None], width, height, "nearest-exact")[..., 0]
    )
    pixels, labels = pixels[source], None if labels is None else labels[source]
    if flip:
        pixels, labels = mirror(pixels), None if labels is None else mirror(labels)
    inside = np.full((rows, columns), True)
    if augmentation.colour_jitter is not None or augmentation.randaugment is not None:
        pixels, labels, inside = _photometric(pixels, labels, augmentation, rng)

    shape = (augmentation.crop, augmentation.crop)
    canvas = _blank(augmentation.crop).copy()
    canvas[target] = pixels
    valid = np.zeros(shape, dtype=bool)
    valid[target] = inside
    if labels is None:
        return Sample(canvas, None, valid)
    map_canvas = np.full(shape, IGNORE, dtype=np.uint8)
    map_canvas[target] = labels
    return Sample(canvas, map_canvas, valid)


def draw_size(size: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator) -> tuple[int, int]:
    """The width and height to which an image is resized; at least one pixel each.

    Args:
        size: width and height of the image.
        augmentation: `resize_long`, else `rescale`, else the image keeps its size.
        rng: drawn from once, or not at all where the size is kept.
    """
    if augmentation.resize_long is not None:
        low, high = augmentation.resize_long
        factor = int(rng.integers(low, high + 1)) / max(size)
    elif augmentation.rescale is not None:
        factor = rng.uniform(*augmentation.rescale)
    else:
        return size
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def place(length: int, crop: int, rng: np.random.Generator) -> tuple[int, int, int]:
    """Where a crop begins in the image, where it lands in the crop, and how long it is, along one side.

    Along a side shorter than the crop the whole image is kept and placed at random.
    """
    offset = int(rng.integers(abs(length - crop) + 1))
    return (offset, 0, crop) if length >= crop else (0, offset, length)


def resize(
    pixels: UInt8[np.ndarray, "height width channels"], width: int, height: int, mode: str
) -> UInt8[np.ndarray, "new_height new_width channels"]:
    """Resize uint8 pixels on one thread's worth of work; `bicubic` and `bilinear` are antialiased.

    Args:
        pixels: of an image or a label map.
        width: of the result.
        height: of the result.
        mode: `bicubic`, `bilinear` or `nearest-exact`.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    # A true channels-last batch (strides too) takes torch's fast path and comes back channels-last.
    batch = torch.from_numpy(_own(pixels)[None]).permute(0, 3, 1, 2)
    resized = functional.interpolate(
        batch, size=(height, width), mode=mode, antialias=mode != "nearest-exact"
    )
    return np.ascontiguousarray(resized.permute(0, 2, 3, 1)[0].numpy())


def mirror(
    pixels: UInt8[np.ndarray, "height width *channels"],
) -> UInt8[np.ndarray, "height width *channels"]:
    """Flip left and right; torch does this twenty times faster than a copy of numpy's reversed view."""
    return torch.from_numpy(_own(pixels)).flip(1).numpy()


def _own(pixels: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Contiguous and writable, which torch asks for; a copy only where it is not."""
    return np.require(pixels, requirements=["C", "W"])


@lru_cache(maxsize=4)
def _blank(crop: int) -> UInt8[np.ndarray, "crop crop 3"]:
    return np.tile(np.array(MEAN_COLOUR, dtype=np.uint8), (crop, crop, 1))


def _photometric(
    pixels: UInt8[np.ndarray, "h w 3"],
    labels: UInt8[np.ndarray, "h w"] | None,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"] | None, Bool[np.ndarray, "h w"]]:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    label_image = None if labels is None else Image.fromarray(np.ascontiguousarray(labels))
    inside = Image.new("L", image.size, 255)
    if augmentation.colour_jitter is not None:
        image = jitter_colours(image, augmentation.colour_jitter, rng)
    if augmentation.randaugment is not None:
        image, label_image, inside = rand_augment(image, label_image, inside, augmentation.randaugment, rng)
    return (
        np.asarray(image),
        None if label_image is None else np.asarray(label_image),
        np.asarray(inside) > 0,
    )
