"""Trained networks from artifacts, ready for inference."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.models import read_epoch, read_state
from seedbed.errors import SeedbedError
from seedbed.methods.base import Method
from seedbed.methods.pairs import PairMethod
from seedbed.methods.table import build_method, method_entry
from seedbed.networks.weights import InitialWeights
from seedbed.stages.registry import STAGES
from seedbed.stages.training import TrainingStageParameters


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in evaluation mode, with the input normalisation that it was trained with."""

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    method: Method
    """That trained it and holds it."""


def load_network(artifact: Artifact | None, classes: int, epoch: int | None, device: str) -> TrainedNetwork:
    """Build the network that a training stage left, and load its weights.

    Args:
        artifact: of a training stage.
        classes: C of the data set.
        epoch: kept epoch; the final weights where None.
        device: torch device.

    Raises:
        SeedbedError: that epoch was not kept, or a file disagrees with the manifest.
    """
    assert artifact is not None
    content = artifact.manifest.parameters
    parameters = STAGES[content["stage"]].validate(content["parameters"], str(artifact.folder))
    assert isinstance(parameters, TrainingStageParameters)
    name = str(getattr(parameters, "method"))  # noqa: B009
    model = method_entry(name).parameters
    own = model.model_validate({field: getattr(parameters, field) for field in model.model_fields})
    facts = artifact.manifest.facts
    mean, std = tuple(facts["mean"]), tuple(facts["std"])
    untrained = InitialWeights(None, facts["weights"], mean, std)
    method = build_method(name, own, classes=classes, rng=0, weights=untrained)
    if epoch is None:
        state = read_state(artifact.file("model.safetensors"))
    else:
        state = read_epoch(artifact.file("epochs.safetensors"), epoch)
    network = method.networks()[facts["player"]]
    network.load_state_dict(state)
    method.eval()
    return TrainedNetwork(network.to(device), mean, std, method)


def load_affinitynet(artifact: Artifact | None, classes: int, epoch: int | None, device: str) -> PairMethod:
    """The method of an AffinityNet, whose `image_pairs` the random walk asks for.

    Args:
        artifact: of `train_affinitynet`.
        classes: C of the data set.
        epoch: kept epoch; the final weights where None.
        device: torch device.

    Raises:
        SeedbedError: a method without `image_pairs`, and what `load_network` raises.
    """
    method = load_network(artifact, classes, epoch, device).method
    if not isinstance(method, PairMethod):
        raise SeedbedError(
            f"{type(method).__name__} gives no pairs to walk along; derive it from seedbed.methods.pairs.PairMethod"
        )
    return method
