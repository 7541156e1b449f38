"""Train a network: a method (`seedbed.methods`) defines what a step optimises, the parameters here how.

`train_classifier` learns from image-level labels. `train_affinitynet` learns from confident regions which pixels belong
together (Ahn & Kwak 2018, §3.2); where no image has two pixels of background, two of one class, or two that differ, a
kind of pair is missing, and the log and the manifest's facts (`missing_pairs`) say so. `train_saliency` learns what is
salient: without labels, from strong regions of CAMs, or from other saliency maps. `train_segmenter` learns from pseudo
masks, confident regions or, as an upper bound, the true masks (`from: {labels: masks}`); the ledger then says
`training`.

The backbone's weights learn at `lr`, its biases at `bias_lr_factor` times that, without weight decay; what is
trained from scratch learns at `head_lr_factor` times those rates. The schedule is lr (1 - step/steps)^poly_power, after
a warm-up if one is requested, where `poly_epochs` can end the decay early.

An epoch leaves out a last batch with fewer than `batch_size` images, and a data set with fewer than `batch_size` times
`accumulate` images is refused. A training run that was killed resumes from its last checkpoint, which is written after
each epoch and every two minutes within long ones, and ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, Field, create_model

from seedbed.errors import SeedbedError
from seedbed.input.augmentation import Augmentation
from seedbed.methods.base import MethodEntry
from seedbed.methods.table import all_methods, method_entry
from seedbed.runtime.contract import Input, Job, Parameters, Products, Stage
from seedbed.training.parameters import TrainingParameters


class TrainingStageParameters(TrainingParameters, Parameters):
    """Base of the training stages' models; the method adds its own parameters."""

    method: str = Field(description="what a training step optimises: a method of this stage")
    split: str = Field(default="train", description="split of the data set to train on")
    augmentation: Augmentation = Field(default=Augmentation(), description="what is done to a training image")

    @property
    def entry(self) -> MethodEntry:
        """The method's row."""
        return method_entry(self.method)

    def needed_inputs(self) -> tuple[str, ...]:
        """Inputs that the method cannot do without."""
        return self.entry.needed(self)

    def unused_inputs(self) -> tuple[str, ...]:
        """Inputs for other methods, or for this one with other parameters."""
        used = {*self.needed_inputs(), *self.entry.optional}
        return tuple(name for name in MethodInputs(self.entry.stage) if name not in used)

    def offers(self) -> tuple[str, ...]:
        """What the method's network gives to later stages."""
        return self.entry.offers

    def also_makes(self) -> tuple[str, ...]:
        """What the method's network is besides."""
        return self.entry.also

    def faults(self) -> Iterator[str]:
        """What the method's own model says."""
        own = getattr(self.entry.parameters, "faults", None)
        return own(self) if own else iter(())

    def of_method(self) -> Any:
        """The method's own parameters, an instance of its entry's model."""
        model = self.entry.parameters
        return model.model_validate({name: getattr(self, name) for name in model.model_fields})


class MethodInputs(Mapping[str, Input]):
    """Inputs of a training stage: all that any of its methods, including those of installed packages, needs or reads.

    Args:
        stage: name of the training stage.
    """

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __getitem__(self, name: str) -> Input:
        return self._inputs()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs())

    def __len__(self) -> int:
        return len(self._inputs())

    def _inputs(self) -> dict[str, Input]:
        found: dict[str, Input] = {}
        for method, entry in all_methods().items():
            if entry.stage != self.stage:
                continue
            own = {name: (meaning,) for name, meaning in entry.networks.items()} | dict(entry.reads)
            for name, takes in own.items():
                if found.setdefault(name, Input(takes, required=False)).takes != takes:
                    raise SeedbedError(
                        f"method {method!r} takes {' or '.join(takes)} as input {name}, but another of {self.stage} "
                        f"takes {' or '.join(found[name].takes)}; give the input another name"
                    )
        return found


def training_stage(name: str, version: int, summary: str, makes: str, method: str) -> Stage:
    """A row: one training stage.

    Args:
        makes: meaning of the network.
        method: the default one.
    """
    return Stage(
        name=name,
        version=version,
        summary=summary,
        parameters=lambda raw: _joined(
            method_entry(str(raw.get("method", method)), name).parameters,
            str(raw.get("method", method)),
            method,
        ),
        inputs=MethodInputs(name),
        resources="training",
        run=run,
        makes=makes,
        random=True,
    )


@cache
def _joined(own: type[BaseModel], method: str, default: str) -> type[TrainingStageParameters]:
    """The stages' model with the parameters of a method.

    Raises:
        SeedbedError: one of them has the name of a training parameter.
    """
    taken = sorted(own.model_fields.keys() & TrainingStageParameters.model_fields.keys())
    if taken:
        raise SeedbedError(
            f"method {method!r}: its parameter {', '.join(taken)} has the name of a training parameter; rename it"
        )
    description = TrainingStageParameters.model_fields["method"].description
    bases: Any = (TrainingStageParameters, own)
    joined: type[TrainingStageParameters] = create_model(
        f"Training{own.__name__}",
        __base__=bases,
        method=(str, Field(default=default, description=description)),
    )
    return joined


def run(job: Job) -> Products:
    """The trained network, its kept epochs and its history."""
    from seedbed.runtime.fit import fit_method

    return fit_method(job)


TRAIN_CLASSIFIER = training_stage(
    "train_classifier", 4, "Train a classifier on image-level labels.", makes="classifier", method="cam"
)
TRAIN_AFFINITYNET = training_stage(
    "train_affinitynet",
    5,
    "Train an AffinityNet on confident regions.",
    makes="affinitynet",
    method="affinity",
)
TRAIN_SEGMENTER = training_stage(
    "train_segmenter",
    4,
    "Train a segmentation network on label maps.",
    makes="segmenter",
    method="segmentation",
)
TRAIN_SALIENCY = training_stage(
    "train_saliency",
    3,
    "Train a saliency network.",
    makes="saliency_network",
    method="c2am",
)
