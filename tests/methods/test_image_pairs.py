"""An image's pairs for the walk, by every method of stage train_affinitynet."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from seedbed.methods.affinity import AffinityMethod, AffinityParameters
from seedbed.methods.edge_affinity import EdgeAffinityMethod, EdgeAffinityParameters
from seedbed.methods.pairs import PairMethod
from seedbed.methods.table import METHODS, build_method
from seedbed.networks.affinitynet import feature_affinity
from seedbed.refine.affinity_labels import pair_offsets

FORMS = [name for name, entry in METHODS.items() if entry.stage == "train_affinitynet"]


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def exists(offsets, h, w):
    inside = np.zeros((len(offsets), h, w), dtype=bool)
    for k, (dy, dx) in enumerate(offsets):
        inside[k, : max(h - dy, 0), max(0, -dx) : max(min(w, w - dx), 0)] = True
    return inside


class Cells(nn.Module):
    """Features or logits: the first channel averaged over cells of a stride, times a factor."""

    def __init__(self, stride, channel=True, factor=1.0):
        super().__init__()
        self.stride, self.channel, self.factor = stride, channel, factor
        self.seen = []

    def forward(self, images):
        self.seen.append(tuple(images.shape[2:]))
        cells = self.factor * nn.functional.avg_pool2d(images[:, :1], self.stride)
        return cells if self.channel else cells[:, 0]


@pytest.mark.parametrize("name", FORMS)
def test_the_grid_has_the_forms_stride_and_any_size(name):
    method = build_method(name, METHODS[name].parameters(), classes=1, rng=0).eval()
    assert isinstance(method, PairMethod)
    for flip in (False, True):
        found = method.image_pairs(noise(50, 71), flip=flip, radius=3)
        h, w = -(-50 // method.GRID_STRIDE), -(-71 // method.GRID_STRIDE)
        assert found.offsets == pair_offsets(3)
        assert found.affinity.shape == (len(found.offsets), h, w)
        assert found.affinity.dtype == np.float32
        inside = exists(found.offsets, h, w)
        assert (found.affinity[~inside] == 0).all()
        assert ((found.affinity[inside] > 0) & (found.affinity[inside] <= 1)).all()
    doubled = method.image_pairs(noise(50, 71), scale=2.0)
    assert doubled.affinity.shape[1:] == (-(-100 // method.GRID_STRIDE), -(-142 // method.GRID_STRIDE))
    for narrow in (noise(1, 71), noise(50, 1)):
        assert np.isfinite(method.image_pairs(narrow).affinity).all()


@pytest.mark.parametrize("name", FORMS)
def test_with_flip_a_mirrored_image_has_mirrored_pairs(name):
    """The two views only change places. 64 px are whole cells of the coarsest map, so that nothing is padded.

    The pair (y, x), (y + dy, x + dx) becomes (y, w − 1 − x), (y + dy, w − 1 − x − dx).
    """
    method = build_method(name, METHODS[name].parameters(), classes=1, rng=0).eval()
    image = noise(32, 64)
    plain = method.image_pairs(image, flip=True, radius=2)
    mirrored = method.image_pairs(np.ascontiguousarray(image[:, ::-1]), flip=True, radius=2)
    for dx in (1, -1):
        k, other = plain.offsets.index((1, dx)), plain.offsets.index((1, -dx))
        np.testing.assert_allclose(mirrored.affinity[k], plain.affinity[other][:, ::-1], rtol=1e-5, atol=1e-6)
    if plain.edge is not None:
        np.testing.assert_allclose(mirrored.edge, plain.edge[:, ::-1], rtol=1e-5)


def test_the_image_is_padded_to_whole_cells_of_the_coarsest_map():
    method = AffinityMethod(AffinityParameters(), classes=1, rng=0)
    method.affinitynet = Cells(8)
    assert method.image_pairs(noise(50, 71)).affinity.shape[1:] == (7, 9)
    assert method.affinitynet.seen == [(64, 80)]


def test_features_walk_the_pairs_that_were_trained():
    method = AffinityMethod(AffinityParameters(radius=4), classes=1, rng=0)
    method.affinitynet = Cells(8)
    found = method.image_pairs(noise(48, 64))
    assert found.offsets == pair_offsets(4)
    assert found.edge is None


def test_published_pairs_are_a_part_of_all_pairs():
    image = np.zeros((48, 72, 3), np.uint8)
    features = torch.ones(1, 4, 6, 9)
    found = {}
    for pairs in ("all", "published"):
        method = AffinityMethod(AffinityParameters(radius=3, pairs=pairs), classes=1, rng=0)
        method.affinitynet = nn.Identity()
        method.affinitynet.forward = lambda images: features
        found[pairs] = method.image_pairs(image).affinity
    np.testing.assert_array_equal(found["all"], feature_affinity(features, pair_offsets(3))[0].numpy())
    # Upper left pixels: 2 columns off either side and 2 rows off the bottom are gone.
    assert (found["published"][:, :4, 2:7] == 1).all()
    assert found["published"].sum() == found["published"][:, :4, 2:7].size


def test_edges_walk_all_pairs_nearer_than_five_cells():
    method = EdgeAffinityMethod(EdgeAffinityParameters(radius=10, pairs="published"), classes=1, rng=0)
    method.affinitynet = Cells(4, channel=False)
    found = method.image_pairs(noise(48, 64))
    assert len(method.offsets) == 152
    assert found.offsets == pair_offsets(5)
    assert (found.affinity[exists(found.offsets, 12, 16)] > 0).all()


def test_edges_by_hand():
    """Three columns of cells with edges σ(−ln 3) = 1/4, σ(ln 3) = 3/4, 1/4: a wall between left and right."""
    method = EdgeAffinityMethod(EdgeAffinityParameters(), classes=1, rng=0)
    ln3 = math.log(3)
    method.affinitynet = nn.Identity()
    method.affinitynet.forward = lambda images: torch.tensor([[[-ln3, ln3, -ln3]] * 2])
    found = method.image_pairs(np.zeros((8, 12, 3), np.uint8), radius=3)
    np.testing.assert_allclose(found.edge, [[0.25, 0.75, 0.25]] * 2, rtol=1e-6)
    across, down = found.affinity[found.offsets.index((0, 2))], found.affinity[found.offsets.index((1, 0))]
    np.testing.assert_allclose(across, [[0.25, 0, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(down, [[0.75, 0.25, 0.75], [0, 0, 0]], atol=1e-6)


def test_views_are_averaged_before_the_sigmoid():
    """Logits ln 3 and 3 ln 3 by a network that knows which view it sees: mean 2 ln 3, σ = 9/10 and not the mean
    of 3/4 and 27/28."""
    method = EdgeAffinityMethod(EdgeAffinityParameters(), classes=1, rng=0)
    method.affinitynet = nn.Identity()
    method.affinitynet.forward = lambda images: torch.stack(
        [torch.full((4, 4), (2 * view + 1) * math.log(3)) for view in range(len(images))]
    )
    found = method.image_pairs(np.zeros((16, 16, 3), np.uint8), flip=True)
    np.testing.assert_allclose(found.edge, 0.9, rtol=1e-5)
