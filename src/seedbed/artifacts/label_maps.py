"""Label maps on disk: one `.zip` of palette PNGs per shard, uncompressed, with fixed dates, which anybody can open."""

import io
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from seedbed.artifacts.manifest import sha256_bytes
from seedbed.errors import SeedbedError

_DATE = (1980, 1, 1, 0, 0, 0)


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
    """Label map from a palette or greyscale PNG."""
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image, dtype=np.uint8)


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


class LabelMaps:
    """Label maps in one or more archives, read on demand.

    Args:
        archives: the `.zip` files of an artifact's shards.
        facts: of the artifact's manifest.
    """

    def __init__(self, archives: Sequence[Path], facts: Mapping[str, Any]) -> None:
        self._open: dict[tuple[int, Path], zipfile.ZipFile] = {}
        self._where = {
            name.removesuffix(".png"): path for path in archives for name in self._archive(path).namelist()
        }

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
        return decode_label_map(self._archive(path).read(f"{image_id}.png"))

    def _archive(self, path: Path) -> zipfile.ZipFile:
        key = (os.getpid(), path)  # a loader's process must not share its file position with others
        if key not in self._open:
            self._open[key] = zipfile.ZipFile(path)
        return self._open[key]

    def fields(self, image_id: str) -> dict[str, UInt8[np.ndarray, "height width"]]:
        """What a training method reads for an image: its label map."""
        return {"": self[image_id]}
