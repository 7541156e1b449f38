"""Read photographs and index masks from files, and say in one line what is wrong with one."""

import os
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE, MOST_PIXELS
from seedbed.regular_files import open_regular, system_reason

UNKNOWN = 254
"""The value to which a lookup table maps indices that stand for no class."""

_TRUNCATED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    UnidentifiedImageError,
    LookupError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Formats in which photographs are read, whatever a file is called (MPO counts as JPEG).

Pillow knows many more, and some of them, such as EPS, run programs."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""Endings of photographs, in lower case."""
# fmt: off
UNREADABLE = frozenset({
    ".heic", ".heif", ".avif", ".jxl", ".eps", ".psd", ".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw",
    ".srf", ".sr2", ".raf", ".orf", ".rw2", ".rwl", ".pef", ".3fr",
})
# fmt: on
"""Endings of photographs that are not read, in lower case; they are named, not passed over."""
FORMULA = ("=", "+", "-", "@")
"""What begins so is a formula to spreadsheets that open our tables: no id and no class may."""
LONGEST_NAME = 255
MOST_CLASSES = 253
"""Indices 1 … 253 of an 8-bit mask: 0 is background, 254 and 255 stand for no class."""

_ORIENTATION = 0x0112
_FIRST_ON_ITS_SIDE = 5
"""Of the eight values of the EXIF tag Orientation, 5 to 8 turn the image by a right angle."""

PNGS = ", and masks are PNGs"
"""Advice where a mask is there with another ending."""
OPAQUE = 250
"""Alpha from which on a pixel counts as opaque: lossy WebP and scaled borders come near 255."""
_SCALED_GREY = {"1": 255, "L;2": 85, "L;4": 17}
"""Factor by which Pillow scales the indices of grey PNGs of 1, 2 and 4 bits."""


@contextmanager
def memory_for(what: object) -> Iterator[None]:
    """Name the photograph or mask for whose pixels there is no memory.

    Raises:
        SeedbedError: instead of a `MemoryError`.
    """
    try:
        yield
    except MemoryError as error:
        raise SeedbedError(
            f"{what}: out of memory while it was read; close other programs, or make the photograph smaller"
        ) from error


def read_image(path: Path) -> Image.Image:
    """A photograph as RGB, turned as its EXIF orientation says.

    Raises:
        SeedbedError: the file is missing, not an image of a format in `FORMATS`, truncated, of an unknown range, or has
            transparent pixels.
    """
    try:
        with (
            memory_for(path),
            open_regular(path) as stream,
            Image.open(stream, formats=FORMATS) as file,
        ):
            _refuse_large(path, file)
            turned = ImageOps.exif_transpose(file)
            _refuse_transparent(path, turned)
            return _eight_bits(path, turned).convert("RGB")
    except FileNotFoundError as error:
        raise SeedbedError(
            f"{path}: expected a photograph, but there is no such file{named_otherwise(path)}"
        ) from error
    except _TRUNCATED as error:
        raise SeedbedError(
            f"{path}: not a readable image ({_reason(error)}); replace it, or take it off the list"
        ) from error


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of a photograph, turned as its EXIF orientation says, from the head of the file.

    Raises:
        SeedbedError: the file is missing, or not an image of a format in `FORMATS`.
    """
    try:
        with memory_for(path), open_regular(path) as stream, Image.open(stream, formats=FORMATS) as file:
            width, height = file.size
            return (
                (height, width)
                if file.getexif().get(_ORIENTATION, 1) >= _FIRST_ON_ITS_SIDE
                else (width, height)
            )
    except _TRUNCATED as error:
        raise SeedbedError(f"{path}: not a readable image ({_reason(error)})") from error


def is_turned(path: Path) -> bool:
    """Whether a photograph's EXIF orientation turns or mirrors it; not where it cannot be read."""
    try:
        with open_regular(path) as stream, Image.open(stream, formats=FORMATS) as file:
            return file.getexif().get(_ORIENTATION, 1) in range(2, 9)
    except _TRUNCATED:
        return False


def _refuse_transparent(path: Path, image: Image.Image) -> None:
    """What is stored below transparent pixels is not what a person sees: mostly black, or the colours of a cut-out."""
    if not image.has_transparency_data or image.mode.startswith(("I", "F")):
        return
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    if share := float((alpha < OPAQUE).mean()):
        raise SeedbedError(
            f"{path}: {max(share, 0.001):.1%} of its pixels are transparent, and nothing says what is seen behind "
            "them; save it without transparency, for instance on white"
        )


