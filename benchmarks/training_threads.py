"""A training step at one thread and at several: what a job that is alone on the machine gains.

    python benchmarks/training_threads.py [--threads 2] [--crop 128] [--batch 8]

Seconds of the main thread are the least that the clock can show on an idle machine: waiting for the other threads,
which sleep (OMP_WAIT_POLICY=PASSIVE), is not in them. Unlike the clock, they hardly depend on what runs beside. The
second row is all the CPU time, which more threads should not raise.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from _harness import compare, print_table
from training_step import apart, stepper


def at(threads: int, step: Callable[[], list[float]]) -> Callable[[], list[float]]:
    """The step, done with that many threads."""

    def done() -> list[float]:
        torch.set_num_threads(threads)
        return step()

    return done


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="timed steps of each, after one for warmth")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args(arguments)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((options.batch, options.crop, options.crop, 3), generator=generator) - 0.5
    images = images.permute(0, 3, 1, 2)
    rows = []
    for what, clock in (("main thread", time.thread_time), ("all threads", time.process_time)):
        one, several = (
            at(threads, stepper(options.backbone, images, ours=True, bf16=False))
            for threads in (1, options.threads)
        )
        rows.append(compare(what, one, several, apart, rounds=options.rounds, clock=clock))
    title = f"{options.backbone}, crop {options.crop}, batch {options.batch}"
    notes = [f"{title}. Peer: one thread; ours: {options.threads}. Median of {options.rounds} steps in turn."]
    print_table("Threads of a training step", rows, ("timm", "torch"), notes)


if __name__ == "__main__":
    main()
