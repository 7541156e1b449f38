"""Parameters of training, free of torch so that planning stays quick.

The published code of this field passes weight decay in the position of momentum, so what its papers call
"SGD, momentum 0.9" runs with a momentum of about 0 (reported in YudeWang/SEAM#21). Here momentum is explicit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from seedbed.number_formats import Precision

PositiveEpoch = Annotated[int, Field(ge=1)]


class TrainingParameters(BaseModel):
    """How a method is optimised."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    epochs: int = Field(15, ge=1, le=100_000)
    """Passes over the training images."""
    batch_size: int = Field(16, ge=1, le=4096)
    """Images in one micro-batch."""
    accumulate: int = Field(1, ge=1, le=4096)
    """Micro-batches whose gradients are joined into one optimiser step."""
    accumulation: Literal["mean", "sum"] = "mean"
    """How: their `mean`, or their `sum`, as the published code does, which is `accumulate` times as large."""
    optimiser: Literal["sgd", "adam", "adamw"] = "sgd"
    """The optimiser of each player."""
    lr: float = Field(0.01, gt=0)
    """Learning rate of the backbone's weights."""
    head_lr_factor: float = Field(10.0, gt=0)
    """Factor on `lr` for everything that is not in the backbone."""
    bias_lr_factor: float = Field(2.0, gt=0)
    """Factor on `lr` for biases, which also get no weight decay."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """SGD's momentum. The published code runs with about 0 and ten times this `lr`: the same lr/(1 - momentum). Its
    rates are for losses that are means over 20 classes; fewer classes have larger gradients (`loss_classes`)."""
    nesterov: bool = False
    """SGD's Nesterov variant; needs a momentum."""
    weight_decay: float = Field(1e-4, ge=0)
    """Weight decay of weights."""
    poly_power: float = Field(0.9, ge=0)
    """Power of the polynomial decay lr (1 - step/steps)^power; 0 keeps `lr`."""
    poly_epochs: int | None = Field(None, ge=1)
    """Epochs after which the decay stops and the rate keeps its last value (ISIM's code: 5); null: it never stops."""
    warmup_steps: int = Field(0, ge=0)
    """Optimiser steps over which the learning rate rises linearly to its schedule."""
    precision: Precision = "32"
    """Number format of the network; weights and losses stay float32. bf16 is faster on processors with instructions for
    it, slower on others."""
    torch_threads: int = Field(1, ge=1)
    """Torch's threads on the CPU; a different number rounds differently."""
    deterministic: bool = False
    """On CUDA: use only operations that repeat bit by bit (slower). The CPU always does."""
    keep_epochs: tuple[PositiveEpoch, ...] | Literal["all"] = ()
    """Epochs, from 1, whose weights are kept beside the final ones."""

    def keeps(self, epoch: int) -> bool:
        """Whether the weights after this epoch (from 1) are kept."""
        return self.keep_epochs == "all" or epoch in self.keep_epochs
