"""Sizes as people read them."""

from pathlib import Path

import pytest

from seedbed.verbs.terminal import folder_size, human_size, table


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (999, "999 B"), (3400, "3.4 kB"), (1_200_000_000, "1.2 GB")]
)
def test_sizes(size: int, shown: str) -> None:
    assert human_size(size) == shown


def test_the_size_of_a_folder(tmp_path: Path) -> None:
    assert folder_size(tmp_path / "none") == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"12345")
    (tmp_path / "d").write_bytes(b"123")
    assert folder_size(tmp_path) == 8


def test_columns_are_aligned() -> None:
    assert table(("A", "B"), [("long", "x"), ("s", "")]) == "A     B\nlong  x\ns"
