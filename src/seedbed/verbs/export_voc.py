"""`seedbed export --format voc`: the archive that VOC's test server takes, with VOC's indices."""

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.label_maps import label_map_png
from seedbed.datasets.voc import VOC_NAMES
from seedbed.errors import SeedbedError, unknown_name
from seedbed.labels import IGNORE
from seedbed.verbs.exported import Photographs, label_maps
from seedbed.verbs.locate import Located

VOC_FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
"""Where the test server of VOC 2012 looks for the masks of competition 6 (any training data)."""
VOC_ARCHIVE = "comp6_test_cls.tgz"
_GZIP_SYSTEM = 9
"""Byte of the gzip header that names the operating system; 255 is unknown."""


def export_voc(
    located: Located, out: Path, splits: Sequence[str], photographs: Photographs
) -> tuple[Path, int]:
    """The archive for VOC's test server; equal label maps give equal bytes.

    Raises:
        SeedbedError: there are several splits, neutral pixels, or classes that VOC does not have.
    """
    if len(splits) > 1:
        raise SeedbedError(
            f"an archive holds one split, but {located.artifact.folder} has {', '.join(splits)}; name one"
        )
    lookup = _voc_lookup(located)
    files = {}
    for image_id, name, label_map in label_maps(located, splits[0]):
        if (label_map == IGNORE).any():
            raise SeedbedError(
                f"image {image_id} has neutral pixels (255), which VOC's server does not accept; export predictions"
            )
        files[f"{name}.png"] = label_map_png(lookup[label_map])
    write_bytes(out / VOC_ARCHIVE, _tgz(files))
    return out / VOC_ARCHIVE, len(files)


def _voc_lookup(located: Located) -> UInt8[np.ndarray, "256"]:
    lookup = np.arange(256, dtype=np.uint8)
    for c, name in enumerate(located.artifact.manifest.facts["classes"]):
        if name not in VOC_NAMES[1:]:
            dataset = located.artifact.manifest.dataset
            raise SeedbedError(f"data set {dataset}: {unknown_name('class of VOC', name, VOC_NAMES[1:])}")
        lookup[c + 1] = VOC_NAMES.index(name)
    return lookup


def _tgz(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar without times, owners or names of this machine."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{VOC_FOLDER}/{name}")
            entry.size, entry.mode = len(files[name]), 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    zipped = gzip.compress(packed.getvalue(), compresslevel=6, mtime=0)
    return zipped[:_GZIP_SYSTEM] + b"\xff" + zipped[_GZIP_SYSTEM + 1 :]
