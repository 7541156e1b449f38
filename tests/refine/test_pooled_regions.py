"""Regions decided by blocks, as PSA does: against the mean of each block, written out."""

import numpy as np
import pytest

from seedbed.refine.confident_regions import alpha_regions
from seedbed.stages.registry import STAGES


def test_blocks_by_hand():
    """Blocks of 2 x 2 on 2 x 3 pixels: a full one and a narrow one.

    (1 - ψ)^1 against ψ in means: 0.4 against 0.6 in the first block, though two of its pixels are background; 0.6
    against 0.4 in the second one, where (1 - ψ)^3 has (0.512 + 0.064) / 2 = 0.288 against 0.4: neutral.
    """
    cams = np.array([[[0.9, 0.4, 0.2], [0.7, 0.4, 0.6]]], dtype=np.float32)
    assert alpha_regions(cams, [4], 1.0, 3.0, pooling=2).tolist() == [[5, 5, 255], [5, 5, 255]]
    assert alpha_regions(cams, [4], 1.0, 3.0).tolist() == [[5, 255, 0], [5, 255, 5]]


def test_blocks_are_those_of_a_slow_loop():
    rng = np.random.default_rng(0)
    cams = rng.random((2, 19, 30), dtype=np.float32)
    refined = rng.random((3, 19, 30), dtype=np.float32)
    found = alpha_regions(cams, [0, 1], 1.0, 1.0, lambda scores: refined, pooling=8)
    for top in range(0, 19, 8):
        for left in range(0, 30, 8):
            block = (slice(top, top + 8), slice(left, left + 8))
            assert (found[block] == refined[:, *block].mean((1, 2)).argmax()).all()


@pytest.mark.parametrize("regions", ["alpha4-24", "bg0.10-fg0.40"])
def test_pooling_goes_with_a_sweep_of_thresholds(regions):
    assert STAGES["confident_regions"].validate({"regions": regions, "pooling": 8}, "node").pooling == 8
