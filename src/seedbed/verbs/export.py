"""`seedbed export`: label maps as people and evaluation servers expect them: a folder of PNGs, or VOC's archive."""

import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.atomic import write_bytes, writing
from seedbed.artifacts.label_maps import label_map_png
from seedbed.datasets.index import read_index
from seedbed.datasets.shrunk import nearest
from seedbed.datasets.voc import VOC_NAMES
from seedbed.errors import SeedbedError, unknown_name
from seedbed.labels import IGNORE
from seedbed.runtime.paths import INDEX
from seedbed.verbs.locate import Located
from seedbed.verbs.names import names_of

VOC_FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
"""Where the test server of VOC 2012 looks for the masks of competition 6 (any training data)."""
VOC_ARCHIVE = "comp6_test_cls.tgz"
_GZIP_SYSTEM = 9
"""Byte of the gzip header that names the operating system; 255 is unknown."""


def export(located: Located, out: Path, form: str = "png", split: str | None = None) -> tuple[Path, int]:
    """Write a node's label maps, in the photographs' own sizes if the data set was shrunk and its index is there.

    Args:
        located: a node that makes label maps.
        out: folder.
        form: a key in `FORMS`: `png` writes `ID.png` (in one folder per split if there are several), palette PNGs with
            the data set's indices; `voc` writes one archive with VOC's indices.
        split: one split only.

    Returns:
        What was written, and how many label maps are in it.

    Raises:
        SeedbedError: there are no label maps, the format or split is unknown, or the test server would refuse them.
    """
    if form not in FORMS:
        raise SeedbedError(unknown_name("format", form, FORMS))
    artifact = located.artifact
    if artifact.meaning.form.name != "label_maps":
        raise SeedbedError(
            f"{artifact.folder} was made by {artifact.manifest.stage}; expected label maps, as pseudo_masks and "
            "predict make them"
        )
    splits = sorted(artifact.manifest.images)
    if split is not None and split not in splits:
        raise SeedbedError(f"{artifact.folder}: {unknown_name('split', split, splits)}")
    return FORMS[form](located, out, [split] if split else splits)


def export_pngs(located: Located, out: Path, splits: Sequence[str]) -> tuple[Path, int]:
    """A folder of palette PNGs named after the images."""
    count = 0
    for split in splits:
        folder = out / split if len(splits) > 1 else out
        for _, name, label_map in _maps(located, split):
            path = folder / name
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(label_map_png(label_map))
            count += 1
    return out, count


def export_voc(located: Located, out: Path, splits: Sequence[str]) -> tuple[Path, int]:
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
    for image_id, name, label_map in _maps(located, splits[0]):
        if (label_map == IGNORE).any():
            raise SeedbedError(
                f"image {image_id} has neutral pixels (255), which VOC's server does not accept; export predictions"
            )
        files[name] = label_map_png(lookup[label_map])
    write_bytes(out / VOC_ARCHIVE, _tgz(files))
    return out / VOC_ARCHIVE, len(files)


FORMS: dict[str, Callable[[Located, Path, Sequence[str]], tuple[Path, int]]] = {
    "png": export_pngs,
    "voc": export_voc,
}


def _maps(located: Located, split: str) -> Iterator[tuple[str, str, UInt8[np.ndarray, "height width"]]]:
    """(image id, name of its file, label map) for each image of a split; ids may name folders, never above them."""
    maps, originals = located.artifact.open(split), _original_sizes(located)
    image_ids = list(maps)
    for image_id, name in zip(image_ids, names_of(image_ids), strict=True):
        label_map = maps[image_id]
        yield image_id, f"{name}.png", nearest(label_map, originals.get(image_id, label_map.shape[::-1]))


def _original_sizes(located: Located) -> dict[str, tuple[int, int]]:
    """Width and height of the photographs that the data set shrinks."""
    if located.index is None:
        return {}
    index = read_index(Artifact(located.index).file(INDEX))
    return {row.image_id: row.original for row in index.rows if row.original}


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
