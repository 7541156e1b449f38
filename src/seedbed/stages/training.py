"""Parameters that the three training stages share; free of torch."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import Field, create_model

from seedbed.input.augmentation import Augmentation
from seedbed.methods.table import method_entry
from seedbed.runtime.contract import Parameters
from seedbed.training.parameters import TrainingParameters

NETWORK_FILES = ("model.safetensors", "epochs.safetensors", "history.csv")


class TrainingStageParameters(TrainingParameters, Parameters):
    """Base of the training stages' models."""

    split: str = Field(default="train", description="split of the data set to train on")
    augmentation: Augmentation = Field(default=Augmentation(), description="what is done to a training image")


def with_method(
    base: type[TrainingStageParameters], stage: str, raw: Mapping[str, Any]
) -> type[TrainingStageParameters]:
    """The stage's model with the parameters of the method that `raw` names.

    Raises:
        SeedbedError: unknown method.
    """
    name = raw.get("method", base.model_fields["method"].default)
    return _joined(base, method_entry(str(name), stage).parameters)


@cache
def _joined(base: type[TrainingStageParameters], method: type[Any]) -> type[TrainingStageParameters]:
    joined: type[TrainingStageParameters] = create_model(base.__name__, __base__=(base, method))
    return joined
