"""The training loop, on lightning-fabric: device, precision, players, checkpoints, guards.

All randomness is keyed by (rng, epoch, step), so that a killed and resumed training ends in the same bytes as
one that was left alone.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import Tensor, nn

from seedbed.errors import SeedbedError, unknown_name
from seedbed.input.batch import Batch
from seedbed.input.examples import Examples
from seedbed.input.field_store import FieldStore
from seedbed.methods.base import EpochContext, Method, Objective, Progress
from seedbed.networks.depthwise import FastDepthwise
from seedbed.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from seedbed.training.history import History
from seedbed.training.kept_epochs import KeptEpochs
from seedbed.training.optimisers import build_optimiser, scale_rates
from seedbed.training.parameters import TrainingParameters
from seedbed.training.schedules import poly_decay, warmup

CHECKPOINT_SECONDS = 120.0


@runtime_checkable
class EpochLoader(Protocol):
    """Micro-batches by epoch; what an epoch holds depends on its number only."""

    def __len__(self) -> int:
        """Micro-batches in an epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterable[Batch]:
        """The micro-batches of an epoch, from number `start`."""
        ...


@dataclass
class Player:
    """A network in training."""

    optimiser: Any
    trainable: list[nn.Parameter]
    pending: int = 0
    """Micro-batches whose gradients wait for the step."""
    entered: int = 0
    """Micro-batches in which another player's loss entered its gradients."""


