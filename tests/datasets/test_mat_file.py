"""Matrices that scipy writes are read back; damaged files are refused, and end nothing."""

import io
import random

import numpy as np
import pytest
from scipy.io import savemat

from seedbed.datasets.mat_file import numeric_field

MASK = np.random.default_rng(0).integers(0, 256, (7, 11), dtype=np.uint8)


def written(value, compressed=False, name="GTcls"):
    stream = io.BytesIO()
    savemat(stream, {"other": np.arange(3.0), name: value}, do_compression=compressed)
    return stream.getvalue()


def structure(mask=MASK, **more):
    return {"Boundaries": np.zeros((2, 1), object), "Segmentation": mask, **more}


def read(data):
    return numeric_field(data, "GTcls", "Segmentation", 10**6)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_what_scipy_writes(compressed, dtype):
    mask = MASK.astype(dtype)
    found = read(written(structure(mask, CategoriesPresent=np.arange(4)), compressed))
    assert found.dtype == dtype
    assert np.array_equal(found, mask)


def test_one_pixel():
    assert read(written(structure(np.array([[7]], np.uint8)))).tolist() == [[7]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a MATLAB file of version 5"),
        (bytes(300), "not a MATLAB file of version 5"),
        (written(structure(), name="GTinst"), "there is no GTcls"),
        (written({"Boundaries": MASK}), "there is no field Segmentation"),
        (written(MASK), "GTcls is not a structure of one element"),
        (written(structure("text")), "the field is not a numeric matrix"),
        (written(structure())[:-40], "longer than the file|middle of a tag"),
        (written(structure(np.zeros((1001, 1000), np.uint8))), r"shape \(1001, 1000\) is larger"),
    ],
)
def test_what_is_no_such_matrix(data, message):
    with pytest.raises(ValueError, match=message):
        read(data)


@pytest.mark.parametrize("compressed", [False, True])
def test_damage_of_any_byte_is_refused_or_harmless(compressed):
    data, draw = written(structure(), compressed), random.Random(0)
    for place in range(120, len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << draw.randrange(8)
        try:
            assert read(bytes(damaged)).size <= 10**6
        except ValueError:
            continue
