"""The contract of a method: what one training step optimises.

`Method.objectives` is a generator. The loop draws an `Objective` from it, steps the optimiser of the
objective's player, and resumes it, so that alternating training reads like the paper's algorithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """One micro-batch on the device."""

    image_ids: tuple[str, ...]
    images: Float[Tensor, "batch 3 height width"]
    """Normalised as the backbone was trained; padding is 0, the mean colour."""
    labels: Float[Tensor, "batch classes"]
    """Image-level labels, 0 or 1."""
    label_maps: Int64[Tensor, "batch height width"] | None
    """Pixel labels (pseudo masks, confident regions; 255 = no label), where the method trains on them."""
    valid: Bool[Tensor, "batch height width"]
    """False on padding."""

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(
            image_ids=self.image_ids,
            images=self.images.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            label_maps=None if self.label_maps is None else self.label_maps.to(device, non_blocking=True),
            valid=self.valid.to(device, non_blocking=True),
        )


@dataclass(frozen=True)
class Progress:
    """Where in training a step stands; all from 0."""

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
    """What a method may use at the start of an epoch."""

    device: torch.device
    generator: torch.Generator
    """Keyed by (rng, epoch)."""
    scratch: Path


class Objective(NamedTuple):
    """One optimiser step asked for by a method."""

    player: str
    """Key of `Method.networks()`: whose optimiser steps."""
    loss: Float[Tensor, ""]
    parts: dict[str, Tensor]
    """Scalars, logged by name."""


class GivenNetwork(NamedTuple):
    """A trained network of another node that a method is built with (`MethodEntry.needs`)."""

    network: nn.Module
    mean: tuple[float, ...]
    """Input normalisation on [0, 1] RGB that it was trained with."""
    std: tuple[float, ...]


class Method(nn.Module):
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
        """The networks that are trained, by player, which is also the attribute that holds the network.

        Fabric sets up each entry, never the method as a whole, and the loop puts what fabric returns into
        that attribute for the time of training: a network is called, never reached into.
        """
        raise NotImplementedError

    def on_epoch_start(self, epoch: int, context: EpochContext) -> None:
        """Called before each epoch, not when one is resumed in its middle.

        Whatever is produced here must be in the state dict, to enter the checkpoint.
        """
