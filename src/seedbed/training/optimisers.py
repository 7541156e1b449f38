"""Optimisers with the field's parameter groups (as in PSA's released code, Ahn & Kwak 2018).

Backbone weights learn at `lr`, backbone biases at twice that, without decay; what is trained from scratch
learns at ten times those rates. A network's pretrained part is its attribute `backbone`; without one,
all of it is from scratch. A network may give parts of its own another factor than ten, by their names, in its attribute
`lr_factors` (ISIM's decoder).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from seedbed.training.parameters import TrainingParameters


def parameter_groups(network: nn.Module, parameters: TrainingParameters) -> list[dict[str, Any]]:
    """Groups of the trainable parameters: backbone, from scratch and each of `lr_factors`, weights apart from biases.

    Empty ones are left out. Each group has `params`, `weight_decay`, `name` and `lr`, the rate before any schedule.
    """
    backbone = getattr(network, "backbone", None)
    pretrained = {id(p) for p in backbone.parameters()} if isinstance(backbone, nn.Module) else set()
    factors: dict[str, float] = getattr(network, "lr_factors", {})
    rates = {"backbone": 1.0, "scratch": parameters.head_lr_factor, **factors}
    order = list(rates)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            part = name.partition(".")[0]
            part = part if part in factors else "scratch"
            part = "backbone" if id(parameter) in pretrained else part
            kind = (order.index(part), name.rpartition(".")[2] == "bias")
            groups.setdefault(kind, []).append(parameter)
    return [
        {
            "name": f"{order[part]} {'biases' if bias else 'weights'}",
            "params": members,
            "lr": parameters.lr * rates[order[part]] * (parameters.bias_lr_factor if bias else 1.0),
            "weight_decay": 0.0 if bias else parameters.weight_decay,
        }
        for (part, bias), members in sorted(groups.items(), key=lambda group: group[0])
    ]


def build_optimiser(network: nn.Module, parameters: TrainingParameters) -> torch.optim.Optimizer:
    """The optimiser of one player; each group remembers its unscheduled rate as `base_lr`.

    Raises:
        ValueError: nothing in the network is trainable, or Nesterov is set without momentum.
    """
    groups = parameter_groups(network, parameters)
    if not groups:
        raise ValueError("the network has no trainable parameter; freeze less of it")
    for group in groups:
        group["base_lr"] = group["lr"]
    if parameters.optimiser == "adam":
        return torch.optim.Adam(groups)
    if parameters.optimiser == "adamw":
        return torch.optim.AdamW(groups)
    if parameters.nesterov and not parameters.momentum:
        raise ValueError("nesterov needs a momentum above 0; raise momentum or set nesterov: false")
    return torch.optim.SGD(
        groups, lr=parameters.lr, momentum=parameters.momentum, nesterov=parameters.nesterov
    )


def scale_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Set each group's rate to its unscheduled rate times a factor."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
