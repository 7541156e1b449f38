"""Small pictures for the page: photographs, heat maps and label maps over them, as JPEG."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from seedbed.artifacts.label_maps import voc_palette
from seedbed.labels import IGNORE

QUALITY = 82
STRIPE = 3
"""Width of the stripes over neutral pixels, in pixels."""

Picture = UInt8[np.ndarray, "h w 3"]


def thumbnail_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """(height, width) of a thumbnail of at most `longest` pixels; small images keep their size."""
    scale = min(1.0, longest / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrink_photo(image: Image.Image, size: tuple[int, int]) -> Picture:
    """The photograph at (height, width) `size`."""
    return np.asarray(image.convert("RGB").resize(size[::-1], Image.Resampling.LANCZOS), dtype=np.uint8)


def shrink_labels(label_map: UInt8[np.ndarray, "H W"], size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """Nearest pixels of a label map at (height, width) `size`."""
    return np.asarray(Image.fromarray(label_map).resize(size[::-1], Image.Resampling.NEAREST), dtype=np.uint8)


def shrink_scores(score: Float32[np.ndarray, "H W"], size: tuple[int, int]) -> Float32[np.ndarray, "h w"]:
    """A score at (height, width) `size`."""
    return np.asarray(Image.fromarray(score).resize(size[::-1], Image.Resampling.BILINEAR), dtype=np.float32)


def overlay_labels(photo: Picture, label_map: UInt8[np.ndarray, "h w"]) -> Picture:
    """Classes in VOC's colours over the photograph, background dimmed, neutral pixels striped white."""
    palette = np.array(voc_palette(), dtype=np.float32).reshape(256, 3)
    base = photo.astype(np.float32)
    grey = base.mean(axis=2, keepdims=True)
    stripes = (np.indices(label_map.shape).sum(axis=0) // STRIPE % 2)[..., None]
    neutral = np.where(stripes == 1, 255.0, 0.45 * grey + 0.55 * 205)
    labels = label_map[..., None]
    painted = np.where(
        labels == IGNORE,
        neutral,
        np.where(labels == 0, 0.45 * base, 0.35 * grey + 0.65 * palette[label_map]),
    )
    return painted.round().astype(np.uint8)


def overlay_heat(photo: Picture, score: Float32[np.ndarray, "h w"]) -> Picture:
    """A score in [0, 1] as colour over the grey photograph: blue 0, red 1."""
    import matplotlib as mpl

    colours = mpl.colormaps["turbo"](np.clip(score, 0, 1))[..., :3].astype(np.float32) * 255
    grey = photo.astype(np.float32).mean(axis=2, keepdims=True)
    painted: np.ndarray = 0.45 * grey + 0.55 * colours
    return painted.round().astype(np.uint8)


def jpeg(picture: Picture) -> bytes:
    """JPEG bytes."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="JPEG", quality=QUALITY, optimize=True)
    return stream.getvalue()
