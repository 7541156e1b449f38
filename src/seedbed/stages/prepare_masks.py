"""`prepare_masks`: checksums of a data set's true masks, with which evaluations and the supervised baseline check them.

Every mask of the splits that have masks is read once. `masks.csv` lies beside the index and has one row per mask:
`image_id`, `split`, `sha256` of size and indices; its last row has the `sha256` of all rows before it. It is a stage
of its own so that a corrected mask makes stale what reads masks, and trains nothing again that learns from labels. The
plan adds this stage; recipes have no node of it.
"""

from __future__ import annotations

from seedbed.datasets.content import masks_csv
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
    made = masks_csv(job.dataset, parameters.splits, found.digest)
    known.keep(masks=(found, job.dataset.classes))
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
