"""The contract of a method: what one training step optimises.

`Method.objectives` is a generator. The loop draws an `Objective` from it, steps the optimiser of the objective's
player, and resumes it, so that alternating training reads like the paper's algorithm.

A method's file holds its parameters, its class and its `ENTRY`, and planning imports it: what needs torch is imported
inside the class. For the same reason `Method` is a plain class that holds networks, not itself an `nn.Module`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from seedbed.networks.known import backbone_fault, weights_fault, weights_form_fault

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from seedbed.input.batch import Batch
    from seedbed.input.examples import Examples
    from seedbed.input.field_store import FieldStore

TrainingStageName = Literal["train_classifier", "train_affinitynet", "train_segmenter", "train_saliency"]

POLARITY = "polarity"
"""Key in a saliency network's facts: whether low logits are salient (`inverted`), and how that is known (`rule`)."""


class MethodParameters(BaseModel):
    """Parameters that every method with a backbone has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    backbone: str = "tf_efficientnet_lite0"
    """timm's name for the architecture, without the tag."""
    weights: str = "embedded"
    """Initial weights: `none`, `embedded` (EfficientNet-Lite0 to -Lite2), `timm:<tag>`, `file:<path>`."""
    allow_mask_trained: bool = False
    """Accept initial weights that were trained on pixel masks; the ledger records it."""
    batch_norm: Literal["trained", "statistics", "frozen"] = "trained"
    """The backbone's batch norm: `statistics` keeps running statistics fixed (IRN), `frozen` scale and shift too."""

    @field_validator("backbone")
    @classmethod
    def _known_backbone(cls, name: str) -> str:
        return _value_unless(name, backbone_fault(name))

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, weights: str) -> str:
        return _value_unless(weights, weights_form_fault(weights))

    @model_validator(mode="after")
    def _given_together(self) -> MethodParameters:
        """Weights that no settings of a data set can change, since both are given."""
        if {"backbone", "weights"} <= self.model_fields_set:
            _value_unless("", weights_fault(self.backbone, self.weights))
        return self

    def faults(self) -> Iterator[str]:
        """What is wrong with parameters that are complete: with the settings of a data set, if it has any."""
        if fault := weights_fault(self.backbone, self.weights):
            yield fault


def _value_unless(value: str, fault: str) -> str:
    if fault:
        raise ValueError(fault)
    return value


@dataclass(frozen=True)
class Progress:
    """The position of a step in training; all counted from 0."""

    step: int
    steps: int
    epoch: int
    epochs: int

    @property
    def fraction(self) -> float:
        """step / steps, in [0, 1)."""
        return self.step / max(self.steps, 1)


@dataclass(frozen=True)
class EpochContext:
    """What a method may use at the start of an epoch.

    Attributes:
        generator: keyed by (rng, epoch).
        scratch: folder for the method's own files, which no checkpoint names.
        examples: whole images and labels, to look through the training set.
        fields: takes per-image fields, which the loader reads from then on and the checkpoint names.
        workers: processes that the method may start; what it makes must be the same for any number.
        log: gets a line for the stage's log, which is no output.
    """

    device: torch.device
    generator: torch.Generator
    scratch: Path
    examples: Examples | None
    fields: FieldStore
    workers: int = 0
    log: Callable[[str], None] = lambda line: None


class Objective(NamedTuple):
    """One optimiser step asked for by a method."""

    player: str
    """Key in `Method.networks()`: whose optimiser steps."""
    loss: Tensor
    parts: dict[str, Tensor]
    """Scalars, logged by name."""
    enters: tuple[str, ...] = ()
    """Other players whose gradients this loss is added to. They do not step now, but must within the same micro-batch,
    after which the loop clears their gradients."""


class GivenNetwork(NamedTuple):
    """A trained network of another node that a method is built with (`MethodEntry.networks`)."""

    network: nn.Module
    mean: tuple[float, ...]
    """Input normalisation on [0, 1] RGB that it was trained with."""
    std: tuple[float, ...]