def named_otherwise(path: Path, advice: str = "") -> str:
    """A hint at a file that differs from a missing one in its ending, or in case; empty if there is none.

    Args:
        path: of the missing file.
        advice: follows the name of a file with another ending.
    """
    try:
        names = _names_by_stem(path.parent, path.parent.stat().st_mtime_ns)
    except OSError:
        return ""
    others = names.get(_plain_stem(path.name), ())
    in_place = all(Path(name).suffix.casefold() == path.suffix.casefold() for name in others)
    return f", only {' and '.join(others)}{'' if in_place else advice}" if others else ""


@lru_cache(maxsize=8)
def _names_by_stem(folder: Path, changed: int) -> Mapping[str, Sequence[str]]:
    """Names in a folder that has not changed since, by what they are without ending and case."""
    found: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):
        found.setdefault(_plain_stem(name), []).append(name)
    return found


def _plain_stem(name: str) -> str:
    return unicodedata.normalize("NFC", Path(name).stem).casefold()


def with_any_ending(photograph: Path) -> Path:
    """A photograph's file, or where there is none, the one beside it with another ending of a photograph."""
    if photograph.is_file():
        return photograph
    stem = photograph.name.removesuffix(photograph.suffix)
    names = [f"{stem}{ending}" for suffix in sorted(SUFFIXES) for ending in (suffix, suffix.upper())]
    names += [stem] if Path(stem).suffix.lower() in SUFFIXES else []
    return next((p for p in map(photograph.with_name, names) if p.is_file()), photograph)


def size_fault(expected: tuple[int, int], found: tuple[int, int], verb: str = "is") -> str:
    """What is said of a mask of another size than its photograph's; both are width and height in pixels."""
    told = f"of the photograph's size {expected[0]}x{expected[1]}, but it {verb} {found[0]}x{found[1]}"
    if found != expected[::-1]:
        return told
    return (
        f"{told}: its sides are swapped, most likely because the photograph has an EXIF orientation, by which it is "
        "turned when it is read; turn the mask alike"
    )


def _eight_bits(path: Path, image: Image.Image) -> Image.Image:
    """Grey of 16 bits as 8 bits; Pillow would cut every value above 255 to white."""
    if image.mode in ("I", "F"):
        raise SeedbedError(
            f"{path}: expected 8 or 16 bits per channel, but its mode is {image.mode}; save it as 8 bits"
        )
    if not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image).astype(np.uint16)
    if 0 < values.max() < 4096:
        raise SeedbedError(
            f"{path}: expected 16-bit values up to 65535, but the largest is {values.max()}; save it as 8 bits"
        )
    return Image.fromarray((values >> 8).astype(np.uint8))


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"none of the formats {', '.join(FORMATS)}"
    return system_reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__


def _refuse_large(path: Path, image: Image.Image) -> None:
    """Refuse an image before its pixels are read."""
    if image.width * image.height > MOST_PIXELS:
        raise SeedbedError(
            f"{path}: expected at most {MOST_PIXELS // 10**6} megapixels, but it is {image.width}x{image.height}; "
            "shrink it"
        )


def read_indices(path: Path) -> UInt8[np.ndarray, "height width"]:
    """The indices of a palette or grey PNG, as stored.

    Raises:
        SeedbedError: the file is missing, unreadable, or a colour image.
    """
    with _png(path, "mask", "add it, or declare `masks: false`") as file:
        if file.mode not in ("P", "L", "1"):
            raise SeedbedError(
                f"{path}: expected a palette or grey PNG of indices of at most 8 bits, but its mode is {file.mode};"
                " save the indices of the classes"
            )
        tiles = getattr(file, "tile", [])
        stored = tiles[0].args if file.mode != "P" and tiles else None
        indices = np.array(file if file.mode == "P" else file.convert("L"), dtype=np.uint8)
        if file.getexif().get(_ORIENTATION, 1) != 1:  # after the pixels: it may read them, and forget `tile`
            raise SeedbedError(
                f"{path}: the mask has an EXIF orientation, so its pixels are not as they are shown; save it turned, "
                "without one"
            )
        return indices // np.uint8(_SCALED_GREY.get(str(stored), 1))


def read_grey(path: Path) -> UInt8[np.ndarray, "height width"]:
    """The grey levels of a PNG from 0 to 255, whatever its bits; a palette or three channels may hold greys, too.

    Raises:
        SeedbedError: the file is missing, unreadable, has colours or an alpha channel, or 16 bits of unknown range.
    """
    with _png(path, "map", "make it") as file:
        image = _eight_bits(path, file)
        if image.mode in ("L", "1"):
            return np.array(image.convert("L"), dtype=np.uint8)
        if image.mode not in ("P", "RGB"):
            raise SeedbedError(f"{path}: expected a grey PNG, but its mode is {image.mode}; save it as grey")
        channels = np.array(image.convert("RGB"), dtype=np.uint8)
        if (channels != channels[..., :1]).any():
            raise SeedbedError(f"{path}: expected a grey PNG, but it has colours; save it as grey")
        return channels[..., 0].copy()


