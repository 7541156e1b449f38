"""The order of weights and images in memory, by device.

On a CPU, channels-last is fastest. On a GPU, cuDNN plans each convolution anew for each size that it has not seen.
Training has one size. Inference has as many as there are photographs: on an H100 a new size costs EfficientNet-Lite0
46 to 66 ms in contiguous memory and 1.4 s in channels-last memory, torch's own convolutions take 5 ms
(benchmarks/results/gpu-h100.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def channels_last(network: nn.Module) -> nn.Module:
    """Put the weights of convolutions into channels-last memory, where oneDNN and cuDNN compute fastest.

    Values, names and shapes stay, and `state_dict` is written to files in the usual order.
    """
    return network.to(memory_format=torch.channels_last)


def expect_new_sizes(network: nn.Module, *parts: nn.Module) -> None:
    """Let a network on a GPU take images of ever new sizes without a plan of each.

    Images become contiguous. Networks with depthwise convolutions, whose plans take longest, do without cuDNN; others
    keep it, since they were not measured.

    Args:
        network: for inference.
        parts: modules of it that are called on images themselves.
    """
    network.to(memory_format=torch.contiguous_format)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    depthwise = any(one.groups == one.in_channels > 1 for one in convolutions)
    for module in (network, *parts):
        module.forward = _contiguous(module.forward, cudnn=not depthwise)


def _contiguous(forward: Callable[..., Any], cudnn: bool) -> Callable[..., Any]:
    def contiguous(images: Tensor, *rest: Any, **named: Any) -> Any:
        before = torch.backends.cudnn.enabled
        torch.backends.cudnn.enabled = before and cudnn
        try:
            return forward(images.contiguous(), *rest, **named)
        finally:
            torch.backends.cudnn.enabled = before

    return contiguous
