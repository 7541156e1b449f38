"""Trained networks from artifacts, ready for inference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from pydantic import BaseModel
from torch import nn

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.models import read_epoch, read_state
from seedbed.methods.table import AffinityParameters, build_method, method_entry
from seedbed.networks.weights import InitialWeights
from seedbed.refine.affinity_labels import pair_offsets
from seedbed.stages.registry import STAGES
from seedbed.stages.training import TrainingStageParameters

ImageAffinity = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in evaluation mode, with the input normalisation that it was trained with."""

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    parameters: BaseModel
    """Of the method."""


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
    return TrainedNetwork(network.to(device).eval(), mean, std, own)


def affinity_function(
    trained: TrainedNetwork, scale: float, device: str
) -> tuple[ImageAffinity, tuple[tuple[int, int], ...]]:
    """A function image -> affinities of its grid points, and the pairs' offsets (dy, dx), for the random walk.

    Args:
        trained: an AffinityNet.
        scale: of the image that the network sees.
        device: torch device.
    """
    from seedbed.methods.affinity import image_affinity

    parameters = trained.parameters
    assert isinstance(parameters, AffinityParameters)

    def affinity(image: UInt8[np.ndarray, "H W 3"]) -> Float32[np.ndarray, "offsets h w"]:
        return image_affinity(
            trained.network, image, parameters, trained.mean, trained.std, scale=scale, device=device
        )

    return affinity, pair_offsets(parameters.radius)
