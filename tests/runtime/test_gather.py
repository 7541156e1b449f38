"""Gathering shards: one manifest; whatever is missing or of another making is named."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.label_maps import label_map_png, pack_label_maps
from seedbed.artifacts.manifest import FileEntry, Manifest, Record, content_digest, sha256_bytes, to_json
from seedbed.errors import SeedbedError
from seedbed.runtime.gather import gather
from seedbed.stages.registry import STAGES

VERSION = STAGES["pseudo_masks"].version
IDS = ("a", "b", "c", "d", "e")


def slice_of(shards: int, **changes: Any) -> dict[str, Any]:
    return {
        "stage": "pseudo_masks",
        "stage_version": VERSION,
        "dataset": "toy",
        "parameters": {},
        "shards": shards,
    } | changes


def write_shards(folder: Path, content: dict[str, Any]) -> Path:
    shards = content["shards"]
    for number in range(shards):
        pngs = {i: label_map_png(np.full((2, 3), ord(i), np.uint8)) for i in IDS[number::shards]}
        data = pack_label_maps(pngs)
        name = f"train-{number}.zip"
        records = [
            Record(split="train", image_id=i, name="", sha256=sha256_bytes(png)) for i, png in pngs.items()
        ]
        sidecar = Manifest(
            stage=content["stage"],
            stage_version=VERSION,
            dataset="toy",
            parameters=content,
            inputs={},
            files={name: FileEntry(size=len(data), sha256=sha256_bytes(data))},
            images={"train": len(records)},
            facts={"meaning": "pseudo_masks", "classes": [f"class{c}" for c in range(128)]},
            ledger=[],
            content=content_digest(records),
            records=records,
        )
        write_bytes(folder / name, data)
        write_bytes(folder / f"train-{number}.json", sidecar.to_bytes())
    path = folder.parent / f"{folder.name}.slice.json"
    write_bytes(path, to_json(content))
    return path


def test_one_manifest_names_the_shards(tmp_path: Path) -> None:
    manifest = gather(STAGES, write_shards(tmp_path / "out", slice_of(2)), tmp_path / "out")
    assert set(manifest.files) == {"train-0.zip", "train-1.zip"}
    assert manifest.images == {"train": 5}
    artifact = Artifact(tmp_path / "out")
    assert artifact.manifest == manifest
    assert {i: int(artifact.open()[i][0, 0]) for i in IDS} == {i: ord(i) for i in IDS}
    assert "records" not in json.loads((tmp_path / "out" / "manifest.json").read_bytes())


def test_content_is_that_of_one_shard(tmp_path: Path) -> None:
    contents = {
        gather(STAGES, write_shards(tmp_path / str(n), slice_of(n)), tmp_path / str(n)).content
        for n in (1, 2, 4)
    }
    assert len(contents) == 1


def test_gathering_twice_gives_equal_bytes(tmp_path: Path) -> None:
    params = write_shards(tmp_path / "out", slice_of(3))
    gather(STAGES, params, tmp_path / "out")
    first = (tmp_path / "out" / "manifest.json").read_bytes()
    gather(STAGES, params, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").read_bytes() == first


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (
            lambda folder: (folder / "train-1.json").unlink(),
            r"expected a manifest at .*train-1\.json, found none",
        ),
        (lambda folder: (folder / "train-1.zip").unlink(), r"train-1\.zip is missing"),
        (
            lambda folder: (folder / "train-1.zip").write_bytes(b"PK"),
            r"train-1\.zip has 2 bytes, but its manifest says",
        ),
    ],
    ids=["sidecar", "data", "truncated"],
)
def test_a_missing_or_truncated_shard_is_named(tmp_path: Path, damage: Any, problem: str) -> None:
    params = write_shards(tmp_path / "out", slice_of(2))
    damage(tmp_path / "out")
    with pytest.raises(SeedbedError, match=problem):
        gather(STAGES, params, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_shard_of_other_parameters_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path / "out", slice_of(2))
    wanted = tmp_path / "wanted.json"
    wanted.write_bytes(to_json(slice_of(2, parameters={"background_score": 0.3})))
    with pytest.raises(
        SeedbedError, match=r"train-0\.json was not made with the parameters in .*wanted\.json"
    ):
        gather(STAGES, wanted, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (slice_of(1, stage="pseudo_mask"), "unknown stage 'pseudo_mask'; did you mean pseudo_masks"),
        (slice_of(1, stage="train_segmenter"), "stage train_segmenter is not sharded"),
        (slice_of(1, stage_version=0), "is for stage pseudo_masks version 0"),
        (slice_of(1, parameters={"decid": 1}), "unknown key 'decid'; did you mean decide"),
        ({k: v for k, v in slice_of(1).items() if k != "shards"}, "expected keys .*shards"),
        ({k: v for k, v in slice_of(1).items() if k != "stage"}, "expected keys .*stage"),
        ([1], "expected keys"),
    ],
)
def test_a_wrong_slice_is_one_line(tmp_path: Path, content: Any, problem: str) -> None:
    path = tmp_path / "slice.json"
    path.write_bytes(to_json(content))
    with pytest.raises(SeedbedError, match=problem) as caught:
        gather(STAGES, path, tmp_path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unreadable_slice_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "slice.json").write_text("{")
    with pytest.raises(SeedbedError, match=r"is not a readable slice .*`seedbed plan` writes the slices"):
        gather(STAGES, tmp_path / "slice.json", tmp_path)
