"""Trained networks from artifacts, ready for inference: built from what the manifest says, whoever made them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from torch import Tensor, nn

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import MANIFEST, run_again
from seedbed.artifacts.models import EPOCHS, MODEL, read_epoch, read_state
from seedbed.errors import SeedbedError, one_line, unknown_name
from seedbed.methods.base import Method
from seedbed.methods.pairs import PairMethod
from seedbed.methods.table import build_method, method_entry
from seedbed.networks.bands import work_in_bands
from seedbed.networks.folding import fold_batch_norm
from seedbed.networks.memory_format import channels_last, expect_new_sizes
from seedbed.networks.weights import InitialWeights

Deviation = Annotated[FiniteFloat, Field(gt=0)]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network in evaluation mode, with the input normalisation that it was trained with."""

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]
    method: Method
    """The method that trained it and holds it."""


class NetworkFacts(BaseModel):
    """What a manifest says about a trained network: see `network_facts`."""

    method: str
    parameters: dict[str, Any]
    player: str
    mean: tuple[FiniteFloat, FiniteFloat, FiniteFloat]
    std: tuple[Deviation, Deviation, Deviation]
    weights: Any


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


def load_network(
    artifact: Artifact, epoch: int | None, device: str, for_training: bool = False
) -> TrainedNetwork:
    """Build the network that a training stage made, and load its weights; it takes large images in bands.

    Args:
        artifact: of a training stage.
        epoch: kept epoch; the final weights if None.
        device: torch device.
        for_training: of another network, which may need this one's weights as they were trained; otherwise batch norm
            is folded into the convolutions.

    Raises:
        SeedbedError: that epoch was not kept, or a file disagrees with the manifest.
    """
    path = artifact.file(MODEL if epoch is None else EPOCHS)
    try:
        facts = NetworkFacts.model_validate(artifact.manifest.facts)
        parameters = method_entry(facts.method).parameters.model_validate(facts.parameters)
        untrained = InitialWeights(None, facts.weights, facts.mean, facts.std)
        classes = len(artifact.classes)
        method = build_method(facts.method, parameters, classes=classes, rng=0, weights=untrained)
        networks = method.networks()
        if facts.player not in networks:
            raise SeedbedError(unknown_name("player", facts.player, networks))
        network = networks[facts.player]
    except (SeedbedError, ValidationError, ValueError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else one_line(error)
        where = artifact.folder / MANIFEST
        raise SeedbedError(
            f"{where}: no network can be built from it ({told}); {run_again(where)}"
        ) from error
    _load(network, read_state(path) if epoch is None else read_epoch(path, epoch), path)
    method.eval()
    backbone = getattr(network, "backbone", None)
    if not for_training:
        fold_batch_norm(network)
        if (pixel_network := method.pixel_network().eval()) is not network:
            fold_batch_norm(pixel_network)
    parts = [backbone] if isinstance(backbone, nn.Module) else []
    work_in_bands(network, *parts)
    channels_last(network).to(device)
    if device != "cpu" and not for_training:
        expect_new_sizes(network, *parts)
    return TrainedNetwork(network, facts.mean, facts.std, method)


def _load(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load weights that fit exactly and are finite.

    Raises:
        SeedbedError: naming the file and the first tensor that is at fault.
    """
    wanted = network.state_dict()
    for name in sorted({*wanted, *state}):
        found, own = state.get(name), wanted.get(name)
        if found is None or own is None:
            told = f"{'has no' if found is None else 'has a surplus'} tensor {name}"
        elif found.shape != own.shape or found.dtype != own.dtype:
            told = (
                f"holds {name} as {found.dtype} {list(found.shape)} instead of {own.dtype} {list(own.shape)}"
            )
        elif found.is_floating_point() and not bool(found.isfinite().all()):
            told = f"holds values in {name} that are not finite"
        else:
            continue
        raise SeedbedError(f"{path} does not fit the network of its manifest: it {told}; {run_again(path)}")
    network.load_state_dict(dict(state))


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
