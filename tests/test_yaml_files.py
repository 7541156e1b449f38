"""YAML files that nobody means to write are answered with one line, at once."""

import time
from pathlib import Path

import pytest

from seedbed.errors import SeedbedError
from seedbed.yaml_files import load_yaml


def test_a_file_of_another_encoding_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("paper: é".encode("latin-1"))
    with pytest.raises(SeedbedError, match=r"x\.yaml: not readable YAML: "):
        load_yaml(tmp_path / "x.yaml")


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SeedbedError, match=r"there is no file .*params\.yaml"):
        load_yaml(tmp_path / "params.yaml")


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (LAUGHS, r"line \d+, column \d+: not YAML: over 20000 values$"),
        (MERGED, r"line \d+, column \d+: not YAML: over 20000 values$"),
        ("a: &a [*a]\n", r"line 1, column 4: not YAML: an alias refers to a node that contains it$"),
        ("a: &a {b: [1, *a]}\n", r"line 1, column 4: not YAML: an alias refers to a node that contains it$"),
        ("[\n" * 50_000, r"not readable YAML: nested too deeply$"),
        ("a: b\n" + " " * 1_000_000, r"expected at most 1000000 bytes, got more$"),
        ("? [a]\n: 1\n", r"line 1, column 3: not YAML: a key is a list or a mapping$"),
        ("a: 2020-13-45\n", r"not readable YAML: month must be in 1\.\.12"),
    ],
    ids=["laughs", "merged laughs", "circle", "circle of two", "levels", "size", "key", "date"],
)
def test_a_file_that_is_no_recipe_is_one_line_at_once(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    start = time.process_time()
    with pytest.raises(SeedbedError, match=problem) as caught:
        load_yaml(tmp_path / "x.yaml")
    assert time.process_time() - start < 3
    assert "\n" not in str(caught.value)


def test_aliases_of_ordinary_size_are_followed(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: &a {b: [1, 2]}\nc: *a\nd: {e: *a}\n")
    inner = {"b": [1, 2]}
    assert load_yaml(tmp_path / "x.yaml") == {"a": inner, "c": inner, "d": {"e": inner}}