@contextmanager
def _png(path: Path, what: str, if_missing: str) -> Iterator[ImageFile.ImageFile]:
    """An open PNG; what goes wrong with it is one line."""
    try:
        with (
            memory_for(path),
            open_regular(path) as stream,
            Image.open(stream, formats=("PNG",)) as file,
        ):
            _refuse_large(path, file)
            yield file
    except FileNotFoundError as error:
        raise SeedbedError(
            f"{path}: expected a {what}, but there is no such file{named_otherwise(path, PNGS)}; {if_missing}"
        ) from error
    except UnidentifiedImageError as error:
        raise SeedbedError(f"{path}: not a readable {what} (not a PNG); replace it") from error
    except _TRUNCATED as error:
        raise SeedbedError(f"{path}: not a readable {what} ({_reason(error)}); replace it") from error


def mask_lookup(indices: list[int]) -> UInt8[np.ndarray, "256"]:
    """Table from the indices in a file to 0 … C: class c of the data set has `indices[c]` in its files.

    Raises:
        SeedbedError: more classes than an 8-bit mask can tell apart, or an index that stands for no class.
    """
    if len(indices) > MOST_CLASSES or max(indices, default=0) > MOST_CLASSES:
        raise SeedbedError(
            f"expected at most {MOST_CLASSES} classes with indices up to {MOST_CLASSES}, because masks have 8 bits,"
            f" got {len(indices)} with indices up to {max(indices)}; name fewer in `classes`"
        )
    table = np.full(256, UNKNOWN, dtype=np.uint8)
    table[0], table[IGNORE] = 0, IGNORE
    for c, index in enumerate(indices):
        table[index] = c + 1
    return table


def read_mask(
    path: Path, lookup: UInt8[np.ndarray, "256"], size: tuple[int, int] | None = None
) -> UInt8[np.ndarray, "height width"]:
    """A mask with the data set's own indices: 0 background, c + 1 for class c, 255 without a label.

    Args:
        path: palette or grey PNG.
        lookup: see `mask_lookup`.
        size: width and height of the photograph, if they are to be compared.

    Raises:
        SeedbedError: a mask that is unreadable, differs in size, or holds an index that stands for no class.
    """
    return renumbered(path, read_indices(path), lookup, size)


def renumbered(
    path: Path,
    stored: UInt8[np.ndarray, "height width"],
    lookup: UInt8[np.ndarray, "256"],
    size: tuple[int, int] | None = None,
) -> UInt8[np.ndarray, "height width"]:
    """The indices of a file as those of the data set, as `read_mask` describes them.

    Raises:
        SeedbedError: another size, or an index that stands for no class.
    """
    if size is not None and stored.shape != (size[1], size[0]):
        raise SeedbedError(f"{path}: expected a mask {size_fault(size, (stored.shape[1], stored.shape[0]))}")
    mask: UInt8[np.ndarray, "height width"] = lookup[stored]
    if (mask == UNKNOWN).any():
        known = [int(i) for i in np.flatnonzero(lookup != UNKNOWN)]
        found = sorted(int(i) for i in np.unique(stored[mask == UNKNOWN]))
        raise SeedbedError(
            f"{path}: mask holds unknown index {', '.join(map(str, found))}; known: {known}; correct the "
            "mask, or with `kind: folder` say in `mask_indices` which index each class has"
        )
    return mask


def image_faults(path: Path) -> list[str]:
    """What is wrong with a photograph, one line at most; it is decoded completely."""
    try:
        read_image(path)
    except SeedbedError as error:
        return [str(error)]
    return []


_PLAIN_ID = re.compile("[0-9A-Za-z_][0-9A-Za-z_. -]{0,200}")
"""Most ids, of which nothing else need be asked."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters (Unicode's Cc), and what is left of bytes that are not UTF-8 (Cs)."""


def id_fault(image_id: str) -> str | None:
    """What is wrong with an id as a person writes it; None if nothing is."""
    if _PLAIN_ID.fullmatch(image_id):
        return None
    if not image_id:
        return "expected an image_id, got an empty cell"
    if _CONTROL.search(image_id):
        return f"{image_id[:50]!r} holds a control character, or bytes that are not UTF-8; rename the image"
    if max(len(os.fsencode(part)) for part in image_id.split("/")) > LONGEST_NAME:
        return (
            f"{image_id[:50]!r}… is longer than the {LONGEST_NAME} bytes of a file's name; rename the image"
        )
    if image_id.startswith(FORMULA):
        return (
            f"{image_id!r} begins with {image_id[0]}, which a spreadsheet runs as a formula; rename the image"
        )
    if image_id.startswith(("/", "\\")) or ".." in image_id.replace("\\", "/").split("/"):
        return f"{image_id!r} leads out of the folder of images; write a path below it"
    return None
