"""Training in two processes (DDP, gloo) ends with equal weights, which are those of one process.

Prototypes are those of a process's own images: two processes equal one that accumulates.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from methods.puzzle_erasing_toys import method_of, train
from methods.two_processes import CONTRASTS, FROZEN, PUBLISHED, Part, contrast_of, weights_of
from seedbed.networks.weights import digest

pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp")
    shared = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "0",
        "TORCHELASTIC_RUN_ID": "test",
    }
    script = str(Path(__file__).with_name("two_processes.py"))
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(folder)],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        said = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    return {
        (name, rank): torch.load(folder / f"{name}-{rank}.pt", weights_only=True)
        for name in ("frozen", "trained", "published", *CONTRASTS)
        for rank in range(2)
    }


@pytest.mark.parametrize("name", ["frozen", "trained", "published"])
def test_weights_are_equal_on_all_ranks(results, name):
    (first, _), (second, _) = results[name, 0], results[name, 1]
    assert {n.partition(".")[0] for n in first} == {"classifier", "adversary"}
    assert digest(first) == digest(second)


@pytest.mark.parametrize("name", CONTRASTS)
def test_contrasts_weights_are_equal_on_all_ranks(results, name):
    (first, one), (second, other) = results[name, 0], results[name, 1]
    assert digest(first) == digest(second)
    assert [row["classifier/classification"] for row in one] != [
        row["classifier/classification"] for row in other
    ]


class Halves(Part):
    """The halves of each batch, one after the other."""

    def __init__(self):
        super().__init__(slice(0, 4))
        self.parts = [Part(slice(0, 2)), Part(slice(2, 4))]

    def __len__(self):
        return 2 * self.batches

    def epoch(self, epoch, start=0):
        for halves in zip(*(part.epoch(epoch, start // 2) for part in self.parts), strict=True):
            yield from halves


def apart(trained, together):
    """Largest difference of a weight."""
    return max(
        float((weights.detach() - together[name]).abs().max()) for name, weights in weights_of(trained)
    )


def test_prototypes_are_not_gathered(results, tmp_path):
    """Two processes equal one that accumulates two micro-batches, and differ from one that sees the whole batch."""
    halves, whole = contrast_of("prototype_contrast"), contrast_of("prototype_contrast")
    train(halves, tmp_path / "halves", Halves(), {"accumulate": 2})
    train(whole, tmp_path / "whole", Part(slice(0, 4)))
    together = results["prototype_contrast", 0][0]
    assert apart(halves, together) < 1e-5
    assert apart(whole, together) > 1e-3


def test_seams_terms_are_means_over_images(results, tmp_path):
    """So two processes equal one that sees the whole batch."""
    whole = contrast_of("seam")
    train(whole, tmp_path, Part(slice(0, 4)))
    assert apart(whole, results["seam", 0][0]) < 1e-5


def test_processes_had_different_images(results):
    (_, first), (_, second) = results["frozen", 0], results["frozen", 1]
    assert [row["classifier/loss"] for row in first] != [row["classifier/loss"] for row in second]


@pytest.mark.parametrize(("name", "settings"), [("frozen", FROZEN), ("published", PUBLISHED)])
def test_frozen_batch_norm_and_equal_global_batch_agree_with_one_process(results, tmp_path, name, settings):
    """To 1e-5 of each tensor's largest weight, and the losses' mean to 1e-5: float32 sums in another order.

    `published`: the adversary also steps along the gradient that the classifier's loss leaves in it, averaged, too.
    """
    alone = method_of("pnoc", **settings)
    before = {n: p.detach().clone() for n, p in weights_of(alone)}
    history = train(alone, tmp_path, Part(slice(0, 4)))
    together = results[name, 0][0]
    for weight, values in weights_of(alone):
        assert (values - together[weight]).abs().max() <= 1e-5 * values.abs().max() + 1e-7, weight
    assert any(not torch.equal(p, before[n]) for n, p in weights_of(alone) if n.startswith("adversary"))
    for row, one, other in zip(history.rows, results[name, 0][1], results[name, 1][1], strict=True):
        for key in ("classifier/loss", "adversary/loss"):
            if key in row:
                assert row[key] == pytest.approx((one[key] + other[key]) / 2, rel=1e-5, abs=1e-6)
