"""Manifests: deterministic bytes, a content digest that does not know shards, merging of sidecars."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seedbed.artifacts.manifest import (
    FileEntry,
    LedgerEntry,
    Manifest,
    Record,
    content_digest,
    json_with_digest,
    merge_ledgers,
    merge_shards,
    read_manifest,
    sha256_bytes,
    sha256_file,
    to_json,
)
from seedbed.errors import SeedbedError


def sidecar(records: list[Record], shard: str = "train-0", **changes: object) -> Manifest:
    images: dict[str, int] = {}
    for record in records:
        images[record.split] = images.get(record.split, 0) + 1
    values: dict[str, object] = {
        "stage": "dump_cams",
        "stage_version": 1,
        "dataset": "toy",
        "parameters": {"stage": "dump_cams", "parameters": {"flip": False}},
        "inputs": {"index": ["0" * 64]},
        "files": {f"{shard}.safetensors": FileEntry(size=len(records), sha256=sha256_bytes(shard.encode()))},
        "images": images,
        "facts": {},
        "ledger": [],
        "content": content_digest(records),
        "records": records,
    }
    return Manifest.model_validate(values | changes)


def record(image_id: str, split: str = "train") -> Record:
    return Record(split=split, image_id=image_id, name="", sha256=sha256_bytes(image_id.encode()))


def test_equal_facts_give_equal_bytes_whatever_their_order() -> None:
    one = sidecar([record("a")], parameters={"b": 1, "a": {"z": 0, "y": 1}}, facts={"q": 1, "p": 2})
    other = sidecar([record("a")], facts={"p": 2, "q": 1}, parameters={"a": {"y": 1, "z": 0}, "b": 1})
    assert one.to_bytes() == other.to_bytes()
    assert one.to_bytes().endswith(b"}\n")


def test_a_manifest_holds_no_records_key_where_there_are_none() -> None:
    assert "records" not in json.loads(sidecar([record("a")]).model_copy(update={"records": None}).to_bytes())


def test_json_is_sorted_indented_and_plain() -> None:
    assert to_json({"b": 1, "a": "é"}) == '{\n  "a": "é",\n  "b": 1\n}\n'.encode()


def test_json_refuses_nan() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"score": float("nan")})


def test_digest_of_a_file_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_file(path) == expected
    assert sha256_bytes(b"abc") == expected


def test_content_digest_is_the_digest_of_sorted_lines() -> None:
    records = [record("b"), record("a")]
    lines = [f"train\0{i}\0\0{hashlib.sha256(i.encode()).hexdigest()}" for i in "ab"]
    assert content_digest(records) == hashlib.sha256("\n".join(lines).encode()).hexdigest()


@given(
    ids=st.lists(st.text("abc01_", min_size=1, max_size=4), unique=True, min_size=1, max_size=12),
    assignment=st.lists(st.integers(0, 3), min_size=12, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_content_does_not_depend_on_the_partition_into_shards(ids: list[str], assignment: list[int]) -> None:
    records = [record(image_id, "train" if len(image_id) % 2 else "val") for image_id in ids]
    shards: dict[int, list[Record]] = {}
    for one, number in zip(records, assignment, strict=False):
        shards.setdefault(number, []).append(one)
    whole = merge_shards({"all-0.json": sidecar(records)})
    split = merge_shards({f"x-{n}.json": sidecar(part, f"x-{n}") for n, part in shards.items()})
    assert split.content == whole.content == content_digest(reversed(records))
    assert split.images == whole.images


@given(field=st.sampled_from(["split", "image_id", "name", "sha256"]))
@settings(max_examples=8, deadline=None)
def test_content_depends_on_every_part_of_a_record(field: str) -> None:
    changed = record("a").model_copy(update={field: "other"})
    assert content_digest([changed, record("b")]) != content_digest([record("a"), record("b")])


def test_merging_joins_files_images_and_ledgers() -> None:
    used = LedgerEntry(use="training", stage="train_segmenter", note="masks")
    parts = {
        "train-0.json": sidecar([record("a"), record("b")], "train-0", ledger=[used]),
        "val-0.json": sidecar([record("c", "val")], "val-0", ledger=[used]),
    }
    merged = merge_shards(parts)
    assert set(merged.files) == {"train-0.safetensors", "val-0.safetensors"}
    assert merged.images == {"train": 2, "val": 1}
    assert merged.ledger == [used]
    assert merged.records is None


def test_merging_adds_histograms_of_a_split() -> None:
    parts = {
        "train-0.json": sidecar([record("a")], histograms={"train": [1, 2]}),
        "train-1.json": sidecar([record("b")], "train-1", histograms={"train": [10, 20]}),
        "train-2.json": sidecar([record("d")], "train-2"),  # no image has a class
        "val-0.json": sidecar([record("c", "val")], "val-0", histograms={"val": [5, 6]}),
    }
    assert merge_shards(parts).histograms == {"train": [11, 22], "val": [5, 6]}
    assert merge_shards({"train-2.json": parts["train-2.json"]}).histograms is None


def test_readers_of_maps_record_how_they_become_scores() -> None:
    plain, by_max, by_span = (
        sidecar([record("a")], facts=facts)
        for facts in ({}, {"normalisation": "max"}, {"normalisation": "min_max"})
    )
    assert plain.as_input == plain.content == by_max.content == by_span.content
    assert len({one.as_input for one in (plain, by_max, by_span)}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"stage": "dump_cams", "parameters": {}}},
        {"inputs": {"index": ["1" * 64]}},
        {"stage": "predict"},
    ],
)
def test_shards_of_other_parameters_or_inputs_are_refused(change: dict[str, object]) -> None:
    parts = {
        "train-0.json": sidecar([record("a")]),
        "train-1.json": sidecar([record("b")], "train-1", **change),
    }
    with pytest.raises(
        SeedbedError, match=r"shards train-0\.json and train-1\.json .* different parameters, inputs or facts"
    ):
        merge_shards(parts)


def test_an_image_in_two_shards_is_refused() -> None:
    parts = {"train-0.json": sidecar([record("a")]), "train-1.json": sidecar([record("a")], "train-1")}
    with pytest.raises(SeedbedError, match="'a' of split train is in two shards"):
        merge_shards(parts)


def test_ledgers_are_sorted_and_hold_each_use_once() -> None:
    first = LedgerEntry(use="training", stage="b", note="x")
    second = LedgerEntry(use="epoch", stage="a", note="y")
    assert merge_ledgers([first, second], [first]) == [second, first]
    assert merge_ledgers() == []


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    manifest = sidecar([record("a")])
    path.write_bytes(manifest.to_bytes())
    assert read_manifest(path) == manifest


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "expected a manifest at .*manifest.json, found none; run the stage"),
        (b"{", "is not a manifest that this version reads .*run its stage again"),
        (b"[]", "is not a manifest that this version reads .expected a JSON object"),
        (b'{"stage": "x"}', "was made by an older version; run its stage again"),
        (json_with_digest({"stage": "x"}), r"stage_version: Field required"),
        (b'{"stage": NaN}', "is not a manifest that this version reads"),
        (b"\xff\xfe", "is not a manifest that this version reads"),
    ],
)
def test_an_unreadable_manifest_is_one_line(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeedbedError, match=problem) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_manifest_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    content = json.loads(sidecar([record("a")]).to_bytes())
    path.write_bytes(json_with_digest(content | {"schema_version": 3}))
    with pytest.raises(SeedbedError, match="schema_version"):
        read_manifest(path)
    del content["digest"]
    path.write_bytes(to_json(content | {"schema_version": 1}))
    with pytest.raises(
        SeedbedError, match=r"manifest\.json was made by an older version; run its stage again"
    ):
        read_manifest(path)


def test_the_digest_is_that_of_the_json_of_everything_else() -> None:
    """Keys that are numbers become text, and sort as text, when the file is read."""
    everything_else = b'{\n  "facts": {\n    "10": 0,\n    "9": 1\n  },\n  "z": 2.5\n}\n'
    expected = hashlib.sha256(everything_else).hexdigest()
    written = json_with_digest({"z": 2.5, "facts": {9: 1, 10: 0}})
    assert json.loads(written) == {"facts": {"10": 0, "9": 1}, "z": 2.5, "digest": expected}
    assert list(json.loads(written)) == ["digest", "facts", "z"]
    assert json_with_digest(json.loads(written)) == written


SMALL = sidecar(
    [record("a"), record("é")],
    facts={"meaning": "cams", "normalisation": "max", "classes": ["cat", "dog"], "level": 0.25},
    ledger=[LedgerEntry(use="threshold", stage="x", note="0.25")],
).to_bytes()


@pytest.mark.parametrize("content", [SMALL, merge_shards({"a": sidecar([record("a")])}).to_bytes()])
def test_a_flipped_bit_at_any_place_of_a_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train-0.json"
    path.write_bytes(content)
    read_manifest(path)
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(SeedbedError, match=r"train-0\.json .*; run its stage again") as caught:
            read_manifest(path)
        assert "\n" not in str(caught.value)


@given(place=st.integers(0, len(SMALL) - 1), character=st.characters(codec="utf-8"))
@settings(max_examples=200, deadline=None)
def test_another_character_in_a_manifest_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, character: str
) -> None:
    text = SMALL.decode()
    place = min(place, len(text) - 1)
    assume(text[place] != character)
    path = tmp_path_factory.mktemp("x") / "train-0.json"
    path.write_bytes((text[:place] + character + text[place + 1 :]).encode())
    with pytest.raises(SeedbedError, match=r"train-0\.json .*; run its stage again"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"max"', b'"sum"'),
        (b'"cat"', b'"bat"'),
        (b"0.25,", b"0.250,"),
        (b'  "stage"', b'\t"stage"'),
        (b'"digest"', b'"Digest"'),
    ],
)
def test_a_changed_fact_or_layout_is_refused(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "manifest.json"
    assert old in SMALL
    path.write_bytes(SMALL.replace(old, new, 1))
    with pytest.raises(SeedbedError, match=r"manifest\.json was (changed|made by an older version)"):
        read_manifest(path)


def test_a_truncated_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    for length in range(len(SMALL)):
        path.write_bytes(SMALL[:length])
        with pytest.raises(SeedbedError, match=r"manifest\.json (is not a manifest|was changed)"):
            read_manifest(path)
