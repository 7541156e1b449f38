"""A training of DeepLabV3+ in a process that keeps freed memory, beside one that gives it back.

Ours is `seedbed.runtime.process.prepare_process`, which every stage calls; the peer is glibc as it comes. Each is a
process of its own, in turn.

    python benchmarks/kept_memory.py [--rounds 3] [--steps 4]
"""

import argparse
import json
import os
import resource
import statistics
from collections.abc import Sequence
from importlib.metadata import version

from _harness import duration, machine, seconds_of_processes

BATCH, CROP = 16, 192


def train(ours: bool, steps: int) -> dict[str, float]:
    """CPU seconds of the steps in this process, user and system, and its peak memory in MB."""
    from seedbed.runtime.process import prepare_process

    if ours:
        prepare_process()
    import torch
    from training_step import SEGMENTER, stepper

    torch.set_num_threads(1)
    images = torch.rand((BATCH, CROP, CROP, 3), generator=torch.Generator().manual_seed(0)) - 0.5
    step = stepper("tf_efficientnet_lite0", images.permute(0, 3, 1, 2), True, False, SEGMENTER)
    step()
    before = os.times()
    for _ in range(steps):
        step()
    after = os.times()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"user": after.user - before.user, "system": after.system - before.system, "peak": peak}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--steps", type=int, default=4, help="timed steps of each process, after one for warmth"
    )
    parser.add_argument("--as", dest="side", choices=("peer", "ours"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.side:
        print(json.dumps(train(options.side == "ours", options.steps)))
        return
    found = seconds_of_processes(("peer", "ours"), options.rounds, ("--steps", str(options.steps)))
    medians = {
        side: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for side, runs in found.items()
    }
    peer, ours = medians["peer"], medians["ours"]
    print(f"## Kept memory\n\n{machine()}; torch {version('torch')}.\n")
    print("| a step of DeepLabV3+ | peer | ours | ratio |\n| --- | --- | --- | --- |")
    sums = {side: one["user"] + one["system"] for side, one in medians.items()}
    print(
        f"| CPU time, user and system | {duration(sums['peer'] / options.steps)} "
        f"| {duration(sums['ours'] / options.steps)} | {sums['peer'] / sums['ours']:.3g}× |"
    )
    print(
        f"| of which system | {duration(peer['system'] / options.steps)} "
        f"| {duration(ours['system'] / options.steps)} | |"
    )
    print(f"| peak memory of the process | {peer['peak']:,.0f} MB | {ours['peak']:,.0f} MB | |")
    print(
        f"\nEfficientNet-Lite0, crop {CROP}, batch {BATCH}, float32; medians of {options.rounds} processes in turn."
    )


if __name__ == "__main__":
    main()
