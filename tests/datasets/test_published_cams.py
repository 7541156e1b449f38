"""CAMs as PSA, IRN and Puzzle-CAM write them, read without unpickling; files that mean harm or do not fit."""

import os
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor

from seedbed.datasets.published_cams import read_cams
from seedbed.errors import SeedbedError

MAPS = np.random.default_rng(0).random((2, 6, 8), dtype=np.float32)
SMALL = torch.from_numpy(MAPS[:, ::2, ::2].copy())


def saved(folder, content):
    path = folder / "image.npy"
    np.save(path, content, allow_pickle=True)
    return path


PSA = {14: MAPS[1], 3: MAPS[0]}
IRN = {"keys": torch.tensor([3, 14]), "cam": SMALL, "high_res": MAPS}
PUZZLE = {"keys": np.array([0, 4, 15]), "cam": SMALL, "hr_cam": MAPS}


@pytest.mark.parametrize(
    "content",
    [
        PSA,
        {np.int64(14): MAPS[1], np.int64(3): MAPS[0]},
        IRN,
        IRN | {"keys": np.array([3, 14])},
        IRN | {"keys": torch.tensor([14, 3], dtype=torch.int32), "high_res": MAPS[::-1].copy()},
        PUZZLE,
        PUZZLE | {"keys": torch.tensor([0, 4, 15]), "cam": SMALL.double().numpy()},
        PUZZLE | {"hr_cam": torch.from_numpy(MAPS)},
    ],
)
def test_each_style_gives_classes_from_0(tmp_path, content):
    ids, maps = read_cams(saved(tmp_path, content))
    assert ids == (3, 14)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps, MAPS)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(tmp_path, protocol):
    path = tmp_path / "image.npy"
    outer = np.empty((), object)
    outer[()] = IRN
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(outer, stream, protocol=protocol)
    np.testing.assert_array_equal(read_cams(path)[1], MAPS)


def test_keys_can_be_said(tmp_path):
    """ISIM's file of IRN's form, whose keys begin at 1 without background."""
    path = saved(tmp_path, IRN | {"keys": np.array([4, 15])})
    assert read_cams(path)[0] == (4, 15)
    assert read_cams(path, "from_1")[0] == (3, 14)


def test_an_image_without_classes(tmp_path):
    ids, maps = read_cams(saved(tmp_path, {}))
    assert ids == ()
    assert len(maps) == 0


class Harm:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder / "made"),)


class HarmfulTensor(Tensor):
    def __reduce_ex__(self, protocol):
        return torch.storage._load_from_bytes, (pickle.dumps(Harm(self.folder)),)


def test_nothing_in_a_file_is_run(tmp_path):
    tensor = torch.zeros(2).as_subclass(HarmfulTensor)
    tensor.folder = tmp_path
    for content in ({3: Harm(tmp_path)}, Harm(tmp_path), IRN | {"keys": tensor}):
        with pytest.raises(SeedbedError, match="expected a dict of CAMs as PSA, IRN or Puzzle-CAM write it"):
            read_cams(saved(tmp_path, content))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"cam": MAPS}, "expected class → map, or keys with high_res or hr_cam, got cam; dump"),
        (IRN | {"keys": np.array([3])}, "expected one key per map, got 1 keys and 2 maps"),
        (IRN | {"keys": np.array([3.5, 14.0])}, "expected keys that are integers, got float64"),
        (PUZZLE | {"keys": np.array([0, 4, 4])}, "expected different classes from 0"),
        (IRN | {"hr_cam": MAPS}, "expected one of high_res and hr_cam beside keys"),
        (IRN | {"high_res": MAPS[0]}, r"expected high_res as \[classes height width\]"),
        ({3: MAPS[0], 4: MAPS[1, :3]}, "expected maps of one size"),
        ({3: -MAPS[0]}, "expected finite values from 0"),
        ({3: MAPS[0] * np.nan}, "expected finite values from 0"),
        (IRN | {"high_res": SMALL.transpose(1, 2)}, "a tensor is not contiguous"),
        (IRN | {"keys": torch.tensor([True, False])}, "a tensor holds torch BoolStorage"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, content, message):
    with pytest.raises(SeedbedError, match=message):
        read_cams(saved(tmp_path, content))


def test_damaged_files(tmp_path):
    with pytest.raises(SeedbedError, match="expected the CAMs of an image, but there is no such file"):
        read_cams(tmp_path / "none.npy")
    whole = saved(tmp_path, IRN).read_bytes()
    path = tmp_path / "cut.npy"
    for length in (0, 5, 60, 200, 500, 700, 1000, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(SeedbedError):
            read_cams(path)
    np.save(path, MAPS)
    with pytest.raises(SeedbedError, match="it is an array of shape"):
        read_cams(path)
