"""`train_segmenter`: a segmentation network on pseudo masks, on confident regions, or (upper bound) true masks."""

from __future__ import annotations

from pydantic import Field

from seedbed.artifacts.manifest import LedgerEntry
from seedbed.runtime.contract import Input, Job, Products, Stage
from seedbed.stages.training import NETWORK_FILES, TrainingStageParameters, with_method


class TrainSegmenterParameters(TrainingStageParameters):
    """Training of a segmentation network; the method adds its own parameters."""

    method: str = Field(
        default="segmentation", description="what a training step optimises: a method of this stage"
    )


STAGE = Stage(
    name="train_segmenter",
    version=1,
    summary="Train a segmentation network on label maps.",
    kind="segmenter",
    parameters=lambda raw: with_method(TrainSegmenterParameters, "train_segmenter", raw),
    inputs={"labels": Input(("label_maps", "masks"))},
    function="seedbed.stages.train_segmenter:run",
    unit="gpu",
    random=True,
    files=NETWORK_FILES,
)


def run(job: Job) -> Products:
    """The trained segmentation network and its history."""
    from seedbed.stages.fitting import fit_method

    if job.inputs["labels"] is None:
        job.ledger.append(LedgerEntry(use="training", stage=STAGE.name, note="trained on the true masks"))
    return fit_method(job, "labels").products()
