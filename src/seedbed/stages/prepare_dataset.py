"""`prepare_dataset`: index a data set as users have it: image ids, splits, sizes, checksums and image-level labels.

Every photograph is read once. The stage stops at the first fault and says how many more there are; `seedbed doctor`
lists them, one line per cause, or each with `--all`. Later stages take ids, labels and splits from the index, and
refuse a photograph that has changed since it was indexed. The plan adds this stage; recipes have no node of it.

`index.csv` has one row per image and split, in the data set's order: `image_id`, `split`, `width` and `height` in
pixels, `sha256` of the file (of size and RGB pixels if images are generated), then one 0/1 column per class. With
`longest`, width and height are those of the shrunk photograph, and `original_width` and `original_height` follow the
checksum. The checksums of masks are written by `prepare_masks`. With a `class_map` the classes are those of the labels;
the manifest's facts name those of the masks, if they differ, as `mask_classes`.

When a photograph, a label or a list changes, planning notices it and makes the index stale.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seedbed.datasets.class_map import ClassMap
from seedbed.datasets.declaration import SMALLEST, SplitDeclaration
from seedbed.datasets.grouped import grouped
from seedbed.datasets.index import build_index, index_csv
from seedbed.datasets.mapped import mask_classes
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Job, Parameters, Products, Stage
from seedbed.runtime.known import Known
from seedbed.runtime.paths import INDEX


class PrepareDatasetParameters(Parameters):
    """The data set's declaration, without what depends on the machine."""

    kind: str = Field(description="kind of the data set: voc, coco, folder, …")
    splits: dict[str, SplitDeclaration] = Field(description="splits, their lists and whether they have masks")
    longest: int | None = Field(
        default=None, ge=SMALLEST, description="pixels of the longer side to which photographs are shrunk"
    )
    class_map: ClassMap | None = Field(
        default=None, description="classes to join or drop, of labels and masks"
    )
    options: dict[str, Any] = Field(default_factory=dict, alias="with", description="options of the kind")


def run(job: Job) -> Products:
    """The index.

    Raises:
        SeedbedError: the data set has faults; the first is named, `seedbed doctor --all` lists all.
    """
    faults = grouped(job.dataset.faults())
    if faults:
        more = f" (and {len(faults) - 1} more: `seedbed doctor` lists them)" if len(faults) > 1 else ""
        raise SeedbedError(f"data set {job.slice['dataset']}: {faults[0]}{more}")
    parameters: PrepareDatasetParameters = job.parameters
    known = Known(job.results, job.slice)
    found = known.nothing()
    index = build_index(job.dataset, parameters.splits, found.digest)
    known.keep(photographs=found)
    facts = {"classes": list(job.dataset.classes)}
    if mask_classes(job.dataset) != job.dataset.classes:
        facts["mask_classes"] = list(mask_classes(job.dataset))
    return Products(
        files={INDEX: index_csv(index).encode()},
        images={split: len(ids) for split, ids in index.splits.items()},
        facts=facts,
    )


STAGE = Stage(
    name="prepare_dataset",
    version=2,
    summary="Index a data set: ids, splits, sizes, checksums, image-level labels.",
    parameters=lambda raw: PrepareDatasetParameters,
    inputs={},
    resources="counts",
    run=run,
    own_files=(INDEX,),
    reads_index=False,
)
