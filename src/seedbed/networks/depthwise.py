"""Depthwise convolutions in training on a CPU, where oneDNN has no fast gradients of most of them.

For kernels of 5 × 5 and dilated ones, and in bf16 for strides of 2, oneDNN falls back on plain loops: they take a
quarter of a training step of DeepLabV3+ on EfficientNet-Lite0 in float32, and two thirds in bf16. Here the gradient of
the input is the convolution of the output's gradient with the mirrored kernel, which is a forward pass and fast; that
of the kernel is `kernel_gradient`, in float32 and by one thread (`python benchmarks/training_step.py`). Strided
convolutions are replaced in float32 as well.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsIndex, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Float32
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d
from torch.overrides import TorchFunctionMode

Pair = tuple[int, int]
DTYPES = {torch.float32, torch.bfloat16, torch.float16}
FAST = 3
"""Side of the largest kernel whose gradients oneDNN is fast at, if it is neither strided nor dilated."""


class FastDepthwise(TorchFunctionMode):
    """While it is entered, depthwise convolutions on the CPU have the gradients of this module.

    It looks at torch's functions, not at modules, so it holds for every network. Others stay torch's: those on a GPU,
    those whose kernel is not trained, and those that oneDNN is fast at (3 × 3, neither strided nor dilated). There is
    no second derivative. Networks that compute parts again in the backward pass (`torch.utils.checkpoint` without
    `use_reentrant`) get torch's convolutions there, which under autocast torch refuses to mix.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, or the depthwise convolution instead of torch's."""
        kwargs = kwargs or {}
        if func is conv2d:
            found = _depthwise(*args, **kwargs)
            if found is not None:
                return _Depthwise.apply(*found)
        return func(*args, **kwargs)


def _depthwise(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: SupportsIndex | Sequence[int] = 1,
    padding: str | SupportsIndex | Sequence[int] = 0,
    dilation: SupportsIndex | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Tensor | None, Pair, Pair, Pair] | None:
    """The arguments of a depthwise convolution that is to be trained on the CPU; None if it is anything else."""
    trained = torch.is_grad_enabled() and weight.requires_grad and weight.device.type == "cpu"
    if not trained or isinstance(padding, str) or input.ndim != 4:
        return None
    if {input.dtype, weight.dtype} - DTYPES or not 1 < groups == weight.shape[0] == input.shape[1]:
        return None
    geometry = _pair(stride), _pair(padding), _pair(dilation)
    if max(weight.shape[2:]) <= FAST and geometry[0] == geometry[2] == (1, 1):
        return None
    return input, weight, bias, *geometry


def _pair(value: SupportsIndex | Sequence[int]) -> Pair:
    if isinstance(value, Sequence):
        return value[0], value[-1]
    return operator.index(value), operator.index(value)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        images: Float[Tensor, "batch C H W"],
        kernel: Float[Tensor, "C 1 h w"],
        bias: Float[Tensor, " C"] | None,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
    ) -> Float[Tensor, "batch C rows columns"]:
        ctx.save_for_backward(images, kernel)
        ctx.geometry = stride, padding, dilation
        ctx.bias_dtype = None if bias is None else bias.dtype
        return conv2d(images, kernel, bias, stride, padding, dilation, len(kernel))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "batch C rows columns"]) -> Any:
        images, kernel = ctx.saved_tensors
        needs_images, needs_kernel, needs_bias = ctx.needs_input_grad[:3]
        with torch.autocast("cpu", enabled=False):
            of_images = _input_gradient(gradient, images, kernel, ctx.geometry) if needs_images else None
            of_kernel = _kernel_gradient(gradient, images, kernel, ctx.geometry) if needs_kernel else None
            of_bias = gradient.float().sum((0, 2, 3)).to(ctx.bias_dtype) if needs_bias else None
        return of_images, of_kernel, of_bias, None, None, None


def _input_gradient(
    gradient: Tensor, images: Tensor, kernel: Tensor, geometry: tuple[Pair, Pair, Pair]
) -> Tensor:
    stride, padding, dilation = geometry
    channels = len(kernel)
    around = [
        step * (side - 1) - pad for step, side, pad in zip(dilation, kernel.shape[2:], padding, strict=True)
    ]
    if stride == (1, 1) and min(around) >= 0:
        mirrored = kernel.flip(2, 3).to(gradient.dtype)
        return conv2d(gradient, mirrored, None, 1, around, dilation, channels).to(images.dtype)
    found = torch.ops.aten.convolution_backward(
        gradient.float(),
        images.float(),
        kernel.float(),
        None,
        stride,
        padding,
        dilation,
        False,
        (0, 0),
        channels,
        (True, False, False),
    )
    return found[0].to(images.dtype)  # type: ignore[no-any-return]


def _kernel_gradient(
    gradient: Tensor, images: Tensor, kernel: Tensor, geometry: tuple[Pair, Pair, Pair]
) -> Tensor:
    found = np.zeros((*kernel.shape[2:], len(kernel)), np.float32)
    kernel_gradient(_rows(gradient), _rows(images), found, *geometry)
    return torch.from_numpy(found).permute(2, 0, 1)[:, None].to(kernel.dtype)


def _rows(maps: Tensor) -> Float32[np.ndarray, "batch H W C"]:
    """Maps with channels last, in float32."""
    rows: np.ndarray = (
        maps.detach().float().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1).numpy()
    )
    return np.ascontiguousarray(rows)  # strides of sides of length 1 may be anything


@njit(cache=True, nogil=True, fastmath=True)
@no_type_check
def kernel_gradient(gradient, images, found, stride, padding, dilation):
    """Gradient of a depthwise convolution's kernel; four columns at a time, so that it is loaded and stored less.

    Args:
        gradient: of the output, float32 (batch, rows, columns, C).
        images: the input, float32 (batch, H, W, C).
        found: float32 (h, w, C), zeros; gets the gradient.
        stride, padding, dilation: of the convolution, vertical and horizontal.
    """
    batch, rows, columns, channels = gradient.shape
    height, width = images.shape[1:3]
    for n in range(batch):
        for row in range(rows):
            for i in range(found.shape[0]):
                y = row * stride[0] - padding[0] + i * dilation[0]
                if y < 0 or y >= height:
                    continue
                for j in range(found.shape[1]):
                    shift = j * dilation[1] - padding[1]
                    first = max(0, -(shift // stride[1]))
                    last = min(columns, (width - 1 - shift) // stride[1] + 1)
                    tap = found[i, j]
                    column = first
                    while column + 4 <= last:
                        x = column * stride[1] + shift
                        g0, g1 = gradient[n, row, column], gradient[n, row, column + 1]
                        g2, g3 = gradient[n, row, column + 2], gradient[n, row, column + 3]
                        x0, x1 = images[n, y, x], images[n, y, x + stride[1]]
                        x2, x3 = images[n, y, x + 2 * stride[1]], images[n, y, x + 3 * stride[1]]
                        for c in range(channels):
                            tap[c] += g0[c] * x0[c] + g1[c] * x1[c] + g2[c] * x2[c] + g3[c] * x3[c]
                        column += 4
                    while column < last:
                        g0, x0 = gradient[n, row, column], images[n, y, column * stride[1] + shift]
                        for c in range(channels):
                            tap[c] += g0[c] * x0[c]
                        column += 1
