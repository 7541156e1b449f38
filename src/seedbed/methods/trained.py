"""Trained networks from artifacts, ready for inference: built from what the manifest says, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.models import EPOCHS, MODEL, read_epoch, read_state
from seedbed.errors import SeedbedError
from seedbed.methods.base import Method
from seedbed.methods.pairs import PairMethod
from seedbed.methods.table import build_method, method_entry
from seedbed.networks.bands import work_in_bands
from seedbed.networks.weights import InitialWeights


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in evaluation mode, with the input normalisation that it was trained with."""

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    method: Method
    """The method that trained it and holds it."""


def network_facts(name: str, parameters: Any, method: Method) -> dict[str, Any]:
    """What a manifest says about a trained network, for `load_network`.

    Args:
        name: of the method.
        parameters: of the method, an instance of its entry's model.
        method: the first player's network is what later stages use.
    """
    return {
        "method": name,
        "parameters": parameters.model_dump(mode="json"),
        "player": next(iter(method.networks())),
        "mean": list(method.mean),
        "std": list(method.std),
        "weights": method.provenance,
    }


def load_network(artifact: Artifact, epoch: int | None, device: str) -> TrainedNetwork:
    """Build the network that a training stage made, and load its weights; it takes large images in bands.

    Args:
        artifact: of a training stage.
        epoch: kept epoch; the final weights if None.
        device: torch device.

    Raises:
        SeedbedError: that epoch was not kept, or a file disagrees with the manifest.
    """
    facts = artifact.manifest.facts
    parameters = method_entry(facts["method"]).parameters.model_validate(facts["parameters"])
    mean, std = tuple(facts["mean"]), tuple(facts["std"])
    untrained = InitialWeights(None, facts["weights"], mean, std)
    method = build_method(
        facts["method"], parameters, classes=len(facts["classes"]), rng=0, weights=untrained
    )
    state = read_state(artifact.file(MODEL)) if epoch is None else read_epoch(artifact.file(EPOCHS), epoch)
    network = method.networks()[facts["player"]]
    network.load_state_dict(state)
    method.eval()
    backbone = getattr(network, "backbone", None)
    work_in_bands(network, *([backbone] if isinstance(backbone, nn.Module) else []))
    return TrainedNetwork(network.to(device), mean, std, method)


def load_segmenter(artifact: Artifact, epoch: int | None, device: str) -> TrainedNetwork:
    """Load a trained network as one that maps images to logits of their pixels.

    Args:
        artifact: a segmenter, or of a method that makes one along with something else.
        epoch: kept epoch; the final weights if None.
        device: torch device.

    Raises:
        SeedbedError: as `load_network`.
    """
    trained = load_network(artifact, epoch, device)
    return replace(trained, network=trained.method.pixel_network().eval())


def load_affinitynet(artifact: Artifact, epoch: int | None, device: str) -> PairMethod:
    """The method of an AffinityNet, whose `image_pairs` the random walk uses.

    Args:
        artifact: of `train_affinitynet`.
        epoch: kept epoch; the final weights if None.
        device: torch device.

    Raises:
        SeedbedError: the method has no `image_pairs`, or `load_network` refuses.
    """
    method = load_network(artifact, epoch, device).method
    if not isinstance(method, PairMethod):
        raise SeedbedError(
            f"{type(method).__name__} gives no pairs to walk along; derive it from seedbed.methods.pairs.PairMethod"
        )
    return method
