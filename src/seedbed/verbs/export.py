"""`seedbed export`: label maps and CAMs as people, evaluation servers and other toolboxes expect them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from seedbed.artifacts.atomic import writing
from seedbed.artifacts.label_maps import label_map_png
from seedbed.datasets.index import IndexedDataset
from seedbed.errors import SeedbedError, unknown_name
from seedbed.runtime.opening import open_indexed
from seedbed.verbs.export_coco import export_coco
from seedbed.verbs.export_irn import export_irn
from seedbed.verbs.export_mmseg import export_mmseg
from seedbed.verbs.export_overlays import export_overlays
from seedbed.verbs.export_voc import export_voc
from seedbed.verbs.exported import Photographs, label_maps
from seedbed.verbs.locate import Located

Write = Callable[[Located, Path, Sequence[str], Photographs], tuple[Path, int]]
"""From a node, a folder and splits to what was written, and how many images are in it."""
MADE_BY = {
    "label_maps": "label maps, as pseudo_masks and predict make them",
    "maps": "CAMs, as dump_cams makes them",
}


class ExportForm(NamedTuple):
    """One way of writing.

    Attributes:
        takes: forms of artifacts that it can write.
    """

    write: Write
    takes: tuple[str, ...] = ("label_maps",)


def export(
    located: Located,
    out: Path,
    form: str = "png",
    split: str | None = None,
    data_root: Path | None = None,
) -> tuple[Path, int]:
    """Write a node's label maps or CAMs.

    Label maps have the photographs' own sizes if the data set was shrunk and its index is there.

    Args:
        located: a node that makes label maps, or CAMs.
        out: folder.
        form: a key in `FORMS`.
        split: one split only.
        data_root: the data set's folder on this machine, for forms with photographs.

    Returns:
        What was written, and how many images are in it.

    Raises:
        SeedbedError: there is nothing that can be written so, or the form or split is unknown.
    """
    if form not in FORMS:
        raise SeedbedError(unknown_name("format", form, FORMS))
    artifact = located.artifact
    if artifact.meaning.form.name not in FORMS[form].takes:
        expected = ", or ".join(MADE_BY[name] for name in FORMS[form].takes)
        raise SeedbedError(f"{artifact.folder} was made by {artifact.manifest.stage}; expected {expected}")
    splits = sorted(artifact.manifest.images)
    if split is not None and split not in splits:
        raise SeedbedError(f"{artifact.folder}: {unknown_name('split', split, splits)}")

    def photographs() -> IndexedDataset:
        if located.index is None:
            raise SeedbedError(
                f"{artifact.folder}: there is no index of its data set beside it, so its photographs are not known; "
                "export in another format, or where it was made"
            )
        return open_indexed(located.index, data_root)

    return FORMS[form].write(located, out, [split] if split else splits, photographs)


def export_pngs(
    located: Located, out: Path, splits: Sequence[str], photographs: Photographs
) -> tuple[Path, int]:
    """A folder of palette PNGs named after the images, in one folder per split if there are several."""
    count = 0
    for split in splits:
        folder = out / split if len(splits) > 1 else out
        for _, name, label_map in label_maps(located, split):
            path = folder / f"{name}.png"
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(label_map_png(label_map))
            count += 1
    return out, count


FORMS: dict[str, ExportForm] = {
    "png": ExportForm(export_pngs),
    "voc": ExportForm(export_voc),
    "coco": ExportForm(export_coco),
    "mmseg": ExportForm(export_mmseg),
    "irn": ExportForm(export_irn, ("maps",)),
    "overlays": ExportForm(export_overlays, ("label_maps", "maps")),
}
