"""Small networks, batches and a training of `PuzzleErasingMethod`."""

import math
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from seedbed.input.batch import Batch
from seedbed.methods.base import GivenNetwork, Progress
from seedbed.methods.cam import CamParameters
from seedbed.methods.puzzle_erasing import PuzzleErasingMethod, PuzzleErasingParameters
from seedbed.methods.table import build_method
from seedbed.networks.cam_network import CamOutput
from seedbed.training.loop import fit
from seedbed.training.parameters import TrainingParameters

CLASSES = 3
TINY = {"backbone": "test_resnet", "weights": "none", "output_stride": 16}
PUZZLE = {"reconstruction_weight": (0.0, 4.0)}
ERASING = {"erasing_weight": (0.3, 1.0)}
ADVERSARY = {"adversary_weight": (0.0, 1.0)}
TERMS = {
    "cam": {},
    "puzzle": PUZZLE,
    "occse": ERASING,
    "poc": PUZZLE | ERASING,
    "pnoc": PUZZLE | ERASING | ADVERSARY,
}


def method_of(name, rng=0, **settings):
    """A method on tiny networks; the ordinary classifier's weights depend on nothing."""
    parameters = PuzzleErasingParameters(**(TINY | TERMS[name] | settings))
    given = {}
    if parameters.needed_networks():
        ordinary = build_method("cam", CamParameters(**TINY), classes=CLASSES, rng=99)
        given["ordinary_classifier"] = GivenNetwork(ordinary.classifier, ordinary.mean, ordinary.std)
    return build_method("puzzle_erasing", parameters, classes=CLASSES, rng=rng, given=given)


def batch(number=0, size=4, pixels=32):
    generator = torch.Generator().manual_seed(number)
    labels = (torch.rand(size, CLASSES, generator=generator) > 0.5).float()
    labels[:, 0] = 1
    return Batch(
        image_ids=tuple(map(str, range(size))),
        images=torch.randn(size, 3, pixels, pixels, generator=generator),
        labels=labels,
        valid=torch.ones(size, pixels, pixels, dtype=torch.bool),
    )


class Loader:
    def __init__(self, batches=4):
        self.batches = batches

    def __len__(self):
        return self.batches

    def epoch(self, epoch, start=0):
        for k in range(start, self.batches):
            yield batch(100 * epoch + k)


def train(method, work, loader=None, training=None, **options):
    chosen = TrainingParameters(**({"epochs": 2, "batch_size": 4, "lr": 0.01} | (training or {})))
    return fit(
        method, loader or Loader(), chosen, rng=3, key="k", work=Path(work), accelerator="cpu", **options
    )


QUARTER = Progress(step=5, steps=20, epoch=1, epochs=4)


class Pooled(nn.Module):
    """cam_logits[c] = Σ_k weights[c][k] · pooled channel k, plus `rows` for each row of the map."""

    def __init__(self, weights, rows=0.0):
        super().__init__()
        self.weights, self.rows = nn.Parameter(torch.tensor(weights)), rows

    def forward(self, images):
        pooled = functional.avg_pool2d(images, 2)
        maps = torch.einsum("ck,bkhw->bchw", self.weights, pooled) + self.rows * pooled.shape[2]
        return CamOutput(maps.mean((2, 3)), maps)


def striped(labels):
    """4 x 4 pixels: channel 0 is 1 in the upper two rows and 0 below, channel 1 is 1, channel 2 is 0."""
    images = torch.zeros(1, 3, 4, 4)
    images[:, 0, :2] = 1
    images[:, 1] = 1
    return Batch(("a",), images, torch.tensor([labels]), torch.ones(1, 4, 4, dtype=torch.bool))


def by_hand(**settings):
    """Generator: A_0 = 2 x_0 + 1, A_1 = -3 x_0 + 1 on the whole image, half a point less on tiles.

    Whole: A_0 = [3 3; 1 1], A_1 = [-2 -2; 1 1], p = (2, -1/2). Tiles: [5/2 ..; 1/2 ..], p_re = (3/2, -1).
    Soft mask of class 0: rows 3, 5/2, 3/2, 1 over 3. What it leaves: x_0 rows 0, 1/6, 0, 0; x_1 rows 0, 1/6, 1/2, 2/3.
    Judge: 24 mean x_0 = 1 and 3 mean x_1 = 1. Hard mask at 1/2 keeps the lower two rows: 0 and 3/2.
    """
    method = PuzzleErasingMethod(
        PuzzleErasingParameters(**TINY, **settings),
        classes=2,
        rng=0,
        ordinary_classifier=GivenNetwork(
            Pooled([[24.0, 0.0, 0.0], [0.0, 3.0, 0.0]]), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        ),
    )
    method.mean, method.std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    method.classifier = Pooled([[2.0, 0.0, 0.0], [-3.0, 0.0, 0.0]], rows=0.5)
    return method


def plus(x):
    """-log σ(-x)."""
    return math.log1p(math.exp(x))
