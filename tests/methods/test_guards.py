"""Guards against what no method can learn from: regions in which a kind of pair does not exist."""

import numpy as np
import pytest
import torch

from seedbed.errors import SeedbedError
from seedbed.input.field_store import FieldStore
from seedbed.methods.base import EpochContext
from seedbed.methods.guards import check_pairs_exist
from seedbed.methods.pairs import REGIONS, PairMethod
from seedbed.methods.table import METHODS, build_method

FORMS = [name for name, entry in METHODS.items() if entry.stage == "train_affinitynet"]


def maps(*rows: list[int]) -> list[np.ndarray]:
    return [np.array([row], np.uint8) for row in rows]


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        ([[0, 0, 1, 1]], []),
        ([[0, 0, 255], [1, 1, 255], [0, 2, 255]], []),
        ([[1, 1, 2], [255, 255, 1]], ["of background pixels"]),  # saliency above its threshold everywhere
        ([[0, 1, 1], [0, 255, 255]], ["of background pixels"]),
        ([[0, 0, 1], [0, 2, 255]], ["of pixels of one class"]),
        ([[0, 0, 255], [1, 1, 255]], ["of pixels that differ"]),
        ([[0, 0, 0]], ["of pixels of one class", "of pixels that differ"]),
        ([[1, 1, 255]], ["of background pixels", "of pixels that differ"]),
        ([[255, 255]], ["of background pixels", "of pixels of one class", "of pixels that differ"]),
    ],
)
def test_a_kind_of_pair_that_no_image_has(rows, missing):
    if not missing:
        check_pairs_exist(maps(*rows))
        return
    with pytest.raises(SeedbedError) as told:
        check_pairs_exist(maps(*rows))
    pairs = f"a pair {' and no pair '.join(missing)} in its confident regions"
    assert str(told.value).startswith(f"none of {len(rows)} images has {pairs}, from which")
    assert "\n" not in str(told.value)


def test_maps_are_read_until_every_kind_was_seen():
    drawn = iter(maps([0, 0, 1], [255, 255, 255], [2, 2, 255], [0, 0, 0]))
    check_pairs_exist(drawn)
    assert [row.tolist() for row in drawn] == [[[0, 0, 0]]]


class Regions:
    """A training set of label maps."""

    def __init__(self, *rows: list[int]) -> None:
        self.maps = dict(enumerate(maps(*rows)))
        self.ids = list(self.maps)

    def fields(self, image_id):
        return {REGIONS: self.maps[image_id]}

    def image(self, image_id): ...

    def labels(self, image_id): ...


@pytest.mark.parametrize("name", FORMS)
def test_every_affinitynet_looks_before_its_first_epoch_only(name, tmp_path):
    parameters = METHODS[name].parameters(backbone="test_resnet", weights="none", output_stride=32)
    method = build_method(name, parameters, classes=2, rng=0)
    assert isinstance(method, PairMethod)

    def start(epoch: int, *rows: list[int]) -> None:
        device = torch.device("cpu")
        store = FieldStore(tmp_path)
        method.on_epoch_start(epoch, EpochContext(device, torch.Generator(), tmp_path, Regions(*rows), store))

    with pytest.raises(
        SeedbedError, match="none of 2 images has a pair of background pixels in its confident"
    ):
        start(0, [1, 1, 255], [1, 2, 2])
    start(1, [1, 1, 255], [1, 2, 2])
    start(0, [1, 1, 255], [0, 0, 2])
