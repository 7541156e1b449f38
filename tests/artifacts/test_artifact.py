"""Reading an artifact: a file is handed out only when it agrees with the manifest, by name."""

from pathlib import Path

import numpy as np
import pytest

from seedbed.artifacts.artifact import Artifact, verify
from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.label_maps import label_map_png, pack_label_maps
from seedbed.artifacts.manifest import FileEntry, Manifest, sha256_bytes
from seedbed.artifacts.maps import Maps, pack_maps
from seedbed.errors import SeedbedError


def write_artifact(folder: Path, files: dict[str, bytes], meaning: str = "classifier") -> Path:
    entries = {name: FileEntry(size=len(data), sha256=sha256_bytes(data)) for name, data in files.items()}
    for name, data in files.items():
        write_bytes(folder / name, data)
    manifest = Manifest(
        stage="toy",
        stage_version=1,
        dataset="toy",
        parameters={},
        inputs={},
        files=entries,
        images={},
        facts={"meaning": meaning, "classes": ["cat"]},
        ledger=[],
        content="0",
    )
    write_bytes(folder / "manifest.json", manifest.to_bytes())
    return folder / "manifest.json"


def maps(*image_ids: str) -> bytes:
    return pack_label_maps({i: label_map_png(np.full((2, 2), len(i), np.uint8)) for i in image_ids})


def test_a_file_that_agrees_is_handed_out(tmp_path: Path) -> None:
    artifact = Artifact(write_artifact(tmp_path, {"model.safetensors": b"weights"}))
    assert artifact.file("model.safetensors").read_bytes() == b"weights"


def test_a_folder_stands_for_its_manifest(tmp_path: Path) -> None:
    write_artifact(tmp_path / "a", {"x": b"1"})
    write_artifact(tmp_path / "b", {"x": b"2"})
    one, other = Artifact(tmp_path / "a"), Artifact(tmp_path / "b" / "manifest.json")
    assert (one.folder, other.folder) == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda p: p.write_bytes(b"wei"), "has 3 bytes, but its manifest says 7: truncated or replaced"),
        (lambda p: p.write_bytes(b"Weights"), "SHA-256 .* but its manifest says .*: it was changed"),
        (lambda p: p.unlink(), "is missing, though its manifest names it"),
    ],
    ids=["truncated", "changed", "missing"],
)
def test_a_file_that_disagrees_is_refused_by_name(tmp_path: Path, damage: object, problem: str) -> None:
    artifact = Artifact(write_artifact(tmp_path, {"model.safetensors": b"weights", "history.csv": b"1"}))
    damage(tmp_path / "model.safetensors")  # type: ignore[operator]
    with pytest.raises(
        SeedbedError, match=rf"model\.safetensors .*{problem}.*; run its stage again"
    ) as caught:
        artifact.file("model.safetensors")
    assert "\n" not in str(caught.value)
    assert artifact.file("history.csv").exists()


def test_a_file_that_the_manifest_does_not_name_is_refused(tmp_path: Path) -> None:
    artifact = Artifact(write_artifact(tmp_path, {"a.csv": b"", "b.csv": b""}))
    (tmp_path / "c.csv").write_bytes(b"")
    with pytest.raises(SeedbedError, match=r"names no file 'c.csv' \(it names a.csv, b.csv\)"):
        artifact.file("c.csv")


def test_verification_happens_once_per_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("seedbed.artifacts.artifact.verify", lambda path, entry: calls.append(path.name))
    artifact = Artifact(write_artifact(tmp_path, {"x": b"1"}))
    artifact.file("x")
    artifact.file("x")
    assert calls == ["x"]


def test_verify_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    verify(tmp_path / "x", FileEntry(size=1, sha256=sha256_bytes(b"1")))
    with pytest.raises(SeedbedError, match="it was changed"):
        verify(tmp_path / "x", FileEntry(size=1, sha256=sha256_bytes(b"2")))


def test_shards_are_chosen_by_split_and_by_name(tmp_path: Path) -> None:
    files = {f"{s}-{k}.zip": maps(f"{s}{k}") for s in ("train", "train_aug", "val") for k in range(2)}
    artifact = Artifact(write_artifact(tmp_path, {**files, "train-0.json": b"{}"}, "regions"))
    assert [p.name for p in artifact.shard_files("train")] == ["train-0.zip", "train-1.zip"]
    assert [p.name for p in artifact.shard_files(shard="val-1")] == ["val-1.zip"]
    assert len(artifact.shard_files()) == 6
    assert list(artifact.open("val")) == ["val0", "val1"]
    assert list(artifact.open(shard="train_aug-0")) == ["train_aug0"]


def test_a_consumer_of_one_shard_does_not_read_the_others(tmp_path: Path) -> None:
    cams = {"train-0.safetensors": pack_maps({"a": Maps((), (1, 1), ())}), "train-1.safetensors": b"broken"}
    artifact = Artifact(write_artifact(tmp_path, cams, "cams"))
    (tmp_path / "train-1.safetensors").unlink()
    assert list(artifact.open(shard="train-0")) == ["a"]
    with pytest.raises(SeedbedError, match=r"train-1\.safetensors is missing"):
        artifact.open()


def test_what_an_artifact_is_stands_in_its_manifest(tmp_path: Path) -> None:
    path = write_artifact(tmp_path / "a", {"model.safetensors": b""}, "segmenter")
    assert Artifact(path).meaning.name == "segmenter"
    with pytest.raises(SeedbedError, match="is segmenter, which cannot be read image by image"):
        Artifact(path).open()
    path = write_artifact(tmp_path / "b", {}, "cam")
    with pytest.raises(SeedbedError, match=r"not an artifact that this version knows \(meaning 'cam'\)"):
        Artifact(path).open()
