"""Tile an image, and merge what was made of the tiles: the puzzle of Puzzle-CAM (Jo & Yu 2021, §3.2).

Tiles of all images stand one place after the other: all upper left ones, then those to their right, row by
row, as in the published code.
"""

from jaxtyping import Float
from torch import Tensor


def tile(images: Float[Tensor, "batch channels H W"], side: int) -> Float[Tensor, "tiles channels h w"]:
    """Cut each image into side × side tiles of h = H / side by w = W / side.

    Args:
        images: any maps.
        side: tiles along each axis; side² · batch tiles come out.

    Raises:
        ValueError: H or W is no multiple of `side`.
    """
    batch, channels, height, width = images.shape
    if height % side or width % side:
        raise ValueError(
            f"expected maps of a multiple of {side} for {side} x {side} tiles, got {height} x {width}; "
            "choose another crop"
        )
    cut = images.reshape(batch, channels, side, height // side, side, width // side)
    return cut.permute(2, 4, 0, 1, 3, 5).reshape(-1, channels, height // side, width // side)


def merge(tiles: Float[Tensor, "tiles channels h w"], side: int) -> Float[Tensor, "batch channels H W"]:
    """Put tiles together again, the inverse of `tile`: H = side · h, W = side · w.

    Raises:
        ValueError: their number is no multiple of side².
    """
    count, channels, height, width = tiles.shape
    if count % side**2:
        raise ValueError(f"expected a multiple of {side**2} tiles, got {count}; give all tiles of each image")
    laid = tiles.reshape(side, side, count // side**2, channels, height, width)
    return laid.permute(2, 3, 0, 4, 1, 5).reshape(-1, channels, side * height, side * width)
