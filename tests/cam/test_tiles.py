"""Tile and merge: by hand, and as inverses."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.cam.tiles import merge, tile


def test_tiles_of_a_numbered_image_stand_row_by_row():
    first = torch.arange(16.0).reshape(1, 1, 4, 4)
    tiles = tile(torch.cat([first, first + 100]), 2)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert tiles.shape == (8, 1, 2, 2)
    assert tiles[::2].flatten(1).tolist() == expected
    assert (tiles[1::2] - 100).flatten(1).tolist() == expected


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
)
def test_merging_tiles_gives_the_image_back(batch, channels, side, height, width, last):
    images = torch.randn(batch, channels, side * height, side * width)
    if last:
        images = images.contiguous(memory_format=torch.channels_last)
    tiles = tile(images, side)
    assert torch.equal(merge(tiles, side), images)
    assert torch.equal(tile(merge(tiles, side), side), tiles)


def test_what_cannot_be_cut_or_merged():
    with pytest.raises(ValueError, match="multiples of 2, for 2 x 2 tiles, got 4 x 5; choose another crop"):
        tile(torch.zeros(1, 1, 4, 5), 2)
    with pytest.raises(ValueError, match="expected a multiple of 4 tiles, got 6"):
        merge(torch.zeros(6, 1, 2, 2), 2)
