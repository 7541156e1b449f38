"""Others' maps as nodes: CAMs, saliency or pseudo masks that were made elsewhere, one file per image in a folder.

`import_cams` reads the `.npy` files of PSA, IRN and Puzzle-CAM in both styles of keys, without unpickling anything.
`import_saliency` reads grey PNGs of any number of bits, whose level `largest` of 255 is fully salient.
`import_pseudo_masks` reads palette or grey PNGs of classes: 0 background, c + 1 for class c, 255 neutral. Every image
needs its file, of the photograph's size; `seedbed doctor` names those that are missing.

Only their authors know what masks were used in making them: a recipe says it under `inherited`, or with
`made_without_masks: true`; otherwise the ledger says that nothing is known. The plan does not look
into the folder, so if a file changes, remove what was imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import Field, field_validator

from seedbed.artifacts.manifest import NORMALISATION
from seedbed.artifacts.maps import CHANNELS, SALIENCY, Maps
from seedbed.cam.normalisation import RefinedForm
from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE
from seedbed.runtime.contract import Job, ShardedParameters, Stage

PATTERN = "name of an image's file, with {id}, or with {stem} for the id without the ending of a photograph"


class ImportParameters(ShardedParameters):
    """Where the files are."""

    folder: str = Field(
        default="", description="folder of the files; relative to the checkout, or with ~ or $VARIABLES"
    )
    pattern: str = Field(default="", description=PATTERN)
    made_without_masks: bool = Field(
        default=False, description="whether it is known that no masks were used in making the files"
    )

    @field_validator("pattern")
    @classmethod
    def _has_id(cls, pattern: str) -> str:
        if "{id}" not in pattern and "{stem}" not in pattern:
            raise ValueError(
                f"expected a file name with {{id}} or {{stem}}, for instance {{id}}.png, got {pattern!r}"
            )
        return pattern

    def faults(self) -> Iterator[str]:
        """The folder has no default."""
        if not self.folder:
            yield "expected `folder`, where the files are, got none"

    def presumed(self) -> dict[str, str]:
        """Masks may have been used, unless somebody says that they were not."""
        return (
            {}
            if self.made_without_masks
            else {"training": "files of others; whether masks were used is not said"}
        )

    def path(self, image_id: str) -> Path:
        """The file of an image."""
        from seedbed.datasets.finder import without_suffix

        name = self.pattern.replace("{stem}", without_suffix(image_id)).replace("{id}", image_id)
        return self._folder / name

    def missing(self, image_ids: Sequence[str]) -> str | None:
        """What is said of images without a file; None if all have one."""
        from seedbed.datasets.files import named_otherwise

        if not self._folder.is_dir():
            variable = " and the variable in it" if "$" in str(self._folder) else ""
            return (
                f"{self._folder}: expected the folder of the files, but there is no such folder; check `folder`"
                f"{variable}"
            )
        missing = [path for path in map(self.path, image_ids) if not path.is_file()]
        if not missing:
            return None
        return (
            f"{missing[0]}: expected the map of an image, but there is no such file{named_otherwise(missing[0])}; add "
            f"it, or check `folder` and `pattern` (files missing: {len(missing)} of {len(image_ids)})"
        )

    @property
    def _folder(self) -> Path:
        return Path(os.path.expandvars(self.folder)).expanduser()


class ImportCamsParameters(ImportParameters):
    """Others' CAMs."""

    pattern: str = Field(default="{id}.npy", description=PATTERN)
    keys: Literal["by_style", "from_0", "from_1"] = Field(
        default="by_style",
        description="whether classes are counted from 0 or 1; by_style: from 1 if background stands before them",
    )
    normalisation: RefinedForm = Field(
        default="none",
        description="how later stages normalise the maps to [0, 1]; none takes them as they are",
    )


class ImportPngParameters(ImportParameters):
    """Others' PNGs."""

    pattern: str = Field(default="{id}.png", description=PATTERN)


class ImportSaliencyParameters(ImportPngParameters):
    """Others' saliency maps."""

    largest: int = Field(default=255, ge=1, le=255, description="grey level that is fully salient")


def run_cams(job: Job) -> Iterator[tuple[str, Maps]]:
    """Yield the CAMs of each image.

    Raises:
        SeedbedError: a file that is missing, of another style or size, of other classes than the labels name, or above
            1 where nothing normalises; or all maps of the shard are constant.
    """
    from seedbed.datasets.published_cams import read_cams

    parameters: ImportCamsParameters = job.parameters
    _check_files(job)
    maps_seen, varied = False, False
    job.facts[NORMALISATION] = parameters.normalisation
    for image_id in job.image_ids:
        path = parameters.path(image_id)
        class_ids, maps = read_cams(path, parameters.keys)
        present = {int(c) for c in np.flatnonzero(job.dataset.labels(image_id))}
        if set(class_ids) != present:
            raise SeedbedError(
                f"{path}: expected CAMs of the classes that the labels name, {sorted(present)}, got {list(class_ids)} "
                "(from 0); set `keys` if they are counted otherwise, dump the CAMs again, or mend the labels"
            )
        size = _size(job, image_id)
        if class_ids:
            _check_size(path, (maps.shape[1], maps.shape[2]), size)
            if parameters.normalisation == "none" and maps.max() > 1:
                raise SeedbedError(
                    f"{path}: expected scores up to 1, got {maps.max():.9g}; set `normalisation: max`"
                )
            maps_seen = True
            varied = varied or bool((np.ptp(maps, axis=(1, 2)) > 0).any())
        yield image_id, Maps(class_ids, size, (maps,) if class_ids else ())
    if maps_seen and not varied:
        raise SeedbedError(
            f"{parameters.folder}: the CAMs of all {len(job.image_ids)} images of {job.shard} are constant; dump them "
            "again, of a network that is trained"
        )


