"""From a photograph to a uint8 crop: resize, flip, rotation, colours, random crop (PSA, Ahn & Kwak 2018; IRN, 2019).

Images stay uint8 until they are on the device (`loaders.normalise`): a quarter of the bytes, and torch's
antialiased bicubic on uint8 is several times faster than PIL's and agrees with it to within one grey level.
The published code jitters colours before cropping; here it comes after, so contrast is relative to the crop. So does
rotation.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image
from torch.nn import functional

from seedbed.input.augmentation import Augmentation
from seedbed.input.fixmatch import fixmatch_augment
from seedbed.input.photometric import MEAN_COLOUR, jitter_colours, rand_augment, turn
from seedbed.labels import IGNORE

FIELDS = "a label map (uint8 [height width]), maps (float32 [classes height width]) or a vector (float32 [n])"
"""The kinds of per-image fields. Label maps take the nearest pixel and are padded with 255 (no label), maps are resized
bilinearly and padded with 0, vectors stay as they are."""


class Sample(NamedTuple):
    """One augmented training image."""

    image: UInt8[np.ndarray, "crop crop 3"]
    fields: Mapping[str, Shaped[np.ndarray, "..."]]
    """Cropped to the same size, except vectors."""
    valid: Bool[np.ndarray, "crop crop"]
    """False on padding."""


def augment(
    image: Image.Image,
    fields: Mapping[str, Shaped[np.ndarray, "..."]],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> Sample:
    """Augment one image and, with the same geometry, its fields.

    Args:
        image: RGB.
        fields: by name; see `FIELDS`.
        augmentation: what to do.
        rng: all randomness comes from it.

    Raises:
        ValueError: a field is of no known kind, or its size is not the image's.
    """
    planes = {name: value for name, value in fields.items() if _is_plane(name, value, image)}
    width, height = draw_size(image.size, augmentation, rng)
    flip = rng.random() < augmentation.flip
    top, to_top, rows = place(height, augmentation.crop, rng)
    left, to_left, columns = place(width, augmentation.crop, rng)
    source = (slice(top, top + rows), slice(left, left + columns))
    target = (slice(to_top, to_top + rows), slice(to_left, to_left + columns))

    pixels = resize(np.asarray(image), width, height, augmentation.interpolation)[source]
    planes = {name: resize_plane(value, width, height)[..., *source] for name, value in planes.items()}
    if flip:
        pixels = mirror(pixels)
        planes = {name: mirror_plane(value) for name, value in planes.items()}
    inside = np.full((rows, columns), True)
    own = (augmentation.colour_jitter, augmentation.randaugment, augmentation.fixmatch)
    if augmentation.rotate or own != (None, None, None):
        pixels, planes, inside = _on_the_crop(pixels, planes, augmentation, rng)

    canvas = _blank(augmentation.crop).copy()
    canvas[target] = pixels
    valid = np.zeros((augmentation.crop, augmentation.crop), dtype=bool)
    valid[target] = inside
    placed = {name: _padded(value, augmentation.crop, target) for name, value in planes.items()}
    return Sample(canvas, {name: placed.get(name, value) for name, value in fields.items()}, valid)


def _is_plane(name: str, value: np.ndarray, image: Image.Image) -> bool:
    """Whether a field has the image's height and width as its last axes."""
    kind = (value.dtype.name, value.ndim)
    if kind == ("float32", 1):
        return False
    if kind not in (("uint8", 2), ("float32", 3)):
        raise ValueError(f"field {name}: expected {FIELDS}; got {value.dtype} {list(value.shape)}")
    if value.shape[-2:] != (image.height, image.width):
        what = "a label map" if value.ndim == 2 else "maps"
        raise ValueError(
            f"field {name}: expected {what} of the image's size {image.width}x{image.height},"
            f" but it is {value.shape[-1]}x{value.shape[-2]}"
        )
    return True


