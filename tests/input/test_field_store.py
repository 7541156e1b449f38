"""Fields that a method writes: the newest is read, a checkpoint's stamps bring an older one back."""

import hashlib

import numpy as np
import pytest

from seedbed.errors import SeedbedError
from seedbed.input.field_store import FieldStore

KINDS = {
    "labels": np.array([[0, 3], [255, 1]], np.uint8),
    "hints": np.array([[[0.25, 1.0]]], np.float32),
    "means": np.array([1.5, -2.0], np.float32),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_written_is_read(name, tmp_path):
    store = FieldStore(tmp_path)
    store.write(name, 4, [("a/b c.jpg", KINDS[name]), ("ä", KINDS[name] * 0)])
    found = store.fields("a/b c.jpg")[name]
    assert found.dtype == KINDS[name].dtype
    assert np.array_equal(found, KINDS[name])
    assert not store.fields("ä")[name].any()


def test_the_last_epoch_is_read_until_a_checkpoints_stamps_come_back(tmp_path):
    store = FieldStore(tmp_path)
    for epoch in (0, 3):
        store.write("labels", epoch, [("a", np.full((1, 1), epoch, np.uint8))])
    assert store.stamps == {"labels": 3}
    assert store.fields("a")["labels"] == 3
    resumed = FieldStore(tmp_path)
    assert resumed.fields("a") == {}
    path = tmp_path / "labels-00000.zip"
    resumed.restore({"labels": 0}, {path: "0" * 64, tmp_path / "other": "1" * 64})
    assert resumed.fields("a")["labels"] == 0
    assert resumed.digests == {path: "0" * 64}


def test_the_digests_are_those_of_the_files_that_are_read(tmp_path):
    store = FieldStore(tmp_path)
    for name, epoch in (("labels", 0), ("hints", 0), ("labels", 2)):
        store.write(name, epoch, [("a", KINDS[name])])
    paths = {tmp_path / "hints-00000.zip", tmp_path / "labels-00002.zip"}
    assert store.digests == {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_only_what_no_stamp_names_is_pruned(tmp_path):
    store = FieldStore(tmp_path)
    for epoch in (0, 1):
        store.write("labels", epoch, [("a", KINDS["labels"])])
    store.write("hints", 1, [("a", KINDS["hints"])])
    store.prune()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hints-00001.zip", "labels-00001.zip"]


def test_an_image_without_a_field_is_named(tmp_path):
    store = FieldStore(tmp_path)
    store.write("labels", 0, [("a", KINDS["labels"])])
    with pytest.raises(
        SeedbedError, match="labels-00000: no field of image 'b'; a method writes a field for every"
    ):
        store.fields("b")


def test_a_writing_that_fails_leaves_the_old_field(tmp_path):
    store = FieldStore(tmp_path)
    store.write("labels", 0, [("a", KINDS["labels"])])

    def failing():
        yield "a", KINDS["labels"]
        raise SeedbedError("a is corrupt")

    with pytest.raises(SeedbedError, match="a is corrupt"):
        store.write("labels", 1, failing())
    assert store.stamps == {"labels": 0}
    assert np.array_equal(store.fields("a")["labels"], KINDS["labels"])
    assert [path.name for path in tmp_path.iterdir()] == ["labels-00000.zip"]
