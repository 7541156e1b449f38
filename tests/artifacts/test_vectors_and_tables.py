"""Vectors of images and tables: what goes in comes out, and becomes what training reads of an image."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from seedbed.artifacts.tables import TABLE, TableStore, encode_table
from seedbed.artifacts.vectors import VectorStore, encode_vectors, pack_vectors
from seedbed.errors import SeedbedError

VECTORS = {
    name: {"probabilities": np.array([k, 1], np.float32), "features": np.full(3, k, np.float32)}
    for k, name in enumerate(["b/x", "a", "c"])
}


def test_vectors_come_back_by_image_and_name(tmp_path: Path) -> None:
    for number, names in enumerate((["b/x", "a"], ["c"])):
        content = pack_vectors({n: encode_vectors(VECTORS[n])[1] for n in names})
        (tmp_path / f"train-{number}.safetensors").write_bytes(content)
    store = VectorStore(sorted(tmp_path.iterdir()), {})
    assert list(store) == ["a", "b/x", "c"]
    assert "a" in store
    assert "x" not in store
    for image_id, vectors in VECTORS.items():
        found = store.fields(image_id)
        assert found.keys() == vectors.keys()
        assert all(np.array_equal(found[name], vectors[name]) for name in vectors)
    with pytest.raises(SeedbedError, match="no vectors for image 'x' among 3"):
        store["x"]


def test_equal_vectors_give_equal_bytes_in_any_order() -> None:
    packed = {pack_vectors({n: VECTORS[n] for n in order}) for order in itertools.permutations(VECTORS)}
    assert len(packed) == 1


def test_the_digest_depends_on_names_shapes_and_values() -> None:
    base = {"a": np.zeros(4, np.float32)}
    others = [
        {"b": np.zeros(4, np.float32)},
        {"a": np.zeros(3, np.float32)},
        {"a": np.ones(4, np.float32)},
        {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.float32)},
    ]
    assert len({encode_vectors(v)[0] for v in (base, *others)}) == 5


def test_images_with_other_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"image 'b' has vectors \['y'\], expected \['x'\]"):
        pack_vectors({"a": {"x": np.zeros(1, np.float32)}, "b": {"y": np.zeros(1, np.float32)}})


def test_a_shard_without_images_is_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(pack_vectors({}))
    assert list(VectorStore([tmp_path / "a.safetensors"], {})) == []


def test_a_table_is_one_value_per_class_to_training(tmp_path: Path) -> None:
    """Image a has classes 0 and 2; where there is no row, -1."""
    path = tmp_path / TABLE
    path.write_bytes(encode_table(("image_id", "class", "cluster"), [("a", 0, 7), ("a", 2, 4), ("b", 1, 0)]))
    store = TableStore([path], {"classes": ["cat", "cow", "dog"]})
    assert store.columns == ("image_id", "class", "cluster")
    assert store.rows[1] == {"image_id": "a", "class": "2", "cluster": "4"}
    assert store.fields("a")["cluster"].tolist() == [7, -1, 4]
    assert store.fields("b")["cluster"].tolist() == [-1, 0, -1]
    assert store.fields("none")["cluster"].tolist() == [-1, -1, -1]


def test_a_table_that_tells_of_no_images_is_not_for_training(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_bytes(encode_table(("class", "images"), [(0, 3)]))
    with pytest.raises(
        SeedbedError, match="tables with columns image_id and class, but this one has class, images"
    ):
        TableStore([tmp_path / TABLE], {}).fields("a")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", -1, 0)], "column class: expected a class from 0 to 2, got '-1'"),
        ([("a", 3, 0)], "column class: expected a class from 0 to 2, got '3'"),
        ([("a", "cat", 0)], "column class: expected a class from 0 to 2, got 'cat'"),
        ([("a", 0, "x")], "column cluster: expected a number, got 'x'"),
        ([("a", 0, "nan")], "column cluster: expected a number, got 'nan'"),
        ([("a", 0, 1), ("a", 0, 2)], "column class: expected one row per image and class, got '0'"),
    ],
)
def test_rows_that_are_not_of_a_class_with_numbers_are_refused(
    tmp_path: Path, rows: list[tuple[object, ...]], told: str
) -> None:
    (tmp_path / TABLE).write_bytes(encode_table(("image_id", "class", "cluster"), rows))
    with pytest.raises(SeedbedError) as caught:
        TableStore([tmp_path / TABLE], {"classes": ["cat", "cow", "dog"]}).fields("a")
    assert f"{TABLE}, image 'a', {told}" in str(caught.value)