class Method:
    """Base of all methods: holds the networks, and says what a step optimises."""

    mean: tuple[float, ...]
    """Input normalisation on [0, 1] RGB that the networks expect; the loader applies it."""
    std: tuple[float, ...]
    provenance: dict[str, str]
    """Where the initial weights came from."""

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Yield the objectives of one step, in the paper's order."""
        raise NotImplementedError

    def networks(self) -> dict[str, nn.Module]:
        """The networks to train, by player, which is also the attribute that holds the network.

        Fabric sets up each entry, never the method as a whole, and the loop puts what fabric returns into
        that attribute during training: call a network, never use its submodules.
        """
        raise NotImplementedError

    def pixel_network(self) -> nn.Module:
        """The network that maps images to logits of their pixels, of a method that makes a `segmenter`."""
        return next(iter(self.networks().values()))

    def judges(self) -> dict[str, nn.Module]:
        """Given networks that are not trained: they go to the device with the others, in evaluation mode."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """What else the method keeps between steps (prototypes, running means); it enters the checkpoint."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned."""

    def on_epoch_start(self, epoch: int, context: EpochContext) -> None:
        """Called before each epoch, but not when a run resumes in the middle of one.

        What is produced here must be in `state` or in `context.fields`, to enter the checkpoint.
        """

    def facts(self, examples: Examples, device: str) -> Mapping[str, Any]:
        """What the manifest says about the trained network that only training can know; JSON values.

        Called once, when the training is done and the networks are in evaluation mode on the device.

        Args:
            examples: the training set.
            device: torch device.
        """
        return {}

    def train(self, mode: bool = True) -> Method:
        """Switch the networks' training mode; judges stay in evaluation mode."""
        for network in self.networks().values():
            network.train(mode)
        for judge in self.judges().values():
            judge.eval()
        return self

    def eval(self) -> Method:
        """Switch the networks to evaluation mode."""
        return self.train(False)

    def to(self, device: torch.device | str) -> Method:
        """Move all networks to a device, their convolutions into channels-last memory."""
        from seedbed.networks.memory_format import channels_last

        for network in (*self.networks().values(), *self.judges().values()):
            channels_last(network).to(device)
        return self

    def state_dict(self) -> dict[str, Tensor]:
        """Weights and statistics of the trained networks as `player.name`, and `state` as `.name`."""
        found = {f".{name}": value for name, value in self.state().items()}
        for player, network in self.networks().items():
            found |= {f"{player}.{name}": value for name, value in network.state_dict().items()}
        return found

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            RuntimeError: names or shapes of a network's weights do not fit.
        """
        self.load_state(_below("", state))
        for player, network in self.networks().items():
            network.load_state_dict(_below(player, state))


def _below(player: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{player}."
    return {name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)}


class MethodEntry(NamedTuple):
    """One row of the table of methods.

    Attributes:
        parameters: model of the method's own parameters; none may have the name of a training parameter.
        method: the class: (parameters, classes=, rng=, weights=, and each of `networks`).
        stage: the training stage that it belongs to.
        networks: trained networks that it is built with, each an optional input of the stage: name and meaning. Each
            is also a keyword of the class, which takes a `GivenNetwork`, or None if it is built for inference.
        reads: per-image inputs, each an optional input of the stage: name, and the meanings or forms that it takes
            (`masks` for the true masks). They arrive as `Batch.fields`.
        needs: which of `networks` and `reads` a method with these parameters cannot do without; all if None.
        optional: which of `networks` and `reads` may be given but are not needed.
        derive: parameters that only an input knows (how many sub-categories it has): from the method's parameters and
            the facts of each artifact in `reads`, by name, to those that it is trained with and that the manifest
            states.
        offers: what its trained network gives to later stages beyond the stage's own: `pcm` (`dump_cams`), `edges`
            (`random_walk`). A recipe whose later stage asks for more is refused when it is loaded.
        also: meanings that its network has besides the one that its stage makes: `segmenter`, if
            `Method.pixel_network` gives logits of pixels.
    """

    parameters: type[BaseModel]
    method: Callable[..., Method]
    stage: TrainingStageName
    networks: Mapping[str, str] = {}
    reads: Mapping[str, tuple[str, ...]] = {}
    needs: Callable[[Any], tuple[str, ...]] | None = None
    optional: tuple[str, ...] = ()
    derive: Callable[[Any, Mapping[str, Mapping[str, Any]]], Any] | None = None
    offers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def needed(self, parameters: Any) -> tuple[str, ...]:
        """Inputs that a node with these parameters must have."""
        if self.needs is not None:
            return self.needs(parameters)
        return tuple(name for name in (*self.networks, *self.reads) if name not in self.optional)

    def derived(self, parameters: Any, facts: Mapping[str, Mapping[str, Any]]) -> Any:
        """The parameters that a node with these inputs is trained with."""
        return parameters if self.derive is None else self.derive(parameters, facts)
