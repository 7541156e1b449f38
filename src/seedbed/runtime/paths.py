"""Names that the stage commands, the plan and both engines agree on."""

from collections.abc import Sequence
from pathlib import Path

RESULTS = Path("results")
PARAMS = ".params"
WORK = ".work"
RUNS = ".runs"
INDEX = "index.csv"
MASKS = "masks.csv"
ROOTS = "roots.json"
KNOWN = "known.json"
"""Sizes, times and digests of a data set's files on this machine, below `PARAMS`; not an input of anything."""
OWN, SHARED = "own", "shared"
"""Forms of threshold quality: each pair with its AffinityNet, or all pairs on the refined CAMs of one setting."""


def shard_names(splits: Sequence[str], shards: int) -> tuple[str, ...]:
    """Names of the shards: `train-0`, `train-1`, …, `val-0`, …."""
    return tuple(f"{split}-{number}" for split in splits for number in range(shards))


def shard_members(image_ids: Sequence[str], number: int, shards: int) -> tuple[str, ...]:
    """Images of a shard: contiguous in the split's order; sizes differ by at most one."""
    total = len(image_ids)
    return tuple(image_ids[total * number // shards : total * (number + 1) // shards])