def run_saliency(job: Job) -> Iterator[tuple[str, Maps]]:
    """Yield the saliency of each image.

    Raises:
        SeedbedError: a file that is missing, unreadable, of another size, coloured, or brighter than `largest`; or all
            of the shard have 1 as their highest level, or are constant.
    """
    from seedbed.datasets.files import read_grey

    parameters: ImportSaliencyParameters = job.parameters
    job.facts |= {CHANNELS: [SALIENCY], NORMALISATION: "none"}
    _check_files(job)
    brightest, varied = 0, False
    for image_id in job.image_ids:
        path = parameters.path(image_id)
        levels, size = read_grey(path), _size(job, image_id)
        _check_size(path, (levels.shape[0], levels.shape[1]), size)
        if int(levels.max()) > parameters.largest:
            raise SeedbedError(
                f"{path}: expected grey levels up to `largest` {parameters.largest}, got {levels.max()}; raise it"
            )
        brightest = max(brightest, int(levels.max()))
        varied = varied or bool(np.ptp(levels))
        yield (
            image_id,
            Maps((0,), size, ((levels / np.float32(parameters.largest))[None].astype(np.float32),)),
        )
    if job.image_ids and parameters.largest > 1 and brightest == 1:
        raise SeedbedError(
            f"{parameters.folder}: the brightest of all {len(job.image_ids)} images of {job.shard} has grey level "
            f"{brightest} of {parameters.largest}; set `largest: 1` if 1 is salient"
        )
    if job.image_ids and not varied:
        raise SeedbedError(
            f"{parameters.folder}: the saliency of all {len(job.image_ids)} images of {job.shard} is constant; give "
            "maps that tell what is salient from what is not, or use fewer shards if nothing in these images is salient"
        )


def run_pseudo_masks(job: Job) -> Iterator[tuple[str, UInt8[np.ndarray, "height width"]]]:
    """Yield the label map of each image.

    Raises:
        SeedbedError: a file that is missing, unreadable, of another size, or with an index of no class; or no pixel of
            the shard has a class, or most have one that the labels of their image do not name.
    """
    from seedbed.datasets.files import read_indices

    parameters: ImportPngParameters = job.parameters
    _check_files(job)
    classes = len(job.classes)
    counts, named, labelled = 0, 0, False
    for image_id in job.image_ids:
        path = parameters.path(image_id)
        label_map = read_indices(path)
        _check_size(path, (label_map.shape[0], label_map.shape[1]), _size(job, image_id))
        unknown = sorted({int(v) for v in np.unique(label_map)} - {*range(classes + 1), IGNORE})
        if unknown:
            raise SeedbedError(
                f"{path}: expected 0 to {classes}, or {IGNORE} for neutral, got {unknown[:5]}; map the indices first"
            )
        if present := job.dataset.mask_class_ids(image_id):
            pixels = np.bincount(label_map.ravel(), minlength=IGNORE)[1 : classes + 1]
            counts, named, labelled = counts + int(pixels.sum()), named + int(pixels[present].sum()), True
        yield image_id, label_map
    if labelled and not counts:
        raise SeedbedError(
            f"{parameters.folder}: no pixel of the images of {job.shard} that have labels has a class; give label "
            "maps with c + 1 for class c (from 0)"
        )
    if 2 * named < counts:
        raise SeedbedError(
            f"{parameters.folder}: of the pixels of labelled images of {job.shard} that have a class, only "
            f"{named / counts:.0%} have one that the labels of their image name; give label maps with 0 for background "
            "and, from 1 on, "
            f"{', '.join(job.classes)}"
        )


def _check_files(job: Job) -> None:
    """Every image of the shard has its file."""
    if fault := job.parameters.missing(job.image_ids):
        raise SeedbedError(fault)


def _size(job: Job, image_id: str) -> tuple[int, int]:
    """Height and width of a photograph."""
    width, height = job.dataset.size(image_id)
    return height, width


def _check_size(path: Path, found: tuple[int, int], size: tuple[int, int]) -> None:
    if found != size:
        raise SeedbedError(
            f"{path}: expected the photograph's size {size[1]}x{size[0]}, got {found[1]}x{found[0]}; make it at that "
            "size"
        )


IMPORT_CAMS = Stage(
    name="import_cams",
    version=2,
    summary="Import others' CAMs from a folder.",
    parameters=lambda raw: ImportCamsParameters,
    inputs={},
    resources="pixels",
    run=run_cams,
    makes="cams",
)
IMPORT_SALIENCY = Stage(
    name="import_saliency",
    version=2,
    summary="Import others' saliency maps from a folder.",
    parameters=lambda raw: ImportSaliencyParameters,
    inputs={},
    resources="pixels",
    run=run_saliency,
    makes="saliency",
)
IMPORT_PSEUDO_MASKS = Stage(
    name="import_pseudo_masks",
    version=1,
    summary="Import others' pseudo masks from a folder.",
    parameters=lambda raw: ImportPngParameters,
    inputs={},
    resources="pixels",
    run=run_pseudo_masks,
    makes="pseudo_masks",
)
