"""Depthwise convolutions in training: outputs, gradients and number formats against torch's own."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import conv2d

from seedbed.networks.depthwise import FastDepthwise
from seedbed.networks.segmenters import build_segmenter


def gradients(images, kernel, bias, weights, fast, **geometry):
    """The sum of the output times `weights`, and its gradients."""
    leaves = [one.detach().clone().requires_grad_() for one in (images, kernel, bias)]
    with FastDepthwise() if fast else torch.enable_grad():
        result = conv2d(*leaves, groups=len(kernel), **geometry)
    if weights is None:
        weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    (result * weights).sum().backward()
    return [result, *(leaf.grad for leaf in leaves)], weights, type(result.grad_fn).__name__


@settings(deadline=None, max_examples=60)
@given(
    batch=st.integers(1, 2),
    channels=st.integers(2, 5),
    sides=st.tuples(st.integers(5, 13), st.integers(5, 13)),
    kernel=st.tuples(st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 3, 5])),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    dilation=st.sampled_from([(1, 1), (2, 2), (1, 2), (4, 3)]),
    last=st.booleans(),
)
def test_gradients_are_those_of_torch(batch, channels, sides, kernel, stride, padding, dilation, last):
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(max(p, r - s + 1) for p, r, s in zip(padding, reach, sides, strict=True))
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((batch, channels, *sides), generator=generator)
    if last:
        images = images.contiguous(memory_format=torch.channels_last)
    weight = torch.randn((channels, 1, *kernel), generator=generator)
    bias = torch.randn(channels, generator=generator)
    geometry = {"stride": stride, "padding": padding, "dilation": dilation}
    expected, weights, _ = gradients(images, weight, bias, None, False, **geometry)
    found, _, function = gradients(images, weight, bias, weights, True, **geometry)
    left = max(kernel) <= 3 and stride == dilation == (1, 1)
    assert function == ("ConvolutionBackward0" if left else "_DepthwiseBackward")
    assert torch.equal(found[0], expected[0])
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_kernel_gradient_worked_out_by_hand():
    images = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4).expand(1, 2, 4, 4)
    kernel = torch.zeros(2, 1, 2, 2, requires_grad=True)
    with FastDepthwise():
        conv2d(images, kernel, groups=2, stride=2).sum().backward()
    # Each tap sees four pixels, two apart: the first one 1, 3, 9 and 11.
    assert kernel.grad[:, 0].tolist() == [[[24.0, 28.0], [40.0, 44.0]]] * 2


@pytest.mark.parametrize(
    ("module", "channels"),
    [
        (nn.Conv2d(4, 4, 5), 4),
        (nn.Conv2d(4, 8, 5, groups=4), 4),
        (nn.Conv2d(4, 4, 5, groups=2), 4),
        (nn.Conv2d(1, 1, 5), 1),
        (nn.Conv2d(4, 4, 5, groups=4, dtype=torch.float64), 4),
    ],
    ids=["full", "two per channel", "grouped", "one channel", "float64"],
)
def test_other_convolutions_are_left_alone(module, channels):
    with FastDepthwise():
        result = module(torch.randn(1, channels, 8, 8, dtype=module.weight.dtype))
    assert type(result.grad_fn).__name__ == "ConvolutionBackward0"


def test_sizes_may_be_numpy_integers():
    images, kernel = torch.randn(1, 4, 8, 8), torch.randn(4, 1, 5, 5, requires_grad=True)
    with FastDepthwise():
        result = conv2d(images, kernel, stride=np.int64(2), padding=np.int64(1), groups=4)
    assert result.shape == (1, 4, 3, 3)


def nodes_of(function):
    """Names of the autograd functions behind one."""
    found, waiting = set(), [function]
    while waiting:
        if (one := waiting.pop()) not in found and one is not None:
            found.add(one)
            waiting += [before for before, _ in one.next_functions]
    return {type(one).__name__ for one in found}


def test_nothing_is_kept_where_nothing_is_trained():
    module = nn.Conv2d(4, 4, 5, groups=4)
    images = torch.randn(1, 4, 8, 8, requires_grad=True)
    with FastDepthwise():
        with torch.no_grad():
            assert module(images).grad_fn is None
        module.requires_grad_(False)
        assert type(module(images).grad_fn).__name__ == "ConvolutionBackward0"
        padded = nn.Conv2d(4, 4, 5, groups=4, padding="same")(images)
    assert type(padded.grad_fn).__name__ == "ConvolutionBackward0"


def test_a_segmenter_learns_the_same_in_both_number_formats():
    network = build_segmenter("deeplabv3plus", "tf_efficientnet_lite0", 3).eval()
    images = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    found = {}
    for name, fast, bf16 in [
        ("torch", False, False),
        ("ours", True, False),
        ("bf16", True, True),
        ("again", True, True),
    ]:
        trained = copy.deepcopy(network)
        with (
            FastDepthwise() if fast else torch.enable_grad(),
            torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        ):
            loss = trained(images).float().square().mean()
        assert ("_DepthwiseBackward" in nodes_of(loss.grad_fn)) == fast
        loss.backward()
        found[name] = torch.cat([one.grad.flatten() for one in trained.parameters() if one.grad is not None])

    def apart(a, b):
        return float((found[a] - found[b]).norm() / found[b].norm())

    assert apart("ours", "torch") < 1e-3
    assert 0 < apart("bf16", "torch") < 0.1
    assert torch.equal(found["bf16"], found["again"])
