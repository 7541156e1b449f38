"""Guards against what no method can learn from: regions in which a kind of pair does not exist."""

import numpy as np
import pytest
import torch

from seedbed.input.field_store import FieldStore
from seedbed.methods.base import EpochContext
from seedbed.methods.guards import missing_pairs
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
        ([[1, 1, 2], [255, 255, 1]], ["background"]),  # saliency above its threshold everywhere
        ([[0, 1, 1], [0, 255, 255]], ["background"]),
        ([[0, 0, 1], [0, 2, 255]], ["foreground"]),
        ([[0, 0, 255], [1, 1, 255]], ["negative"]),
        ([[0, 0, 0]], ["foreground", "negative"]),
        ([[1, 1, 255]], ["background", "negative"]),
        ([[255, 255]], ["background", "foreground", "negative"]),
    ],
)
def test_kinds_of_pairs_that_no_image_has(rows, missing):
    assert missing_pairs(maps(*rows)) == missing


def test_maps_are_read_until_every_kind_was_seen():
    drawn = iter(maps([0, 0, 1], [255, 255, 255], [2, 2, 255], [0, 0, 0]))
    assert missing_pairs(drawn) == []
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
def test_every_affinitynet_says_so_once(name, tmp_path):
    parameters = METHODS[name].parameters(backbone="test_resnet", weights="none", output_stride=32)
    method = build_method(name, parameters, classes=2, rng=0)
    assert isinstance(method, PairMethod)
    lines: list[str] = []
    salient, usual = Regions([1, 1, 255], [1, 2, 2]), Regions([1, 1, 255], [1, 0, 0])

    def start(epoch: int, examples: Regions) -> None:
        device, generator = torch.device("cpu"), torch.Generator()
        store = FieldStore(tmp_path)
        method.on_epoch_start(
            epoch, EpochContext(device, generator, tmp_path, examples, store, log=lines.append)
        )

    for epoch, examples in ((1, salient), (0, usual)):
        start(epoch, examples)
        assert lines == []
    start(0, salient)
    (line,) = lines
    assert line.startswith("warning: no image has two pixels of background: ")
    assert method.facts(salient, "cpu") == {"missing_pairs": ["background"]}
    assert method.facts(usual, "cpu") == {}
