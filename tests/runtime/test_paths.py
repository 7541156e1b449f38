"""Shards: their names, and which images they hold."""

from hypothesis import given, settings
from hypothesis import strategies as st

from seedbed.runtime.paths import shard_members, shard_names


def test_names_go_by_split_then_number() -> None:
    assert shard_names(("train", "val"), 2) == ("train-0", "train-1", "val-0", "val-1")
    assert shard_names((), 3) == ()


def test_members_by_hand() -> None:
    ids = list("abcdefg")
    assert [shard_members(ids, k, 3) for k in range(3)] == [("a", "b"), ("c", "d"), ("e", "f", "g")]


def test_more_shards_than_images_leaves_some_empty() -> None:
    assert sorted(len(shard_members(["a", "b"], k, 4)) for k in range(4)) == [0, 0, 1, 1]


@given(total=st.integers(0, 200), shards=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_shards_are_runs_of_nearly_equal_size_that_join_to_the_whole(total: int, shards: int) -> None:
    ids = [str(i) for i in range(total)]
    parts = [shard_members(ids, k, shards) for k in range(shards)]
    assert [i for part in parts for i in part] == ids
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
