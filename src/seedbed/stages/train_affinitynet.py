"""`train_affinitynet`: learn from confident regions which pixels belong together (Ahn & Kwak 2018, §3.2)."""

from __future__ import annotations

from pydantic import Field

from seedbed.runtime.contract import Input, Job, Products, Stage
from seedbed.stages.training import NETWORK_FILES, TrainingStageParameters, with_method


class TrainAffinityNetParameters(TrainingStageParameters):
    """Training of an AffinityNet; the method adds its own parameters."""

    method: str = Field(
        default="affinity", description="what a training step optimises: a method of this stage"
    )


STAGE = Stage(
    name="train_affinitynet",
    version=1,
    summary="Train an AffinityNet on confident regions.",
    kind="affinitynet",
    parameters=lambda raw: with_method(TrainAffinityNetParameters, "train_affinitynet", raw),
    inputs={"regions": Input(("label_maps",))},
    function="seedbed.stages.train_affinitynet:run",
    unit="gpu",
    random=True,
    files=NETWORK_FILES,
)


def run(job: Job) -> Products:
    """The trained AffinityNet and its history."""
    from seedbed.stages.fitting import fit_method

    return fit_method(job, "regions").products()
