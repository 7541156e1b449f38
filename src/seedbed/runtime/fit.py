"""Training as a stage does it: examples from the data set and the inputs, the loop, files from what it leaves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import TRAINED_ON_TRUE_MASKS, LedgerEntry
from seedbed.artifacts.models import EPOCHS, HISTORY, MODEL, encode_epochs, encode_state
from seedbed.errors import SeedbedError
from seedbed.input.batch import Batch
from seedbed.input.examples import ReadFields, SplitExamples
from seedbed.input.field_store import FieldStore
from seedbed.input.loaders import TrainingLoader, normalise
from seedbed.labels import IGNORE
from seedbed.methods.base import GivenNetwork, Method
from seedbed.methods.table import build_method
from seedbed.methods.trained import load_network, network_facts
from seedbed.runtime.contract import Job, Products, TrueMasks
from seedbed.training.loop import fit

PATIENCE = 100
"""Batches without a foreground pixel that are tolerated."""

LOADERS = "SEEDBED_LOADERS"
"""Environment variable: processes that read images beside a GPU, or make a method's labels; any number gives equal
results."""


def fit_method(job: Job) -> Products:
    """Train the method that the parameters name.

    Raises:
        SeedbedError: labels that are all background, or an input that the method refuses; see `fit`.
    """
    parameters = job.parameters
    own = parameters.entry.derived(
        parameters.of_method(),
        {name: a.manifest.facts for name, a in job.inputs.items() if isinstance(a, Artifact)},
    )
    torch.set_num_threads(parameters.torch_threads)
    method = build_method(
        parameters.method,
        own,
        classes=len(job.classes),
        rng=job.rng,
        given={name: _given(job, name) for name in parameters.entry.networks if name in job.inputs},
    )
    if method.provenance.get("trained_on_masks") == "yes":
        note = f"initial weights {method.provenance['source']} were trained on pixel masks"
        job.ledger.append(LedgerEntry(use="training", stage=str(job.slice["stage"]), note=note))
    if not any(job.dataset.labels(image_id).any() for image_id in job.dataset.image_ids(parameters.split)):
        raise SeedbedError(
            f"no image of split {parameters.split} has a class, so there is nothing to learn; check the labels"
        )
    work = job.work / "training"
    store = FieldStore(work / "fields")
    reads = {name: _read(job, name) for name in parameters.entry.reads if name in job.inputs}
    examples = SplitExamples(job.dataset, parameters.split, reads, store)
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
        work=work,
        log=job.log,
        keep=kept.__setitem__,
        accelerator="cuda" if job.device == "cuda" else "cpu",
        examples=examples,
        fields=store,
        workers=workers,
    )
    facts = network_facts(parameters.method, own, method.to(job.device))
    facts |= method.facts(examples, job.device)
    prefix = f"{facts['player']}."
    epochs = {
        epoch: {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        for epoch, state in kept.items()
    }
    files = {
        MODEL: encode_state(method.networks()[facts["player"]].state_dict()),
        EPOCHS: encode_epochs(epochs),
        HISTORY: history.to_csv().encode(),
    }
    return Products(files=files, facts=facts)


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
            SeedbedError: label maps have collapsed to background.
        """
        foreground = start > 0
        for number, batch in enumerate(self.loader.epoch(epoch, start), start + 1):
            label_maps = [value for value in batch.fields.values() if value.dtype == torch.int64]
            foreground = foreground or not label_maps or any(map(has_foreground, label_maps))
            if not foreground and number >= self.patience:
                raise SeedbedError(
                    f"epoch {epoch + 1}, batch {number}: no label map of this epoch has a foreground pixel; most "
                    "likely the CAMs have collapsed or the foreground threshold is too high: look at what made "
                    "the label maps"
                )
            images = normalise(batch.images, batch.valid, self.method.mean, self.method.std, self.device)
            yield Batch(batch.image_ids, images, batch.labels, batch.valid, batch.fields)


def has_foreground(label_maps: Int64[Tensor, "batch height width"]) -> bool:
    """Whether a pixel is neither background (0) nor without label (255)."""
    return bool(((label_maps > 0) & (label_maps < IGNORE)).any())


def _given(job: Job, name: str) -> GivenNetwork:
    trained = load_network(job.artifact(name), job.epochs.get(name), job.device, for_training=True)
    return GivenNetwork(trained.network, trained.mean, trained.std)


def _read(job: Job, name: str) -> ReadFields:
    """How the fields of an input are read; the true masks enter the ledger."""
    source = job.inputs[name]
    if isinstance(source, TrueMasks):
        entry = LedgerEntry(use="training", stage=str(job.slice["stage"]), note=TRAINED_ON_TRUE_MASKS)
        job.ledger.append(entry)
        return lambda image_id: {"": job.true_mask(image_id)}
    assert isinstance(source, Artifact)
    read: ReadFields = source.open(job.parameters.split).fields
    return read