def fit(
    method: Method,
    loader: EpochLoader,
    parameters: TrainingParameters,
    *,
    rng: int,
    key: str,
    work: Path,
    log: Callable[[str], None] = lambda line: None,
    keep: Callable[[int, dict[str, Tensor]], None] = lambda epoch, state: None,
    accelerator: str = "auto",
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    checkpoint_steps: int | None = None,
    fabric: Fabric | None = None,
    examples: Examples | None = None,
    fields: FieldStore | None = None,
    workers: int = 0,
) -> History:
    """Train a method's networks in place, going on from the checkpoint in `work` if there is one of this key.

    A player's step comes when `accumulate` objectives of it have been yielded; within the micro-batches of
    one optimiser step it yields none, or a whole multiple of that. Micro-batches at an epoch's end that
    do not fill an optimiser step are not drawn.

    Args:
        method: what is trained.
        loader: see `EpochLoader`.
        parameters: how.
        rng: random seed of the run.
        key: identity of the run; a checkpoint with another key is wiped.
        work: folder of the checkpoint and of the method's scratch files.
        log: gets a line per epoch.
        keep: gets, when the training is done, the number (from 1) and the method's state dict after each epoch of
            `keep_epochs`, whichever run went through that epoch. Until then they lie in `work`.
        accelerator: fabric's, `auto`, `cpu` or `cuda`.
        checkpoint_seconds: longest time between checkpoints; one is also written after each epoch.
        checkpoint_steps: also write one after this many optimiser steps of an epoch.
        examples: what the method may look through at an epoch's start.
        fields: takes what the method writes there; the loader reads from the same store. Its folder lies in `work`.
        workers: processes that the method may start there; what it makes is the same for any number.
        fabric: a launched one of several processes instead of this one on `accelerator`. Each process calls `fit`
            with its own images; gradients are averaged, the first process writes. Its strategy must not broadcast
            buffers, since a network may be passed twice per step: batch norm that is trained keeps the first
            process' statistics. Loss terms over a batch are over each process' own.

    Raises:
        SeedbedError: too few images for one step, an unknown player, a loss that is not finite or has no
            gradient, weights that are not finite. The last good checkpoint stays.
    """
    steps_per_epoch = len(loader) // parameters.accumulate
    if not steps_per_epoch:
        raise SeedbedError(
            f"an epoch has {len(loader)} batches, too few for one step of {parameters.accumulate} "
            f"x {parameters.batch_size} images; lower batch_size or accumulate, or give more images"
        )
    steps = steps_per_epoch * parameters.epochs
    decaying = steps_per_epoch * (parameters.poly_epochs or parameters.epochs)
    divisor = parameters.accumulate if parameters.accumulation == "mean" else 1
    saved = load_checkpoint(work, key, log)
    fields = fields or FieldStore(work / "fields")
    kept = KeptEpochs(work / "kept")
    history = History(list(saved.rows) if saved else [])
    if saved:
        method.load_state_dict(saved.method)
        digests = {work / name: digest for name, digest in saved.files.items()}
        fields.restore(saved.fields, digests)
        kept.restore(digests)
        log(f"resuming at epoch {saved.epoch + 1}, step {saved.index + 1} of {steps_per_epoch}")

    with _settings(parameters):
        precision: Literal["bf16-mixed", "32-true"] = "32-true"
        if parameters.precision == "bf16":
            precision = "bf16-mixed"
        # Named, because fabric would otherwise look for SLURM's tasks, of which a stage is only one.
        place = LightningEnvironment()
        fabric = fabric or Fabric(accelerator=accelerator, devices=1, precision=precision, plugins=place)
        rank = (fabric.global_rank,) if fabric.global_rank else ()
        fast = FastDepthwise() if fabric.device.type == "cpu" else nullcontext()
        with _set_up(fabric, method, parameters) as players, fast:
            if saved:
                for name, player in players.items():
                    player.optimiser.load_state_dict(saved.optimisers[name])

            def save(epoch: int, index: int) -> None:
                states = {name: player.optimiser.state_dict() for name, player in players.items()}
                digests = fields.digests | kept.digests
                files = {str(path.relative_to(work)): digest for path, digest in digests.items()}
                checkpoint = Checkpoint(
                    key, epoch, index, method.state_dict(), states, history.rows, fields.stamps, files
                )
                if not checkpoint.is_finite():
                    raise SeedbedError(_collapse("weights are not finite", epoch, index))
                if fabric.is_global_zero:
                    save_checkpoint(checkpoint, work)
                    fields.prune()

            written = time.monotonic()
            for epoch in range(saved.epoch if saved else 0, parameters.epochs):
                first = saved.index if saved and epoch == saved.epoch else 0
                if not first:
                    generator = torch.Generator(fabric.device).manual_seed(keyed_seed(rng, epoch))
                    context = EpochContext(
                        fabric.device, generator, work / "scratch", examples, fields, workers, log
                    )
                    method.on_epoch_start(epoch, context)
                method.train()
                batches = iter(loader.epoch(epoch, first * parameters.accumulate))
                for index in range(first, steps_per_epoch):
                    step = epoch * steps_per_epoch + index
                    progress = Progress(step, steps, epoch, parameters.epochs)
                    torch.manual_seed(keyed_seed(rng, epoch, index, *rank))
                    factor = poly_decay(min(step, decaying - 1), decaying, parameters.poly_power)
                    factor *= warmup(step, parameters.warmup_steps)
                    values: dict[str, list[float]] = defaultdict(list)
                    for _ in range(parameters.accumulate):
                        for objective in method.objectives(next(batches).to(fabric.device), progress):
                            player = _player(players, objective.player)
                            _record(objective, values, epoch, index)
                            fabric.backward(objective.loss / divisor, inputs=_reached(players, objective))
                            player.pending += 1
                            if player.pending == parameters.accumulate:
                                _check_gradient(objective.player, player, epoch, index)
                                scale_rates(player.optimiser, factor)
                                player.optimiser.step()
                                player.optimiser.zero_grad()
                                player.pending = player.entered = 0
                    _check_nothing_waits(players, parameters.accumulate)
                    history.add(epoch + 1, step, parameters.lr * factor, values)
                    late = time.monotonic() - written > checkpoint_seconds
                    if late or (checkpoint_steps and (index + 1) % checkpoint_steps == 0):
                        save(epoch, index + 1)
                        written = time.monotonic()
                if parameters.keeps(epoch + 1) and fabric.is_global_zero:
                    kept.write(epoch + 1, method.state_dict())
                save(epoch + 1, 0)
                written = time.monotonic()
                means = ", ".join(f"{name} {value:.4f}" for name, value in history.mean(epoch + 1).items())
                log(f"epoch {epoch + 1}/{parameters.epochs}: {means}")
    method.eval()
    for epoch, state in kept.states():
        keep(epoch, state)
    return history


