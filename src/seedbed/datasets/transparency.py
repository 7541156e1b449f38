"""Refuse photographs with transparent pixels: below them lies mostly black, or the colours of a cut-out."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool
from PIL import Image

from seedbed.errors import SeedbedError

OPAQUE = 250
"""Alpha from which on a pixel counts as opaque: lossy WebP and scaled borders come near 255."""
GREY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}
"""By what Pillow multiplies the values of grey PNGs of 1, 2 and 4 bits, but not the value that is transparent."""


def refuse_transparent(path: Path, image: Image.Image, stored: str | None = None) -> None:
    """Refuse a photograph of which something behind it is seen.

    Args:
        path: its file, for the message.
        image: as opened.
        stored: how the pixels of a PNG are stored (`raw_mode`).

    Raises:
        SeedbedError: it has transparent pixels.
    """
    if share := float(_transparent(image, stored).mean()):
        raise SeedbedError(
            f"{path}: {max(share, 0.001):.1%} of its pixels are transparent, and nothing says what is seen behind "
            "them; save it without transparency, for instance on white"
        )


def raw_mode(image: Image.Image) -> str | None:
    """How the pixels of an image are stored, such as `L;4` or `RGB;16B`; known before they are read."""
    tiles = getattr(image, "tile", [])
    if not tiles:
        return None
    arguments = tiles[0].args
    return arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else None


def _transparent(image: Image.Image, stored: str | None) -> Bool[np.ndarray, "height width"]:
    none = np.zeros((image.height, image.width), dtype=bool)
    key = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(key, int):
        return np.asarray(np.asarray(image).astype(np.int64) == key)
    if not image.has_transparency_data or image.mode.startswith(("I", "F")):
        return none
    if image.mode in ("L", "1") and isinstance(key, int) and stored in GREY_STEPS:
        return np.asarray(np.asarray(image.convert("L")) == min(key * GREY_STEPS[stored], 255))
    if image.mode == "RGB" and isinstance(key, tuple) and stored == "RGB;16B":
        high = [value >> 8 for value in key]  # Pillow keeps the upper 8 bits of the pixels
        return np.asarray((np.asarray(image) == high).all(-1))
    return np.asarray(np.asarray(image.convert("RGBA"))[..., 3] < OPAQUE)
