"""`prepare_masks`: checksums of a data set's true masks, by which evaluations and the supervised baseline verify them.

Every mask of the splits that have masks is read once. `masks.csv` lies beside the index and has one row per mask:
`image_id`, `split`, `sha256` of size and indices. Its last two rows hold the digest of declaration and index, and the
`sha256` of all rows before. This is a stage of its own, so that a corrected mask makes stale only what reads masks.
The plan adds it; recipes have no node of it.
"""

from __future__ import annotations

from seedbed.datasets.content import masks_csv
from seedbed.datasets.mask_sums import mask_key
from seedbed.runtime.contract import Job, Stage
from seedbed.runtime.known import Known
from seedbed.stages.prepare_dataset import PrepareDatasetParameters


def run(job: Job) -> bytes:
    """The text of `masks.csv`.

    Raises:
        SeedbedError: a mask is missing, unreadable, or differs in size from its photograph.
    """
    parameters: PrepareDatasetParameters = job.parameters
    known = Known(job.results, job.slice)
    found = known.nothing()
    made = masks_csv(job.dataset, parameters.splits, job.key, found.digest)
    known.keep(masks=(found, mask_key(job.dataset)))
    return made.encode()


STAGE = Stage(
    name="prepare_masks",
    version=1,
    summary="Index the true masks of a data set: their checksums.",
    parameters=lambda raw: PrepareDatasetParameters,
    inputs={},
    resources="counts",
    run=run,
    writes_file=True,
)