def keyed_seed(rng: int, *where: int) -> int:
    """A seed of 63 bits from the run's seed and a place in it."""
    return int(np.random.SeedSequence((rng, *where)).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def _settings(parameters: TrainingParameters) -> Iterator[None]:
    """Threads, determinism and the global generator; what was before comes back afterwards."""
    threads, repeats = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(parameters.torch_threads)
    if parameters.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(repeats)


@contextmanager
def _set_up(fabric: Fabric, method: Method, parameters: TrainingParameters) -> Iterator[dict[str, Player]]:
    """Let fabric wrap each network, inside the method too; the bare networks come back afterwards."""
    method.to(fabric.device)
    bare = method.networks()
    players = {}
    for name, network in bare.items():
        trainable = [p for p in network.parameters() if p.requires_grad]
        wrapped, optimiser = fabric.setup(network, build_optimiser(network, parameters))
        setattr(method, name, wrapped)
        optimiser.zero_grad()
        players[name] = Player(optimiser, trainable)
    try:
        yield players
    finally:
        for name, network in bare.items():
            network.zero_grad()
            setattr(method, name, network)


def _player(players: dict[str, Player], name: str) -> Player:
    if name not in players:
        raise SeedbedError(unknown_name("player", name, players))
    return players[name]


def _reached(players: dict[str, Player], objective: Objective) -> list[nn.Parameter]:
    """The weights that an objective's gradient is taken for: its player's, and those of the players that it enters."""
    reached = list(players[objective.player].trainable)
    for name in objective.enters:
        other = _player(players, name)
        other.entered += 1
        reached += other.trainable
    return reached


def _record(objective: Objective, values: dict[str, list[float]], epoch: int, index: int) -> None:
    """Log an objective, and stop where it cannot be learnt from."""
    found = {"loss": objective.loss, **objective.parts}
    for name, value in found.items():
        values[f"{objective.player}/{name}"].append(float(value.detach()))
    if not math.isfinite(values[f"{objective.player}/loss"][-1]):
        parts = ", ".join(f"{name} {float(value.detach()):g}" for name, value in found.items())
        raise SeedbedError(_collapse(f"{objective.player}'s loss is not finite ({parts})", epoch, index))
    if not objective.loss.requires_grad:
        raise SeedbedError(_no_gradient(objective.player, epoch, index))


def _check_gradient(name: str, player: Player, epoch: int, index: int) -> None:
    if all(parameter.grad is None for parameter in player.trainable):
        raise SeedbedError(_no_gradient(name, epoch, index))


def _check_nothing_waits(players: dict[str, Player], accumulate: int) -> None:
    for name, player in players.items():
        if player.pending:
            raise SeedbedError(
                f"the method yielded {player.pending} objectives of {name} beyond its last step, but a step "
                f"takes {accumulate} (accumulate); yield a player in all micro-batches of a step, or in none"
            )
        if player.entered:
            raise SeedbedError(
                f"a loss entered the gradients of {name}, which did not step afterwards; yield {name} in the same "
                "micro-batch, after that loss"
            )


def _no_gradient(name: str, epoch: int, index: int) -> str:
    return (
        f"epoch {epoch + 1}, step {index + 1}: {name}'s loss has no gradient for {name}'s weights; what it "
        "depends on is frozen or detached"
    )


def _collapse(what: str, epoch: int, index: int) -> str:
    return (
        f"epoch {epoch + 1}, step {index + 1}: {what}; most likely the learning rate is too high: lower lr, "
        "or raise warmup_steps. The last good checkpoint is kept"
    )
