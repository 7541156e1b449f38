"""Rebuilt CAMs against torch's bilinear interpolation."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from seedbed.cam.rebuild import full_resolution, strided


def by_torch(maps, target):
    total = sum(
        interpolate(torch.from_numpy(scale)[None].double(), target, mode="bilinear", align_corners=False)[0]
        for scale in maps
    )
    return total.numpy()


def native_maps(size, classes, seed, stride=16, scales=(0.5, 1.0, 1.5, 2.0)):
    rng = np.random.default_rng(seed)
    shapes = [tuple(-(-round(length * scale) // stride) or 1 for length in size) for scale in scales]
    return [rng.random((classes, *shape), dtype=np.float32) for shape in shapes]


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 90), width=st.integers(1, 90), classes=st.integers(1, 3),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_full_resolution_equals_torch(height, width, classes, seed):
    maps = native_maps((height, width), classes, seed)
    result = full_resolution(maps, (height, width))
    assert result.dtype == np.float32
    assert np.allclose(result, by_torch(maps, (height, width)), rtol=0, atol=4e-6)


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    stride=st.sampled_from([4, 8, 16]),
    seed=st.integers(0, 99),
)
def test_strided_equals_torch(height, width, stride, seed):
    maps = native_maps((height, width), 2, seed)
    target = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    assert np.allclose(
        strided(maps, (height, width), stride=stride), by_torch(maps, target), rtol=0, atol=4e-6
    )


def test_doubling_by_hand():
    # Output pixels lie at −¼, ¼, ¾, 1¼ of the source: 0, (3·0 + 4)/4, (0 + 3·4)/4, 4.
    assert full_resolution([np.array([[[0.0, 4.0]]], np.float32)], (1, 4)).tolist() == [[[0, 1, 3, 4]]]


def test_scales_are_summed_and_repeatable():
    maps = native_maps((75, 100), 3, 0)
    apart = [full_resolution([scale], (75, 100)) for scale in maps]
    whole = full_resolution(maps, (75, 100))
    assert np.allclose(whole, sum(apart), atol=1e-6)
    assert whole.tobytes() == full_resolution([scale.copy() for scale in maps], (75, 100)).tobytes()
    fortran = [np.asfortranarray(scale) for scale in maps]
    assert whole.tobytes() == full_resolution(fortran, (75, 100)).tobytes()


def test_image_without_classes():
    assert full_resolution([np.zeros((0, 3, 4), np.float32)], (48, 64)).shape == (0, 48, 64)
    assert strided([np.zeros((0, 3, 4), np.float32)], (48, 64)).shape == (0, 12, 16)
    assert full_resolution([], (48, 64)).shape == (0, 48, 64)


@pytest.mark.parametrize(
    ("maps", "size", "message"),
    [
        ([], (4, 0), r"size and stride of at least 1, got maps \[\], size \(4, 0\)"),
        (
            [np.zeros((1, 2, 2), np.float32), np.zeros((2, 2, 2), np.float32)],
            (4, 4),
            "the same classes at each",
        ),
        ([np.zeros((1, 2, 2), np.float32)], (0, 4), r"size and stride of at least 1, .* size \(0, 4\)"),
        ([np.zeros((1, 0, 2), np.float32)], (4, 4), r"at least 1, got maps \[\(0, 2\)\]"),
    ],
)
def test_refuses_what_does_not_fit(maps, size, message):
    with pytest.raises(ValueError, match=message):
        full_resolution(maps, size)


def test_refuses_a_stride_of_nothing():
    with pytest.raises(ValueError, match="stride 0; check"):
        strided([np.zeros((1, 2, 2), np.float32)], (4, 4), stride=0)
