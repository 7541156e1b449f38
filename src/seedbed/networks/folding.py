"""Batch norm folded into the convolution before it, for inference.

With fixed statistics batch norm is γ (x − m) / √(v + ε) + β of each channel, so a convolution with the weights
γ w / √(v + ε) and the bias β + γ (b − m) / √(v + ε) gives the same map in one pass over memory instead of two.

Which batch norm reads a convolution's result directly is not known from the classes. So a small random image goes
through the network once: a batch norm is folded if it was called once, on the very tensor that a convolution returned,
which was called once too. Whether the convolution's result is used elsewhere as well shows in the outputs, which are
compared afterwards; if they disagree, nothing is folded. Batch norm behind anything else, as before the convolutions of
Wide-ResNet-38, stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from seedbed.networks.bands import tensors_agree, tensors_in

CONVOLUTIONS = (nn.Conv2d, Conv2dSame)
"""Whose result is linear in their weights; a subclass may compute with other weights than it holds."""
BATCH_NORMS = (nn.BatchNorm2d, BatchNormAct2d)
TRIAL = (64, 96)
"""Height and width of the random image."""


@torch.no_grad()
def fold_batch_norm(network: nn.Module) -> int:
    """Fold batch norm into convolutions, in place.

    The weights are no longer those that were trained, so the network is neither trained on nor saved.

    Args:
        network: in evaluation mode, on the CPU; takes normalised images of three channels.

    Returns:
        how many batch norms were folded; those that were before do not count.

    Raises:
        ValueError: the network is in training mode.
    """
    if network.training:
        raise ValueError(
            "expected a network in evaluation mode, but it is in training mode; call network.eval()"
        )
    images = torch.randn((1, 3, *TRIAL), generator=torch.Generator().manual_seed(0))
    try:
        pairs, expected = _pairs(network, images)
    except (RuntimeError, ValueError, TypeError, AssertionError):
        return 0  # a network that does not take an image of this shape stays as it is
    before = [(convolution, convolution.weight, convolution.bias) for convolution, _ in pairs]
    for convolution, norm in pairs:
        convolution.weight, convolution.bias = _folded(convolution, norm)
        # The module stays where it is, since others may refer to it or have hooked it.
        norm.forward = _activation(norm)  # type: ignore[method-assign, assignment]
    if tensors_agree(tensors_in(network(images)), expected):
        return len(pairs)
    for convolution, weight, bias in before:
        convolution.weight, convolution.bias = weight, bias
    for _, norm in pairs:
        del norm.forward
    return 0


def _pairs(network: nn.Module, images: Tensor) -> tuple[list[tuple[nn.Conv2d, nn.BatchNorm2d]], list[Tensor]]:
    """Each convolution with the batch norm that reads its result, and what the network returns."""
    results: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # the tensors are kept, so that no id is given twice
    found: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    calls: dict[nn.Module, int] = {}

    def after(module: Any, arguments: Any, result: Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        results[id(result)] = module, result

    def before(module: Any, arguments: tuple[Tensor, ...]) -> None:
        calls[module] = calls.get(module, 0) + 1
        if arguments and id(arguments[0]) in results:
            found.append((results[id(arguments[0])][0], module))

    handles = []
    for module in network.modules():
        if type(module) in CONVOLUTIONS:
            handles.append(module.register_forward_hook(after))
        elif (
            type(module) in BATCH_NORMS and module.running_mean is not None and "forward" not in vars(module)
        ):
            handles.append(module.register_forward_pre_hook(before))
    try:
        expected = [one.clone() for one in tensors_in(network(images))]
    finally:
        for handle in handles:
            handle.remove()
    return [pair for pair in found if calls[pair[0]] == calls[pair[1]] == 1], expected


def _folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[nn.Parameter, nn.Parameter]:
    """The weights of both in one, computed in float64."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        factor = factor * norm.weight
    bias = -norm.running_mean.double()
    if convolution.bias is not None:
        bias = bias + convolution.bias
    bias = bias * factor
    if norm.bias is not None:
        bias = bias + norm.bias
    weight = convolution.weight.double() * factor[:, None, None, None]
    dtype = convolution.weight.dtype
    return nn.Parameter(weight.to(dtype)), nn.Parameter(bias.to(dtype))


def _activation(norm: nn.BatchNorm2d) -> Callable[[Tensor], Tensor]:
    """What is left of a batch norm: the activation that timm's has with it."""
    activation = getattr(norm, "act", None)

    def activate(x: Tensor) -> Tensor:
        result: Tensor = x if activation is None else activation(x)
        return result

    return activate
