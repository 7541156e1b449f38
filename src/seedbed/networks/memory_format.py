"""The order of a network's weights in memory."""

from __future__ import annotations

import torch
from torch import nn


def channels_last(network: nn.Module) -> nn.Module:
    """Put the weights of convolutions into channels-last memory, where oneDNN and cuDNN compute fastest.

    Values, names and shapes stay, and `state_dict` is written to files in the usual order.
    """
    result: nn.Module = network.to(memory_format=torch.channels_last)
    return result
