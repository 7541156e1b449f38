"""Names of the files written for images: `a.jpg` becomes `a.png`, `2007_01.b` becomes `2007_01.b.png`."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import PurePosixPath

from PIL import Image


@cache
def image_suffixes() -> frozenset[str]:
    """Suffixes of the files that Pillow reads, in lower case with the dot."""
    Image.init()
    return frozenset(suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN)


def names_of(images: Sequence[str]) -> list[str]:
    """A name for each image, without its suffix; if two names would be equal, both keep theirs.

    Args:
        images: ids or relative paths of images, `/` between folders.
    """
    short = [_without_suffix(image) for image in images]
    counts = Counter(short)
    names = [name if counts[name] == 1 else image for name, image in zip(short, images, strict=True)]
    return names if len(set(names)) == len(names) else list(images)


def _without_suffix(image: str) -> str:
    suffix = PurePosixPath(image).suffix
    return image.removesuffix(suffix) if suffix.lower() in image_suffixes() else image
