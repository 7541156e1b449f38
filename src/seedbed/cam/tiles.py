"""Cut an image into tiles, and merge the tiles' maps: the puzzle of Puzzle-CAM (Jo & Yu 2021, §3.2).

Tiles are ordered by their place, row by row: first the upper left tiles of all images, then those to their right,
as in the published code.
"""

from jaxtyping import Float
from torch import Tensor


def tile(images: Float[Tensor, "batch channels H W"], side: int) -> Float[Tensor, "tiles channels h w"]:
    """Cut each image into side × side tiles of h = H / side by w = W / side.

    Args:
        images: images or any other maps.
        side: tiles along each axis; side² · batch tiles come out.

    Raises:
        ValueError: H or W is not a multiple of `side`.
    """
    batch, channels, height, width = images.shape
    if height % side or width % side:
        raise ValueError(
            f"expected a height and width that are multiples of {side}, for {side} x {side} tiles, "
            f"got {height} x {width}; choose another crop"
        )
    cut = images.reshape(batch, channels, side, height // side, side, width // side)
    return cut.permute(2, 4, 0, 1, 3, 5).reshape(-1, channels, height // side, width // side)


def merge(tiles: Float[Tensor, "tiles channels h w"], side: int) -> Float[Tensor, "batch channels H W"]:
    """Put tiles back together, the inverse of `tile`: H = side · h, W = side · w.

    Args:
        tiles: in the order in which `tile` returns them.
        side: tiles along each axis.

    Raises:
        ValueError: their number is not a multiple of side².
    """
    count, channels, height, width = tiles.shape
    if count % side**2:
        raise ValueError(f"expected a multiple of {side**2} tiles, got {count}; give all tiles of each image")
    laid = tiles.reshape(side, side, count // side**2, channels, height, width)
    return laid.permute(2, 3, 0, 4, 1, 5).reshape(-1, channels, side * height, side * width)
