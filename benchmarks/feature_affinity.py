"""Affinities of features, forward and backward, as AffinityNet in PSA's feature form trains.

The peer is the definition with autograd's own gradient, ours `seedbed.networks.affinitynet.feature_affinity`, on the
same features in channels-last memory, as `seedbed.training.loop` trains, in a process that keeps freed memory.

    python benchmarks/feature_affinity.py [--rounds 5] [--device cuda]
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from _harness import compare, print_table
from torch.nn.functional import pad

from seedbed.networks.affinitynet import feature_affinity
from seedbed.refine.affinity_labels import pair_offsets
from seedbed.runtime.process import keep_freed_memory

BATCH, CHANNELS, SIDE, RADIUS = 8, 168, 24, 5
OFFSETS = pair_offsets(RADIUS)
Affinity = Callable[[torch.Tensor, Sequence[tuple[int, int]]], torch.Tensor]
Found = tuple[torch.Tensor, torch.Tensor]


def by_autograd(features: torch.Tensor, offsets: Sequence[tuple[int, int]]) -> torch.Tensor:
    """exp(−mean |f_i − f_j|), one offset after the other."""
    _, _, h, w = features.shape
    planes = []
    for dy, dx in offsets:
        left, right = max(0, -dx), min(w, w - dx)
        here, there = features[:, :, : h - dy, left:right], features[:, :, dy:, left + dx : right + dx]
        affinity = (-(here - there).abs().mean(dim=1)).exp()
        planes.append(pad(affinity, (left, w - right, 0, dy)))
    return torch.stack(planes, dim=1)


def trainer(function: Affinity, features: torch.Tensor) -> Callable[[], Found]:
    """A function that returns the affinities, and the gradient of a weighted sum of them."""
    leaf = features.detach().requires_grad_()
    generator = torch.Generator().manual_seed(1)
    weights = torch.randn((BATCH, len(OFFSETS), SIDE, SIDE), generator=generator).to(features)

    def work() -> Found:
        affinity = function(leaf, OFFSETS)
        (gradient,) = torch.autograd.grad(affinity, leaf, weights)
        if leaf.is_cuda:
            torch.cuda.synchronize()
        return affinity.detach(), gradient

    return work


def apart(peer: Found, ours: Found) -> str:
    if not torch.equal(peer[0], ours[0]):
        raise AssertionError("affinities differ")
    distance = (peer[1].float() - ours[1].float()).abs().max() / peer[1].float().abs().max()
    return f"affinities equal, gradients {distance:.1e} of the maximum apart"


def kept(function: Affinity, features: torch.Tensor) -> float:
    """MiB that are kept for the gradient."""
    sizes = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function(features.detach().requires_grad_(), OFFSETS)
    del result
    return sum(sizes.values()) / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="timed runs of each, after one for warmth")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    torch.set_num_threads(1)
    on_cpu = options.device == "cpu"
    clock = time.process_time if on_cpu else time.perf_counter
    features = torch.randn((BATCH, CHANNELS, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    features = features.to(options.device).contiguous(memory_format=torch.channels_last)
    rows, sizes = [], []
    for name, dtype in (("float32, as all trainings", torch.float32), ("bf16", torch.bfloat16)):
        images = features.to(dtype)
        peer, ours = trainer(by_autograd, images), trainer(feature_affinity, images)
        rows.append(compare(name, peer, ours, apart, rounds=options.rounds, clock=clock))
        sizes.append(
            f"{kept(by_autograd, images):.3g} and {kept(feature_affinity, images):.3g} MiB in {name}"
        )
    print_table(
        "Affinities of features",
        rows,
        ("torch",),
        [
            f"{BATCH} × {CHANNELS} × {SIDE} × {SIDE}, the {len(OFFSETS)} offsets of radius {RADIUS}, on "
            f"{options.device}, {'process' if on_cpu else 'wall'} time. In bf16 ours sums the gradients in float32, "
            "autograd in bf16.",
            f"Kept for the gradient, peer and ours: {', '.join(sizes)}.",
        ],
    )


if __name__ == "__main__":
    main()
