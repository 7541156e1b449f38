"""Small networks, batches and a training of `PuzzleErasingMethod`."""

from pathlib import Path

import torch

from seedbed.input.batch import Batch
from seedbed.methods.base import GivenNetwork
from seedbed.methods.cam import CamParameters
from seedbed.methods.puzzle_erasing import PuzzleErasingParameters
from seedbed.methods.table import build_method
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
