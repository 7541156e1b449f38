"""One of two processes that train P-NOC, SEAM and methods with prototypes together (gloo).

`python two_processes.py FOLDER`, with RANK and so on set.
"""

import os
import sys
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy

from methods.puzzle_erasing_toys import CLASSES, TINY, Loader, batch, method_of, train
from seedbed.input.batch import Batch
from seedbed.methods.table import build_method, method_entry

FROZEN = {"batch_norm": "frozen", "erasing_norm": "image", "adversary_every": 2}
TRAINED = {"adversary_every": 2}
PUBLISHED = {"batch_norm": "frozen", "erasing_norm": "image", "adversary_gradient": "published"}
CONTRASTS = ("seam", "ppc", "prototype_contrast")
"""Methods that compare views or pixels."""


def contrast_of(name):
    """Such a method on a tiny network."""
    entry = method_entry(name)
    two_cells = {"view_scale": 0.6} if "view_scale" in entry.parameters.model_fields else {}
    parameters = entry.parameters(**TINY, batch_norm="frozen", **two_cells)
    return build_method(name, parameters, classes=CLASSES, rng=0)


def weights_of(method):
    """(name, parameter) of all networks of a method."""
    for player, network in method.networks().items():
        yield from ((f"{player}.{name}", parameter) for name, parameter in network.named_parameters())


def single(one: Batch, rows: slice) -> Batch:
    """Some images of a batch, each with one class, so that which one is erased does not hang on the process."""
    labels = torch.nn.functional.one_hot(one.labels.sum(1).long() - 1, one.labels.shape[1]).float()
    return Batch(one.image_ids[rows], one.images[rows], labels[rows], one.valid[rows])


class Part(Loader):
    """The images of one process: the first or the second half of each batch; or all."""

    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def epoch(self, epoch, start=0):
        for k in range(start, self.batches):
            yield single(batch(100 * epoch + k), self.rows)


if __name__ == "__main__":
    rank = int(os.environ["RANK"])
    strategy = DDPStrategy(process_group_backend="gloo", broadcast_buffers=False)
    fabric = Fabric(accelerator="cpu", devices=2, strategy=strategy, plugins=[TorchElasticEnvironment()])
    fabric.launch()
    settings = {"frozen": FROZEN, "trained": TRAINED, "published": PUBLISHED}
    methods = {name: method_of("pnoc", **options) for name, options in settings.items()}
    for name, method in (methods | {name: contrast_of(name) for name in CONTRASTS}).items():
        rows = slice(2 * rank, 2 * rank + 2)
        history = train(method, Path(sys.argv[1]) / name, Part(rows), fabric=fabric)
        weights = {n: p.detach() for n, p in weights_of(method)}
        torch.save((weights, history.rows), Path(sys.argv[1]) / f"{name}-{rank}.pt")
