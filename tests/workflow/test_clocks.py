"""Snakemake goes by times of files; here a clock was wrong."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from workflow.engine_checkout import TINY, Checkout

INDEX = "results/composites/index/manifest.json"
CALL = ["prepare_dataset index"]
AHEAD_S = 3600


def with_size(size: int) -> dict[str, Any]:
    """TINY with pictures of another size."""
    declared = {**TINY["datasets"]["composites"], "with": {"images": {"train": 2, "val": 2}, "size": size}}
    return {**TINY, "datasets": {"composites": declared}}


@pytest.mark.slow
def test_a_changed_parameter_runs_again_what_a_wrong_clock_dated(tmp_path: Path) -> None:
    tree = Checkout.make(tmp_path / "tree", with_size(32), git=False)
    assert tree.snakemake(INDEX) == CALL
    for path in tree.results.rglob("*"):
        os.utime(path, (time.time() + AHEAD_S, time.time() + AHEAD_S))
    assert tree.snakemake(INDEX) == []
    for path in (tree.results / "composites").rglob("*"):
        os.utime(path, (time.time() + AHEAD_S, time.time() + AHEAD_S))
    tree.write_params(with_size(48))
    assert tree.snakemake(INDEX) == CALL
    assert tree.snakemake(INDEX) == []
