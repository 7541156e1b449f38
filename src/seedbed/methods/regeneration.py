"""When a method that makes its own labels makes them anew: at fixed epochs, or when the loss has converged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from torch import Tensor

Epoch = Annotated[int, Field(ge=1)]

LABELLED_AFTER = "labelled_after"
"""Name, among what a step logs, of the epoch after which the labels in use were made; no part of the loss."""


class Every(BaseModel):
    """Labels are made after a first epoch, and every n epochs from then on."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    every: int = Field(ge=1)
    """n, in epochs."""
    counted_from: Literal["first", "zero"] = "first"
    """`first`: 5, 15, 25, … (ISIM's paper); `zero`: the first epoch, then multiples of n: 5, 10, 20, … (its code)."""


Schedule = Every | Literal["convergence"] | tuple[Epoch, ...]


def fixed_epochs(schedule: Every | tuple[Epoch, ...], first: int, epochs: int) -> tuple[int, ...]:
    """The epochs, from 1, after which labels are made.

    Args:
        schedule: not `convergence`, which is not known beforehand.
        first: the first of them, if `schedule` is not a list of all.
        epochs: of the training; labels made after its last one would not be used.
    """
    if isinstance(schedule, Every):
        start = first if schedule.counted_from == "first" else 0
        return (first, *(e for e in range(start, epochs, schedule.every) if e > first))
    return schedule


class Convergence:
    """Whether an epoch's mean loss has stopped falling since the labels were last made.

    Args:
        within: an epoch counts as better if its mean loss is below (1 - within) times the lowest so far.
        patience: epochs in a row that are not better.
    """

    def __init__(self, within: float, patience: int) -> None:
        self.within, self.patience = within, patience
        self.total, self.steps, self.lowest, self.waited = 0.0, 0, -1.0, 0

    def add(self, loss: float) -> None:
        """Note the loss of a step."""
        self.total, self.steps = self.total + loss, self.steps + 1

    def end_epoch(self) -> bool:
        """Judge the epoch whose steps were noted; true if the loss has converged."""
        mean = self.total / max(self.steps, 1)
        self.total, self.steps = 0.0, 0
        better = self.lowest < 0 or mean < (1 - self.within) * self.lowest
        self.waited = 0 if better else self.waited + 1
        self.lowest = mean if self.lowest < 0 else min(self.lowest, mean)
        return self.waited >= self.patience

    def restart(self) -> None:
        """Forget the epochs so far: there are new labels."""
        self.lowest, self.waited = -1.0, 0

    def state(self) -> Tensor:
        """Everything noted, as float64[4], for the checkpoint."""
        import torch

        return torch.tensor([self.total, self.steps, self.lowest, self.waited], dtype=torch.float64)

    def load(self, state: Tensor) -> None:
        """Restore what `state` returned."""
        total, steps, lowest, waited = state.tolist()
        self.total, self.steps, self.lowest, self.waited = total, int(steps), lowest, int(waited)
