"""What each method's step optimises, on stand-in networks."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from seedbed.input.batch import Batch
from seedbed.methods.affinity import AffinityMethod, AffinityParameters
from seedbed.methods.base import Progress
from seedbed.methods.cam import CamMethod, CamParameters
from seedbed.methods.edge_affinity import EdgeAffinityMethod, EdgeAffinityParameters
from seedbed.methods.segmentation import SegmentationMethod, SegmentationParameters
from seedbed.refine.affinity_labels import nearest_labels

START = Progress(0, 1, 0, 1)


def batch(labels, label_maps=None, pixels=16):
    size = len(labels)
    return Batch(
        image_ids=tuple(map(str, range(size))),
        images=torch.zeros(size, 3, pixels, pixels),
        labels=torch.tensor(labels),
        valid=torch.ones(size, pixels, pixels, dtype=torch.bool),
        fields={} if label_maps is None else {"labels": label_maps, "regions": label_maps},
    )


class Logits(NamedTuple):
    class_logits: torch.Tensor

    @property
    def cam_logits(self):
        """Maps whose mean is the logit, as a CAM network gives them."""
        return self.class_logits[:, :, None, None] + torch.tensor([[1.0, -1.0]])


class Always(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, images):
        return self.answer


@pytest.mark.parametrize(("smoothing", "target"), [(0.0, 1.0), (0.2, 0.9)])
def test_cam_step_by_hand(smoothing, target):
    """σ(ln 3) = 3/4 with label 1, smoothed to 0.9 by a = 0.2."""
    method = CamMethod(CamParameters(label_smoothing=smoothing), classes=1, rng=0)
    method.classifier = Always(Logits(torch.tensor([[math.log(3)]])))
    (objective,) = method.objectives(batch([[1.0]]), START)
    expected = -target * math.log(3 / 4) - (1 - target) * math.log(1 / 4)
    assert objective.player == "classifier"
    assert objective.loss.item() == pytest.approx(expected, rel=1e-6)


def test_cam_step_on_background_only_images():
    """No class present: -log(1 - σ(0)) = log 2."""
    method = CamMethod(CamParameters(), classes=1, rng=0)
    method.classifier = Always(Logits(torch.zeros(2, 1)))
    (objective,) = method.objectives(batch([[0.0], [0.0]]), START)
    assert objective.loss.item() == pytest.approx(math.log(2), rel=1e-6)


def test_segmentation_step_by_hand():
    """Two outputs, equal logits: log 2 on the labelled half of the pixels."""
    method = SegmentationMethod(SegmentationParameters(), classes=1, rng=0)
    method.segmenter = Always(torch.zeros(1, 2, 16, 16))
    label_maps = torch.full((1, 16, 16), 255)
    label_maps[:, :8] = 1
    (objective,) = method.objectives(batch([[1.0]], label_maps), START)
    assert objective.player == "segmenter"
    assert objective.loss.item() == pytest.approx(math.log(2), rel=1e-6)


def test_affinity_step_by_hand():
    """A grid of 2 x 2 cells, radius 2: pairs right, below left, below, below right.

    Features are equal everywhere, so each affinity is 1: positive pairs cost -log(1 + 1e-5), negative ones
    -log(1e-5). Left column background, right column class 1: 1 pair of each, 4 negative ones.
    """
    method = AffinityMethod(AffinityParameters(radius=2), classes=1, rng=0)
    assert len(method.offsets) == 4
    method.affinitynet = Always(torch.ones(1, 5, 2, 2))
    label_maps = torch.zeros(1, 16, 16, dtype=torch.int64)
    label_maps[:, :, 8:] = 1
    (objective,) = method.objectives(batch([[1.0]], label_maps), START)
    assert objective.player == "affinitynet"
    assert objective.parts["background"].item() == pytest.approx(0, abs=1e-4)
    assert objective.parts["foreground"].item() == pytest.approx(0, abs=1e-4)
    assert objective.parts["negative"].item() == pytest.approx(-math.log(1e-5), rel=1e-2)
    assert objective.loss.item() == pytest.approx(-math.log(1e-5) / 2, rel=1e-2)


def test_edge_affinity_step_by_hand():
    """A grid of 2 x 2 cells of 4 px, radius 2; the right column is an edge of 3/4, the left one of 1/4.

    Paths: within the left column max 1/4, so affinity 3/4; every other pair touches the right column: 1/4. Left
    column background, right column class 1: one positive pair of each and 4 negative ones.
    """
    method = EdgeAffinityMethod(EdgeAffinityParameters(radius=2), classes=1, rng=0)
    method.affinitynet = Always(torch.tensor([[[-math.log(3), math.log(3)]] * 2]))
    label_maps = torch.zeros(1, 8, 8, dtype=torch.int64)
    label_maps[:, :, 4:] = 1
    (objective,) = method.objectives(batch([[1.0]], label_maps, 8), START)
    assert objective.player == "affinitynet"
    parts = [objective.parts[name].item() for name in ("background", "foreground", "negative")]
    by_hand = [-math.log(3 / 4), -math.log(1 / 4), -math.log(3 / 4)]
    assert parts == pytest.approx(by_hand, rel=1e-4)
    assert objective.loss.item() == pytest.approx(np.dot(by_hand, [1 / 4, 1 / 4, 1 / 2]), rel=1e-4)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        (AffinityMethod, AffinityParameters()),
        (EdgeAffinityMethod, EdgeAffinityParameters()),
        (SegmentationMethod, SegmentationParameters()),
    ],
)
def test_label_maps_are_needed(method, parameters):
    with pytest.raises(ValueError, match="the batch has no"):
        list(method(parameters, classes=1, rng=0).objectives(batch([[1.0]]), START))


def test_labels_on_a_coarser_grid_are_those_at_the_cells_centres():
    """Cells of 8 px; the centre of the first lies between pixels 3 and 4, of which the latter is taken."""
    label_maps = torch.full((1, 16, 16), 255)
    label_maps[0, 4, 4], label_maps[0, 4, 12] = 7, 3
    assert nearest_labels(label_maps, (2, 2)).tolist() == [[[7, 3], [255, 255]]]
