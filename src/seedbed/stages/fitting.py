"""Training as a stage does it: examples from the data set and its label maps, the loop, files from what it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from seedbed.artifacts.manifest import LedgerEntry
from seedbed.artifacts.models import encode_epochs, encode_state
from seedbed.errors import SeedbedError
from seedbed.input.loaders import SplitExamples, TrainingLoader, normalise
from seedbed.labels import IGNORE
from seedbed.methods.base import Batch, GivenNetwork, Method
from seedbed.methods.table import build_method, method_entry
from seedbed.methods.trained import load_network
from seedbed.runtime.contract import Job, Products
from seedbed.stages.training import TrainingStageParameters
from seedbed.training.history import History
from seedbed.training.loop import fit

NETWORK_INPUTS = ("ordinary_classifier",)
"""Inputs of training stages that are trained networks."""

PATIENCE = 100
"""Batches without a foreground pixel that are borne."""

LOADERS = "SEEDBED_LOADERS"
"""Environment variable: processes that read images beside a GPU; batches are the same for any number."""


@dataclass(frozen=True)
class NormalisedLoader:
    """Batches of a `TrainingLoader` as a method wants them: normalised, on the device."""

    loader: TrainingLoader
    method: Method
    device: str
    patience: int = PATIENCE
    """Batches of an epoch, from its start, of which one at least must hold a foreground pixel."""

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number `start`.

        Raises:
            SeedbedError: the label maps have collapsed to background.
        """
        foreground = start > 0
        for number, batch in enumerate(self.loader.epoch(epoch, start), start + 1):
            foreground = foreground or batch.label_maps is None or has_foreground(batch.label_maps)
            if not foreground and number >= self.patience:
                raise SeedbedError(
                    f"epoch {epoch + 1}, batch {number}: no label map of this epoch has a foreground pixel; most "
                    "likely the CAMs have collapsed or the foreground threshold is too high: look at the node that "
                    "made the label maps"
                )
            images = normalise(batch.images, batch.valid, self.method.mean, self.method.std, self.device)
            yield Batch(batch.image_ids, images, batch.labels, batch.label_maps, batch.valid)


@dataclass(frozen=True)
class Fitted:
    """A trained method."""

    method: Method
    history: History
    epochs: Mapping[int, Mapping[str, Tensor]]

    def products(self, others: Mapping[str, bytes] | None = None) -> Products:
        """Files of the artifact: the first player's network is what later stages use."""
        player, network = next(iter(self.method.networks().items()))
        prefix = f"{player}."
        epochs = {
            epoch: {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            for epoch, state in self.epochs.items()
        }
        return Products(
            files={
                "model.safetensors": encode_state(network.state_dict()),
                "epochs.safetensors": encode_epochs(epochs),
                "history.csv": self.history.to_csv().encode(),
                **(others or {}),
            },
            facts={
                "player": player,
                "mean": list(self.method.mean),
                "std": list(self.method.std),
                "weights": self.method.provenance,
            },
        )


def fit_method(job: Job, labels: str | None = None) -> Fitted:
    """Train the method that the parameters name.

    Args:
        labels: input with the label maps to train on; the true masks where it is None in the job; no label maps
            where this argument is None.

    Raises:
        SeedbedError: an input that the method needs or does not use; labels that are all background; see `fit`.
    """
    parameters: TrainingStageParameters = job.parameters
    method_parameters = method_entry(parameters.method).parameters.model_validate(  # type: ignore[attr-defined]
        {name: getattr(parameters, name) for name in _method_fields(parameters)}
    )
    torch.set_num_threads(parameters.torch_threads)
    method = build_method(
        parameters.method,  # type: ignore[attr-defined]
        method_parameters,
        classes=len(job.dataset.classes),
        rng=job.rng,
        given=_given_networks(job),
    )
    if method.provenance.get("trained_on_masks") == "yes":
        note = f"initial weights {method.provenance['source']} were trained on pixel masks"
        job.ledger.append(LedgerEntry(use="training", stage=str(job.slice["stage"]), note=note))
    maps = None
    if labels is not None:
        artifact = job.inputs[labels]
        maps = job.dataset.mask if artifact is None else artifact.label_maps(parameters.split).__getitem__
    if not any(job.dataset.labels(image_id).any() for image_id in job.dataset.image_ids(parameters.split)):
        raise SeedbedError(
            f"no image of split {parameters.split} has a class, so there is nothing to learn; check the labels"
        )
    examples = SplitExamples(job.dataset, parameters.split, maps)
    workers = int(os.environ.get(LOADERS, "8" if job.device == "cuda" else "0"))
    loader = TrainingLoader(examples, parameters.augmentation, parameters.batch_size, job.rng, workers)
    patience = max(min(PATIENCE, len(loader) // parameters.accumulate * parameters.accumulate), 1)
    kept: dict[int, dict[str, Tensor]] = {}
    history = fit(
        method,
        NormalisedLoader(loader, method, job.device, patience),
        parameters,
        rng=job.rng,
        key=job.key,
        work=job.work / "training",
        log=job.log,
        keep=lambda epoch, state: kept.__setitem__(
            epoch, {k: v.detach().cpu().clone() for k, v in state.items()}
        ),
        accelerator="cuda" if job.device == "cuda" else "cpu",
    )
    return Fitted(method.to(job.device), history, kept)


def has_foreground(label_maps: Int64[Tensor, "batch height width"]) -> bool:
    """Whether a pixel is neither background (0) nor without label (255)."""
    return bool(((label_maps > 0) & (label_maps < IGNORE)).any())


def _given_networks(job: Job) -> dict[str, GivenNetwork]:
    """The trained networks of other nodes that the method is built with.

    Raises:
        SeedbedError: one is missing, or one is given that the method does not take.
    """
    parameters: TrainingStageParameters = job.parameters
    needed = parameters.needed_inputs()
    networks = {}
    for name, artifact in job.inputs.items():
        if name not in NETWORK_INPUTS:
            continue
        if (artifact is not None) != (name in needed):
            method = parameters.method  # type: ignore[attr-defined]
            said = "needs" if artifact is None else "does not use"
            change = "name a node" if artifact is None else "remove it"
            raise SeedbedError(
                f"method {method} {said} `from: {{{name}: NODE}}` with these parameters; {change}"
            )
        if artifact is not None:
            trained = load_network(artifact, len(job.dataset.classes), job.epochs.get(name), job.device)
            networks[name] = GivenNetwork(trained.network, trained.mean, trained.std)
    return networks


def _method_fields(parameters: TrainingStageParameters) -> list[str]:
    return list(method_entry(parameters.method).parameters.model_fields)  # type: ignore[attr-defined]


@torch.no_grad()
def class_probabilities(job: Job, fitted: Fitted, split: str) -> Float32[np.ndarray, "images classes"]:
    """Sigmoid of the class logits of each image of a split, whole, at its own size."""
    network: nn.Module = next(iter(fitted.method.networks().values()))
    network.eval()
    rows = []
    for image_id in job.dataset.image_ids(split):
        image = torch.from_numpy(np.array(job.dataset.image(image_id)))[None]
        valid = torch.ones(image.shape[:3], dtype=torch.bool)
        x = normalise(image, valid, fitted.method.mean, fitted.method.std, job.device)
        rows.append(network(x).class_logits.sigmoid().float().cpu().numpy()[0])
    return np.stack(rows).astype(np.float32)
