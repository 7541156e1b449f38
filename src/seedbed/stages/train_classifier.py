"""`train_classifier`: a classifier on image-level labels, by one of the methods of `seedbed.methods`."""

from __future__ import annotations

from pydantic import Field

from seedbed.methods.table import method_entry
from seedbed.runtime.contract import Input, Job, Products, Stage
from seedbed.stages.training import TrainingStageParameters, with_method


class TrainClassifierParameters(TrainingStageParameters):
    """Training of a classifier; the method adds its own parameters."""

    method: str = Field(default="cam", description="what a training step optimises: a method of this stage")
    score_splits: tuple[str, ...] = Field(
        default=("val",),
        description="splits whose class probabilities are stored, for the classification scores",
    )

    def needed_inputs(self) -> tuple[str, ...]:
        """What the method needs: the ordinary classifier, where it erases."""
        return method_entry(self.method, "train_classifier").needs(self)


STAGE = Stage(
    name="train_classifier",
    version=1,
    summary="Train a classifier on image-level labels.",
    kind="classifier",
    score="classification",
    parameters=lambda raw: with_method(TrainClassifierParameters, "train_classifier", raw),
    inputs={"ordinary_classifier": Input(("classifier",), required=False)},
    function="seedbed.stages.train_classifier:run",
    unit="gpu",
    random=True,
    files=("model.safetensors", "epochs.safetensors", "history.csv", "probabilities.safetensors"),
)


def run(job: Job) -> Products:
    """The trained classifier, its history, and its class probabilities on `score_splits`."""
    from safetensors.numpy import save

    from seedbed.stages.fitting import class_probabilities, fit_method

    fitted = fit_method(job)
    splits = [split for split in job.parameters.score_splits if split in job.dataset.index.splits]
    probabilities = {split: class_probabilities(job, fitted, split) for split in splits}
    return fitted.products({"probabilities.safetensors": save(probabilities)})
