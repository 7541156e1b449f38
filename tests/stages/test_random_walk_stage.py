"""What the random_walk stage asks of an AffinityNet, and what it walks; the walk itself is tested in tests/refine."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from seedbed.artifacts.maps import Maps
from seedbed.cam.normalisation import by_max
from seedbed.datasets.index import IndexedDataset
from seedbed.errors import SeedbedError
from seedbed.methods import trained as networks
from seedbed.methods.base import Method
from seedbed.methods.pairs import PixelPairs
from seedbed.runtime.contract import Job
from seedbed.stages.random_walk import STAGE, run
from stages_in_process import StoredMaps

CAM = np.array([[[4.0, 2.0], [1.0, 0.0]]], np.float32)
EDGE = np.array([[0.5, 0.25], [0.0, 1.0]], np.float32)


class Photographs(IndexedDataset):
    def __init__(self):
        self.classes = ("cat", "dog")

    def image(self, image_id):
        return np.zeros((2, 2, 3), np.uint8)


class Pairs:
    """No two grid points belong together, so that the walk changes nothing."""

    def __init__(self, edge):
        self.edge, self.asked = edge, []

    def image_pairs(self, image, **asked):
        self.asked.append(asked)
        return PixelPairs(np.zeros((1, 2, 2), np.float32), ((0, 1),), self.edge)


def walked(monkeypatch, edge, **parameters):
    method = Pairs(edge)
    monkeypatch.setattr(networks, "load_affinitynet", lambda *arguments: method)
    job = Job(
        parameters=STAGE.validate(parameters, "test"),
        slice={},
        dataset=Photographs(),
        contents={},
        inputs={
            "cams": StoredMaps("max", a=Maps((1,), (2, 2), (CAM,)), b=Maps((), (2, 2), ())),
            "affinitynet": StoredMaps("stands for an AffinityNet"),
        },
        epochs={},
        rng=0,
        split="train",
        shard="train-0",
        image_ids=("a", "b"),
        work=Path(),
        key="",
        device="cpu",
        progress=lambda items, total, name: iter(items),
        log=print,
        ledger=[],
        facts={},
        classes=("cat", "dog"),
    )
    return dict(run(job)), method.asked


def test_by_default_the_cams_themselves_walk(monkeypatch):
    refined, asked = walked(monkeypatch, EDGE)
    np.testing.assert_allclose(refined["a"].maps[0], by_max(CAM), rtol=1e-6)
    assert refined["a"].class_ids == (1,)
    assert asked == [{"scale": 1.0, "flip": False, "radius": None, "device": "cpu"}]


def test_an_image_without_classes_has_no_maps_and_needs_no_pairs(monkeypatch):
    refined, asked = walked(monkeypatch, EDGE)
    assert refined["b"] == Maps((), (2, 2), ())
    assert len(asked) == 1


def test_off_edges_scores_are_weakened_on_edges_first(monkeypatch):
    """(4, 2, 1, 0)/4 times (1 - edge) = (0.5, 0.75, 1, 0)."""
    refined, _ = walked(monkeypatch, EDGE, start="off_edges")
    np.testing.assert_allclose(refined["a"].maps[0], [[[0.5, 0.375], [0.25, 0.0]]], rtol=1e-5)


def test_background_walks_as_one_more_class(monkeypatch):
    """ψ = 1, 0.5, 0.25, 0; background (1 − ψ)² = 0, 0.25, 0.5625, 1. Nothing spreads, and each map is its share."""
    refined, _ = walked(monkeypatch, None, background_alpha=2.0, normalisation="none")
    expected = [[[1, 0.5 / 0.75], [0.25 / 0.8125, 0]]]
    np.testing.assert_allclose(refined["a"].maps[0], expected, rtol=1e-4)


def test_background_spreads_as_the_classes_do(monkeypatch):
    """The upper two pixels belong together: ψ 1 and 0.5 become 0.75, background 0 and 0.25 become 0.125."""
    monkeypatch.setattr(Pairs, "image_pairs", lambda self, image, **asked: PixelPairs(
        np.array([[[1, 0], [0, 0]]], np.float32), ((0, 1),), None
    ))  # fmt: skip
    refined, _ = walked(monkeypatch, None, background_alpha=2.0, normalisation="none", method="power")
    np.testing.assert_allclose(refined["a"].maps[0][0, 0], [0.75 / 0.875] * 2, rtol=1e-4)


def test_shares_are_not_normalised_again():
    with pytest.raises(SeedbedError, match=r"background_alpha makes shares.*set normalisation: none"):
        STAGE.validate({"background_alpha": 6}, "test")


def test_off_edges_needs_edges(monkeypatch):
    with pytest.raises(SeedbedError, match=r"off_edges needs edges.*method: edge_affinity"):
        walked(monkeypatch, None, start="off_edges")


def test_views_radius_and_scale_are_asked_for(monkeypatch):
    _, asked = walked(monkeypatch, EDGE, flip=True, radius=7, image_scale=0.5)
    assert asked == [{"scale": 0.5, "flip": True, "radius": 7, "device": "cpu"}]


def test_a_method_without_pairs_is_refused(monkeypatch):
    other = networks.TrainedNetwork(nn.Identity(), (0.5,) * 3, (0.5,) * 3, Method())
    monkeypatch.setattr(networks, "load_network", lambda *arguments: other)
    with pytest.raises(SeedbedError, match="Method gives no pairs to walk along; derive it from"):
        networks.load_affinitynet(StoredMaps(""), None, "cpu")
