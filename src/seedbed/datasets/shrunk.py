"""A data set whose photographs and masks are shrunk alike: `longest` of its declaration.

Photographs are averaged over the area of each new pixel, masks take the pixel nearest to its centre, so that no index
comes out that was not there. Images that are small enough stay as they are.
"""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seedbed.datasets.base import Dataset
from seedbed.datasets.files import image_size, size_fault
from seedbed.datasets.wrapped import WrappedDataset
from seedbed.errors import SeedbedError

Size = tuple[int, int]
"""Width and height, pixels."""


def shrunk_size(size: Size, longest: int) -> Size:
    """The size at which the longer side is at most `longest`; the shorter one is rounded, to at least one pixel."""
    factor = longest / max(size)
    return size if factor >= 1 else (max(1, round(factor * size[0])), max(1, round(factor * size[1])))


def shrunk_image(image: Image.Image, longest: int) -> Image.Image:
    """A photograph with at most `longest` pixels on its longer side, averaged over areas."""
    size = shrunk_size(image.size, longest)
    return image if size == image.size else image.resize(size, Image.Resampling.BOX)


def shrunk_mask(mask: UInt8[np.ndarray, "H W"], longest: int) -> UInt8[np.ndarray, "h w"]:
    """A mask with at most `longest` pixels on its longer side, by the nearest pixel."""
    return nearest(mask, shrunk_size((mask.shape[1], mask.shape[0]), longest))


def nearest(labels: UInt8[np.ndarray, "H W"], size: Size) -> UInt8[np.ndarray, "h w"]:
    """A label map or mask at another size: each pixel takes the one nearest to its centre."""
    if labels.shape == size[::-1]:
        return labels
    return np.array(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST))


class ShrunkDataset(WrappedDataset):
    """A `Dataset` in front of another one; whatever does not concern pixels is that one's.

    Args:
        whole: the data set as it is.
        longest: pixels of the longer side, at most.
    """

    def __init__(self, whole: Dataset, longest: int) -> None:
        super().__init__(whole)
        self.longest = longest

    def image(self, image_id: str) -> Image.Image:
        """The photograph, RGB, shrunk."""
        return shrunk_image(self.whole.image(image_id), self.longest)

    def mask(self, image_id: str) -> UInt8[np.ndarray, "height width"] | None:
        """Pixel truth, shrunk as the photograph is.

        Raises:
            SeedbedError: it does not have the photograph's size.
        """
        mask = self.whole.mask(image_id)
        if mask is None:
            return None
        self._check_size(image_id, (mask.shape[1], mask.shape[0]))
        return shrunk_mask(mask, self.longest)

    def _check_size(self, image_id: str, of_mask: Size) -> None:
        """Refuse a mask whose size is not its photograph's, which shrinking would hide."""
        path = self.whole.source(image_id)
        size = image_size(path) if path is not None else self.whole.image(image_id).size
        if of_mask != size:
            raise SeedbedError(
                f"data set {self.name!r}: expected a mask for image {image_id!r} {size_fault(size, of_mask)}"
            )