def _padded(plane: np.ndarray, crop: int, target: tuple[slice, slice]) -> np.ndarray:
    fill = IGNORE if plane.dtype == np.uint8 else 0
    canvas = np.full((*plane.shape[:-2], crop, crop), fill, dtype=plane.dtype)
    canvas[..., *target] = plane
    return canvas


def draw_size(size: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator) -> tuple[int, int]:
    """The width and height to which an image is resized; at least one pixel each.

    Args:
        size: width and height of the image.
        augmentation: `resize_long`, else `rescale`, else the image keeps its size.
        rng: drawn from once, or not at all if the size is kept.
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
    """Resize uint8 pixels; `bicubic` and `bilinear` are antialiased.

    Args:
        pixels: of an image or a label map.
        width: of the result.
        height: of the result.
        mode: `bicubic`, `bilinear` or `nearest-exact`.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    # A batch that is truly channels-last (in its strides) takes torch's fast path and comes back channels-last.
    batch = torch.from_numpy(_own(pixels)[None]).permute(0, 3, 1, 2)
    resized = functional.interpolate(
        batch, size=(height, width), mode=mode, antialias=mode != "nearest-exact"
    )
    return np.ascontiguousarray(resized.permute(0, 2, 3, 1)[0].numpy())


def mirror(
    pixels: UInt8[np.ndarray, "height width *channels"],
) -> UInt8[np.ndarray, "height width *channels"]:
    """Flip left to right; torch does this twenty times faster than copying numpy's reversed view."""
    return torch.from_numpy(_own(pixels)).flip(1).numpy()


def _own(pixels: UInt8[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Contiguous and writable, as torch requires; copied only if it is not."""
    return np.require(pixels, requirements=["C", "W"])


def resize_plane(plane: Shaped[np.ndarray, "*channels h w"], width: int, height: int) -> np.ndarray:
    """Resize a label map (nearest pixel) or maps (bilinear, antialiased)."""
    if plane.shape[-2:] == (height, width):
        return plane
    if plane.dtype == np.uint8:
        return resize(plane[..., None], width, height, "nearest-exact")[..., 0]
    resized = functional.interpolate(
        torch.from_numpy(np.require(plane, requirements=["C", "W"]))[None],
        size=(height, width), mode="bilinear", antialias=True,
    )  # fmt: skip
    return np.asarray(resized[0].numpy())


def mirror_plane(plane: Shaped[np.ndarray, "*channels h w"]) -> np.ndarray:
    """Flip left to right."""
    return mirror(plane) if plane.dtype == np.uint8 else np.ascontiguousarray(plane[..., ::-1])


@lru_cache(maxsize=4)
def _blank(crop: int) -> UInt8[np.ndarray, "crop crop 3"]:
    return np.tile(np.array(MEAN_COLOUR, dtype=np.uint8), (crop, crop, 1))


def _on_the_crop(
    pixels: UInt8[np.ndarray, "h w 3"],
    planes: Mapping[str, np.ndarray],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "h w 3"], dict[str, np.ndarray], Bool[np.ndarray, "h w"]]:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    inside = Image.new("L", image.size, 255)
    moved = dict(planes)
    if augmentation.rotate:
        angle = np.deg2rad(rng.uniform(-augmentation.rotate, augmentation.rotate))
        image, moved, inside = turn(image, moved, inside, angle)
    if augmentation.colour_jitter is not None:
        image = jitter_colours(image, augmentation.colour_jitter, rng)
    if augmentation.randaugment is not None:
        image, moved, inside = rand_augment(image, moved, inside, augmentation.randaugment, rng)
    if augmentation.fixmatch is not None:
        image, moved = fixmatch_augment(image, moved, augmentation.fixmatch, rng)
    within = np.asarray(inside) > 0
    moved = {
        name: p if p.dtype == np.uint8 else np.where(within, p, np.float32(0)) for name, p in moved.items()
    }
    return np.asarray(image), moved, within
