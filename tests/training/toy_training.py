"""A small method with two alternating players, batch norm and dropout; also a program to be killed."""

import sys
import time
from pathlib import Path

import torch
from torch import nn

from seedbed.input.batch import Batch
from seedbed.methods.base import Method, Objective
from seedbed.training.loop import fit
from seedbed.training.parameters import TrainingParameters


class ToyNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3))
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, images):
        return self.head(self.backbone(images)).mean((2, 3))


class Toy(Method):
    """`learner` fits the labels each step; every second step `rival` then fits the learner's answer."""

    def __init__(self, rng=0):
        with torch.random.fork_rng():
            torch.manual_seed(rng)
            self.learner, self.rival = ToyNetwork(), ToyNetwork()
        self.offset = torch.zeros(1)
        self.started = []

    def networks(self):
        return {"learner": self.learner, "rival": self.rival}

    def state(self):
        return {"offset": self.offset}

    def load_state(self, state):
        self.offset = state["offset"]

    def on_epoch_start(self, epoch, context):
        self.started.append(epoch)
        self.offset = torch.rand(1, generator=context.generator)

    def objectives(self, batch, progress):
        answer = self.learner(batch.images + self.offset)
        loss = nn.functional.binary_cross_entropy_with_logits(answer, batch.labels)
        yield Objective("learner", loss, {"spread": answer.std()})
        if progress.step % 2 == 0:
            answer = self.learner(batch.images).detach()
            yield Objective("rival", (self.rival(batch.images) - answer).square().mean(), {})


class ToyLoader:
    def __init__(self, batches=6, size=4):
        self.batches, self.size = batches, size

    def __len__(self):
        return self.batches

    def epoch(self, epoch, start=0):
        for k in range(start, self.batches):
            generator = torch.Generator().manual_seed(1000 * epoch + k)
            yield Batch(
                image_ids=tuple(map(str, range(self.size))),
                images=torch.randn(self.size, 3, 8, 8, generator=generator),
                labels=(torch.rand(self.size, 2, generator=generator) > 0.5).float(),
                valid=torch.ones(self.size, 8, 8, dtype=torch.bool),
            )


def train(work, method=None, loader=None, key="k", rng=3, parameters=None, **options):
    method = method or Toy()
    chosen = {"epochs": 3, "batch_size": 4, "lr": 0.05} | (parameters or {})
    history = fit(
        method,
        loader or ToyLoader(),
        TrainingParameters(**chosen),
        rng=rng,
        key=key,
        work=Path(work),
        accelerator="cpu",
        **options,
    )
    return method, history


class HangingLoader(ToyLoader):
    """Says so and waits, to be killed, before the fourth batch of the second epoch."""

    def epoch(self, epoch, start=0):
        for k, batch in enumerate(super().epoch(epoch, start), start):
            if (epoch, k) == (1, 3):
                print("here", flush=True)
                time.sleep(120)
            yield batch


if __name__ == "__main__":
    chosen = {"accumulate": int(sys.argv[2]), "keep_epochs": (1,)}
    train(sys.argv[1], loader=HangingLoader(), parameters=chosen, checkpoint_steps=1)
