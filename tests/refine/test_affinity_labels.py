"""Pairs and their labels, by hand on grids of a few pixels and by plain loops on larger ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.refine.affinity_labels import affinity_labels, pair_mask, pair_offsets


@pytest.mark.parametrize(("radius", "published"), [(5, 34), (10, 152)])
def test_published_numbers_of_offsets(radius, published):
    assert len(pair_offsets(radius)) == published


def test_offsets_of_radius_2_and_3_by_hand():
    assert pair_offsets(2) == ((0, 1), (1, -1), (1, 0), (1, 1))
    # dy² + dx² < 9 leaves out nothing of |dy|, |dx| ≤ 2 but itself: 2² + 2² = 8.
    assert len(pair_offsets(3)) == 2 + 2 * 5


def test_radius_without_pairs():
    with pytest.raises(ValueError, match="expected a radius of at least 2, got 1"):
        pair_offsets(1)


def test_labels_by_hand():
    #  0  0  1
    #  2 255 1
    labels = affinity_labels(torch.tensor([[[0, 0, 1], [2, 255, 1]]]), ((0, 1), (1, -1), (1, 0), (1, 1)))
    background, foreground, negative = (
        {tuple(index) for index in torch.nonzero(part[0]).tolist()} for part in labels
    )
    assert background == {(0, 0, 0)}
    assert foreground == {(2, 0, 2)}
    # (0,1)-(0,2) right; (0,1)-(1,0) down left; (0,0)-(1,0) down; (0,1)-(1,2) down right; none with 255.
    assert negative == {(0, 0, 1), (1, 0, 1), (2, 0, 0), (3, 0, 1)}


@settings(max_examples=20, deadline=None)
@given(h=st.integers(1, 9), w=st.integers(1, 9), radius=st.integers(2, 5), seed=st.integers(0, 99))
def test_equals_plain_loops(h, w, radius, seed):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.tensor([0, 1, 2, 255])[torch.randint(4, (2, h, w), generator=generator)].to(torch.uint8)
    offsets = pair_offsets(radius)
    labels = affinity_labels(maps, offsets)
    for b in range(2):
        for k, (dy, dx) in enumerate(offsets):
            for y in range(h):
                for x in range(w):
                    inside = y + dy < h and 0 <= x + dx < w
                    one, two = int(maps[b, y, x]), int(maps[b, y + dy, x + dx]) if inside else 255
                    sure = 255 not in (one, two)
                    assert bool(labels.background[b, k, y, x]) == (sure and one == two == 0)
                    assert bool(labels.foreground[b, k, y, x]) == (sure and one == two != 0)
                    assert bool(labels.negative[b, k, y, x]) == (sure and one != two)


def test_mirrored_maps_have_the_same_counts():
    maps = torch.tensor([0, 1, 2, 255])[
        torch.randint(4, (1, 8, 9), generator=torch.Generator().manual_seed(1))
    ]
    offsets = pair_offsets(4)
    counts = [
        [int(part.sum()) for part in affinity_labels(m, offsets)] for m in (maps, maps.flip(2), maps.flip(1))
    ]
    assert counts[0] == counts[1] == counts[2]
    trimmed = affinity_labels(maps, offsets, pairs="published")
    assert sum(int(part.sum()) for part in trimmed) < sum(counts[0])


def test_published_pairs_start_off_the_border():
    # Radius 3: two columns at each side and the last two rows start no pair, whatever the offset.
    mask = pair_mask(pair_offsets(3), (5, 7), "published")
    expected = torch.zeros(5, 7, dtype=torch.bool)
    expected[:3, 2:5] = True
    assert (mask == expected).all()
    assert not pair_mask(pair_offsets(5), (3, 40), "published").any()


def test_all_pairs_end_on_the_grid():
    mask = pair_mask(((0, 1), (1, -2)), (2, 3))
    assert mask[0].tolist() == [[True, True, False], [True, True, False]]
    assert mask[1].tolist() == [[False, False, True], [False, False, False]]


def test_unknown_choice_of_pairs():
    with pytest.raises(ValueError, match=r"unknown choice of pairs 'publishd'; did you mean published\?"):
        pair_mask.__wrapped__(pair_offsets(2), (2, 2), "publishd")
