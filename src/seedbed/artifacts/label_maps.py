"""Label maps on disk: one `.zip` of palette PNGs per shard, uncompressed, with fixed dates, which anybody can open."""

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from seedbed.artifacts.manifest import run_again, sha256_bytes
from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE, MOST_PIXELS

_DATE = (1980, 1, 1, 0, 0, 0)
_WRONG = (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError)


def voc_palette() -> list[int]:
    """The palette of VOC's masks: 256 RGB triples, bit-reversed from the index; 255 is VOC's void cream."""
    palette = []
    for index in range(256):
        rgb = [0, 0, 0]
        for bit in range(8):
            for channel in range(3):
                rgb[channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
        palette += rgb
    return palette


def label_map_png(label_map: UInt8[np.ndarray, "height width"]) -> bytes:
    """Palette PNG of a label map (0 background, c + 1 class c, 255 neutral)."""
    image = Image.fromarray(label_map, mode=None).convert("L")
    image.putpalette(voc_palette())
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=False, compress_level=6)
    return stream.getvalue()


def decode_label_map(content: bytes) -> UInt8[np.ndarray, "height width"]:
    """Label map from a palette or greyscale PNG.

    Raises:
        ValueError: it is something else, is too large, or cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
            if image.mode not in ("P", "L") or image.width * image.height > MOST_PIXELS:
                raise ValueError(f"a PNG of mode {image.mode} and size {image.width}x{image.height}")
            return np.array(image, dtype=np.uint8)
    except UnidentifiedImageError:
        raise ValueError("not a PNG") from None
    except (OSError, SyntaxError, EOFError, LookupError, struct.error, zlib.error) as error:
        raise ValueError(str(error)) from None
    except (Image.DecompressionBombError, MemoryError) as error:
        raise ValueError(str(error) or "too large") from None


def encode_label_map(payload: UInt8[np.ndarray, "height width"]) -> tuple[str, bytes]:
    """Digest of an image's label map, and what `pack_label_maps` takes: its PNG."""
    png = label_map_png(payload)
    return sha256_bytes(png), png


def pack_label_maps(pngs: Mapping[str, bytes]) -> bytes:
    """Zip archive of encoded label maps by image id, sorted, stored, with a fixed date: equal maps, equal bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for image_id in sorted(pngs):
            entry = zipfile.ZipInfo(f"{image_id}.png", date_time=_DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, pngs[image_id])
    return stream.getvalue()


def _unreadable(path: Path, why: str) -> SeedbedError:
    return SeedbedError(f"{path}: not a readable archive of label maps ({why[:200]}); {run_again(path)}")


class LabelMaps:
    """Label maps in one or more archives, read on demand.

    Args:
        archives: the `.zip` files of an artifact's shards.
        facts: of the artifact's manifest.
    """

    def __init__(self, archives: Sequence[Path], facts: Mapping[str, Any]) -> None:
        self._open: dict[tuple[int, Path], zipfile.ZipFile] = {}
        self._highest = len(facts["classes"]) if isinstance(facts.get("classes"), list) else IGNORE
        self._where = {name: path for path in archives for name in self._names(path)}

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._where

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._where))

    def __getitem__(self, image_id: str) -> UInt8[np.ndarray, "height width"]:
        """The label map of an image.

        Raises:
            SeedbedError: the archives have none for it.
        """
        try:
            path = self._where[image_id]
        except KeyError:
            raise SeedbedError(
                f"no label map for image {image_id!r} among {len(self._where)}; run the stage that made them again"
            ) from None
        try:
            label_map = decode_label_map(self._archive(path).read(f"{image_id}.png"))
            surplus = label_map[(label_map > self._highest) & (label_map != IGNORE)]
            if surplus.size:
                raise ValueError(f"index {surplus.max()}, but there are {self._highest} classes")
        except _WRONG as error:
            raise _unreadable(path, f"{image_id}.png: {error}") from None
        return label_map

    def check_sizes(self, image_ids: Iterable[str], size: Callable[[str], tuple[int, int]]) -> None:
        """Refuse label maps that are not of their image's size, by the heads of the PNGs.

        Args:
            size: width and height of an image.

        Raises:
            SeedbedError: naming the file and the image.
        """
        for image_id in filter(self._where.__contains__, image_ids):
            path, wanted = self._where[image_id], size(image_id)
            try:
                with self._archive(path).open(f"{image_id}.png") as stream:
                    found = Image.open(stream, formats=("PNG",)).size
            except (*_WRONG, SyntaxError) as error:
                raise _unreadable(path, f"{image_id}.png: {error}") from None
            if found != wanted:
                raise SeedbedError(
                    f"{path}: image {image_id!r}: a label map of {found[0]}x{found[1]}, but the image has "
                    f"{wanted[0]}x{wanted[1]}; {run_again(path)}"
                )

    def _names(self, path: Path) -> Iterator[str]:
        """Ids of the images in an archive, whose entries are as `pack_label_maps` writes them."""
        try:
            entries = self._archive(path).infolist()
        except _WRONG as error:
            raise _unreadable(path, str(error)) from None
        seen = set()
        for entry in entries:
            name = entry.filename
            parts = name.split("/")
            if not name.endswith(".png") or ".." in parts or "" in parts or name in seen:
                raise _unreadable(path, f"an entry {name!r}")
            if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                raise _unreadable(path, f"{name} is a link or a folder")
            if entry.flag_bits & 1 or entry.compress_type != zipfile.ZIP_STORED:
                raise _unreadable(path, f"{name} is encrypted or compressed")
            seen.add(name)
            yield name.removesuffix(".png")

    def _archive(self, path: Path) -> zipfile.ZipFile:
        key = (os.getpid(), path)  # a loader's process must not share its file position with others
        if key not in self._open:
            self._open[key] = zipfile.ZipFile(path)
        return self._open[key]

    def fields(self, image_id: str) -> dict[str, UInt8[np.ndarray, "height width"]]:
        """What a training method reads for an image: its label map."""
        return {"": self[image_id]}
