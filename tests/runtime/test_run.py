"""Running a stage: what is read is verified, what is written is whole, what stays over belongs to the same work.

Toy stages over a data set of five tiny photographs; a real `prepare_dataset` makes its index.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import LedgerEntry, to_json
from seedbed.errors import ImageMemoryError, SeedbedError
from seedbed.runtime.contract import Input, Job, Products, ShardedParameters, Stage, TrueMasks
from seedbed.runtime.log import Log
from seedbed.runtime.options import parser
from seedbed.runtime.run import run_stage
from seedbed.stages.prepare_dataset import STAGE as PREPARE_DATASET
from seedbed.stages.prepare_dataset import run as prepare
from seedbed.stages.prepare_masks import STAGE as PREPARE_MASKS

IDS = ["a", "b", "c", "d", "e"]
WORK: dict[str, Callable[[Job], Any]] = {}
"""What the toy stages do, by name; set by each test."""


def work(job: Job) -> Any:
    return WORK[job.slice["stage"]](job)


WHOLE = Stage(
    name="whole",
    version=3,
    summary="",
    parameters=lambda raw: ShardedParameters,
    inputs={},
    resources="counts",
    run=work,
    makes="classifier",
)
MAPS = replace(
    WHOLE,
    name="maps",
    makes="regions",
    inputs={"classifier": Input(("classifier",)), "extra": Input(("cams", "masks"), required=False)},
)
SCORE = replace(WHOLE, name="score", makes="", inputs={"target": Input(("label_maps",))}, writes_file=True)


@pytest.fixture(autouse=True)
def toys() -> None:
    WORK.update(
        whole=lambda job: Products({"model.bin": b"weights"}), maps=constant_maps, score=lambda job: b"{}"
    )


def constant_maps(job: Job) -> Iterator[tuple[str, Any]]:
    for image_id in job.image_ids:
        yield image_id, np.full((2, 3), ord(image_id), np.uint8)


class Place:
    """A results folder with a prepared data set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        images = folder / "photos" / "images"
        images.mkdir(parents=True)
        for number, image_id in enumerate(IDS):
            Image.new("RGB", (4, 3), (number, 0, 0)).save(images / f"{image_id}.png")
        rows = [f"{image_id},cat" for image_id in IDS]
        (folder / "photos" / "labels.csv").write_text("\n".join(["image_id,labels", *rows]) + "\n")

    def run(self, stage: Stage, name: str, options: dict[str, Any], **content: Any) -> Path:
        output = self.folder / "results" / "toy" / name
        slice_path = self.folder / "results" / ".params" / "toy" / f"{name}.json"
        slice_path.parent.mkdir(parents=True, exist_ok=True)
        whole = {
            "stage": stage.name,
            "stage_version": stage.version,
            "dataset": "toy",
            "parameters": {},
        } | content
        slice_path.write_bytes(to_json(whole))
        words = ["--params", slice_path, "--output", output, "--data-root", self.folder / "photos"]
        for key, value in options.items():
            words += [f"--{key}", value]
        log = Log(self.folder / "log" / f"{name}.log")
        assert stage.run is not None
        run_stage(stage, stage.run, parser(stage).parse_args([str(word) for word in words]), log)
        return output

    @property
    def index(self) -> Path:
        path = self.folder / "results" / "toy" / "index" / "manifest.json"
        if not path.exists():
            declared = {"kind": "folder", "splits": {"train": {"masks": False}}}
            self.run(PREPARE_DATASET, "index", {}, parameters=declared)
            self.run(PREPARE_MASKS, "index/masks.csv", {"index": path}, parameters=declared)
        return path

    def whole(self, **content: Any) -> Path:
        return self.run(WHOLE, "model", {"index": self.index}, **content)

    def maps(
        self, shard: str | None = "train-0", shards: int = 1, extra: Path | None = None, **content: Any
    ) -> Path:
        options = {"index": self.index, "classifier": self.folder / "results/toy/model/manifest.json"}
        options |= {"shard": shard} if shard else {}
        options |= {"extra": extra} if extra else {}
        return self.run(MAPS, f"maps{shards}", options, shards=shards, **content)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_whole_stage_writes_its_files_and_a_manifest(place: Place) -> None:
    folder = place.whole(rng=1)
    assert files_of(folder) == {"manifest.json", "model.bin"}
    artifact = Artifact(folder)
    assert artifact.file("model.bin").read_bytes() == b"weights"
    manifest = artifact.manifest
    assert (manifest.stage, manifest.stage_version, manifest.dataset) == ("whole", 3, "toy")
    assert manifest.parameters["rng"] == 1
    assert manifest.inputs == {"index": [Artifact(place.index).manifest.content]}


def test_equal_work_gives_equal_bytes_and_other_facts_stand_beside(place: Place) -> None:
    folder = place.whole()
    first = (folder / "manifest.json").read_bytes()
    place.whole()
    assert (folder / "manifest.json").read_bytes() == first
    assert str(place.folder) not in first.decode()
    (facts,) = (folder / ".runs").iterdir()
    assert {"command", "seconds", "versions", "device"} <= json.loads(facts.read_text()).keys()


def test_shards_join_to_the_same_images(place: Place) -> None:
    place.whole()
    found = {}
    for number in range(2):
        folder = place.maps(f"train-{number}", 2)
        sidecar = json.loads((folder / f"train-{number}.json").read_text())
        found[number] = [record["image_id"] for record in sidecar["records"]]
    assert found == {0: ["a", "b"], 1: ["c", "d", "e"]}
    assert files_of(folder) == {"train-0.zip", "train-0.json", "train-1.zip", "train-1.json"}


def test_a_stage_that_writes_one_file_writes_no_manifest(place: Place) -> None:
    place.whole()
    maps = place.maps()
    (maps / "train-0.json").rename(maps / "manifest.json")
    options = {"index": place.index, "target": maps / "manifest.json"}
    assert place.run(SCORE, "scores/x.json", options).read_bytes() == b"{}"
    assert files_of(place.folder / "results/toy/scores") == {"x.json"}


@pytest.mark.parametrize(
    ("kind", "name", "declared"),
    [
        ("whole", "model", "model/manifest.json"),
        ("maps", "maps1", "maps1/train-0.json"),
        ("score", "x.json", "x.json"),
    ],
)
def test_nothing_is_written_where_the_slice_changed_meanwhile(
    place: Place, kind: str, name: str, declared: str
) -> None:
    """What is written would be younger than the new slice, and pass for made with it."""
    if kind != "whole":
        place.whole()
    if kind == "score":
        shutil.copy(place.maps() / "train-0.json", place.folder / "results/toy/target.json")
    target = {"index": place.index, "target": place.folder / "results/toy/target.json"}
    make = {"whole": place.whole, "maps": place.maps, "score": lambda: place.run(SCORE, name, target)}[kind]
    params = place.folder / f"results/.params/toy/{name}.json"
    original = WORK[kind]

    def meanwhile(job: Job) -> Any:
        params.write_bytes(to_json({**job.slice, "rng": 7}))
        return original(job)

    WORK[kind] = meanwhile
    with pytest.raises(SeedbedError, match=r"\.json: the slice changed while the stage ran; run again$"):
        make()
    assert not (place.folder / "results/toy" / declared).exists()
    WORK[kind] = original
    make()
    assert (place.folder / "results/toy" / declared).exists()


def test_a_slice_of_another_version_is_refused(place: Place) -> None:
    with pytest.raises(
        SeedbedError, match=r"is for stage whole version 2, but this is whole version 3; `seedbed plan`"
    ):
        place.whole(stage_version=2)


def test_an_unknown_shard_is_refused(place: Place) -> None:
    place.whole()
    with pytest.raises(SeedbedError, match=r"unknown shard 'train-7'; did you mean train-0"):
        place.maps("train-7")


def test_an_input_that_does_not_agree_with_its_manifest_is_refused_by_name(place: Place) -> None:
    folder = place.whole()
    WORK["maps"] = lambda job: iter(
        [(i, job.artifact("classifier").file("model.bin")) for i in job.image_ids]
    )
    (folder / "model.bin").write_bytes(b"Weights")
    with pytest.raises(SeedbedError, match=r"model/model\.bin has SHA-256 .* it was changed"):
        place.maps()


def test_a_missing_input_is_refused_by_name(place: Place) -> None:
    assert place.index
    with pytest.raises(SeedbedError, match=r"expected a manifest at .*model/manifest\.json, found none"):
        place.maps()


def test_an_optional_input_may_be_absent(place: Place) -> None:
    place.whole()
    seen: list[Any] = []

    def maps(job: Job) -> Iterator[Any]:
        seen.append("extra" in job.inputs)
        return constant_maps(job)

    WORK["maps"] = maps
    place.maps()
    assert seen == [False]


def failing(job: Job) -> Iterator[Any]:
    for image_id, label_map in constant_maps(job):
        if image_id == "d":
            raise SeedbedError("image d is corrupt")
        yield image_id, label_map


def test_a_failure_leaves_no_file_under_a_declared_name(place: Place) -> None:
    place.whole()
    WORK["maps"] = failing
    with pytest.raises(SeedbedError, match="image d is corrupt"):
        place.maps()
    assert files_of(place.folder / "results/toy/maps1") == set()


def test_temporary_files_of_a_killed_run_are_removed(place: Place) -> None:
    """Of the same output; another shard's may belong to a job that is at work."""
    folder = place.folder / "results/toy/model"
    folder.mkdir(parents=True)
    for name in (".model.bin.abc.tmp", ".manifest.json.abc.tmp"):
        (folder / name).write_bytes(b"half")
    place.whole()
    assert list(folder.glob(".*.tmp")) == []
    shards = place.folder / "results/toy/maps2"
    shards.mkdir(parents=True)
    for name in (".train-0.zip.abc.tmp", ".train-1.zip.abc.tmp"):
        (shards / name).write_bytes(b"half")
    place.maps("train-0", shards=2)
    assert [path.name for path in shards.glob(".*.tmp")] == [".train-1.zip.abc.tmp"]


def test_images_that_were_not_made_are_counted(place: Place) -> None:
    place.whole()
    WORK["maps"] = lambda job: iter(list(constant_maps(job))[:3])
    with pytest.raises(SeedbedError, match="maps train-0: 3 of 5 images were made"):
        place.maps()


def test_an_old_result_stays_until_the_new_one_is_whole(place: Place) -> None:
    place.whole()
    folder = place.maps()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    WORK["maps"] = failing
    with pytest.raises(SeedbedError):
        place.maps()
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def interrupted(job: Job) -> Products:
    (job.work / "checkpoint").write_text("epoch 3")
    raise KeyboardInterrupt


@pytest.mark.parametrize(("rng", "kept"), [(0, True), (1, False)])
def test_partial_work_is_kept_for_the_same_work_only(place: Place, rng: int, kept: bool) -> None:
    WORK["whole"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        place.whole(rng=0)
    found: list[bool] = []

    def resume(job: Job) -> Products:
        found.append((job.work / "checkpoint").exists())
        return Products({"model.bin": b""})

    WORK["whole"] = resume
    folder = place.whole(rng=rng)
    assert found == [kept]
    assert not (folder / ".work" / "whole").exists()


def test_uses_of_masks_are_inherited_and_added(place: Place) -> None:
    def trained_on_masks(job: Job) -> Products:
        job.ledger.append(LedgerEntry(use="training", stage="whole", note="true masks"))
        return Products({"model.bin": b""})

    WORK["whole"] = trained_on_masks
    place.whole()
    folder = place.maps(inherited={"threshold": "0.25, by the paper"})
    ledger = json.loads((folder / "train-0.json").read_text())["ledger"]
    assert ledger == [
        {"use": "threshold", "stage": "maps", "note": "inherited: 0.25, by the paper"},
        {"use": "training", "stage": "whole", "note": "true masks"},
    ]


def test_the_index_does_not_name_the_root(place: Place) -> None:
    assert str(place.folder) not in place.index.read_text()
    assert Artifact(place.index).manifest.images == {"train": 5}


def test_the_declared_root_serves_where_none_is_given(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    (place.folder / "results/.params").mkdir(parents=True)
    roots = place.folder / "results/.params/roots.json"
    roots.write_bytes(to_json({"toy": str(place.folder / "photos")}))
    path = place.folder / "results/.params/toy/index.json"
    path.parent.mkdir()
    content = {"stage": "prepare_dataset", "stage_version": PREPARE_DATASET.version, "dataset": "toy"}
    parameters = {"kind": "folder", "splits": {"train": {"masks": False}}}
    path.write_bytes(to_json(content | {"parameters": parameters}))
    options = parser(PREPARE_DATASET).parse_args(["--params", str(path), "--output", "results/toy/index"])
    run_stage(PREPARE_DATASET, prepare, options, Log(place.folder / "x.log"))
    assert Artifact(Path("results/toy/index")).manifest.images == {"train": 5}


def test_the_log_tells_the_progress(place: Place) -> None:
    place.whole()
    place.maps()
    lines = (place.folder / "log" / "maps1.log").read_text().splitlines()
    assert lines[0] == "maps train-0: starts"
    assert lines[1:6] == [f"maps train-0: {n}/5" for n in range(1, 6)]
    assert lines[6].startswith("maps train-0: done in ")


def test_the_true_masks_are_an_object_of_their_own(place: Place) -> None:
    place.whole()
    seen: list[Any] = []

    def maps(job: Job) -> Iterator[Any]:
        seen.append(job.inputs["extra"])
        return constant_maps(job)

    WORK["maps"] = maps
    folder = place.maps(extra=place.index.parent / "masks.csv")
    assert seen == [TrueMasks()]
    assert "extra" in json.loads((folder / "train-0.json").read_text())["inputs"]


def test_a_changed_file_of_the_masks_is_refused(place: Place) -> None:
    place.whole()
    path = place.index.parent / "masks.csv"
    path.write_bytes(path.read_bytes().replace(b"split", b"splat"))
    with pytest.raises(SeedbedError, match=r"masks\.csv was changed, .*; run prepare_masks again"):
        place.maps(extra=path)


def test_an_input_of_another_meaning_is_refused(place: Place) -> None:
    model = place.whole()
    with pytest.raises(SeedbedError, match=r"--extra takes cams or masks, .*manifest\.json is classifier"):
        place.maps(extra=model / "manifest.json")
    options = {"index": place.index, "target": place.index.parent / "masks.csv"}
    with pytest.raises(SeedbedError, match="--target takes label_maps, got the true masks"):
        place.run(SCORE, "scores/x.json", options)


def test_an_absent_input_is_not_the_true_masks(place: Place) -> None:
    place.whole()
    WORK["maps"] = lambda job: iter([(i, job.artifact("extra")) for i in job.image_ids])
    with pytest.raises(SeedbedError, match="expected an artifact as input extra, got none"):
        place.maps()
    with pytest.raises(SeedbedError, match="expected an artifact as input extra, got TrueMasks"):
        place.maps(extra=place.index.parent / "masks.csv")


def test_without_a_shard_all_are_made_and_gathered(place: Place) -> None:
    """The same bytes as shard by shard."""
    place.whole()
    folder = place.maps(None, 3)
    names = {f"train-{k}.{suffix}" for k in range(3) for suffix in ("zip", "json")}
    assert files_of(folder) == names | {"manifest.json"}
    together = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert list(Artifact(folder).open()) == IDS
    assert not [path for path in (folder / ".work").iterdir() if path.is_dir()]
    for k in range(3):
        place.maps(f"train-{k}", 3)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == together


def test_finished_shards_are_kept_where_a_run_of_all_was_stopped(place: Place) -> None:
    place.whole()
    made: list[str] = []

    def maps(job: Job, fails: bool) -> Iterator[Any]:
        made.append(job.shard)
        if fails and job.shard == "train-1":
            raise KeyboardInterrupt
        return constant_maps(job)

    WORK["maps"] = lambda job: maps(job, True)
    with pytest.raises(KeyboardInterrupt):
        place.maps(None, 3)
    assert files_of(place.folder / "results/toy/maps3") == set()
    WORK["maps"] = lambda job: maps(job, False)
    folder = place.maps(None, 3)
    assert made == ["train-0", "train-1", "train-1", "train-2"]
    assert list(Artifact(folder).open()) == IDS


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["train-0.json", "train-0.zip"])
def test_a_damaged_finished_shard_is_made_again(place: Place, name: str) -> None:
    place.whole()
    whole = {path.name: path.read_bytes() for path in place.maps(None, 3).iterdir() if path.is_file()}
    made: list[str] = []

    def stopping(job: Job) -> Iterator[Any]:
        made.append(job.shard)
        if made == ["train-0", "train-1"]:
            raise KeyboardInterrupt
        return constant_maps(job)

    WORK["maps"] = stopping
    folder = place.folder / "results/toy/maps3"
    with pytest.raises(KeyboardInterrupt):
        place.maps(None, 3)
    flip_a_bit(folder / ".work/whole" / name)
    place.maps(None, 3)
    assert made == ["train-0", "train-1", "train-0", "train-1", "train-2"]
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == whole


def test_an_input_whose_manifest_was_changed_is_refused(place: Place) -> None:
    path = place.whole() / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"cat"', b'"bat"'))
    with pytest.raises(SeedbedError, match=r"model/manifest\.json was changed: .*; run its stage again"):
        place.maps()


def test_finished_shards_of_other_parameters_are_made_again(place: Place) -> None:
    place.whole()
    made: list[str] = []

    def stopping(job: Job) -> Iterator[Any]:
        made.append(job.shard)
        if len(made) == 2:
            raise KeyboardInterrupt
        return constant_maps(job)

    WORK["maps"] = stopping
    with pytest.raises(KeyboardInterrupt):
        place.maps(None, 3, rng=0)
    place.maps(None, 3, rng=1)
    assert made == ["train-0", "train-1", "train-0", "train-1", "train-2"]


def test_facts_of_a_shard_reach_the_manifest_and_must_agree(place: Place) -> None:
    place.whole()

    def told(job: Job) -> Iterator[Any]:
        job.facts["level"] = 3
        return constant_maps(job)

    WORK["maps"] = told
    facts = Artifact(place.maps(None, 2)).manifest.facts
    assert facts == {"meaning": "regions", "classes": ["cat"], "level": 3}

    def told_otherwise(job: Job) -> Iterator[Any]:
        job.facts["level"] = job.shard
        return constant_maps(job)

    WORK["maps"] = told_otherwise
    with pytest.raises(SeedbedError, match="were made with different parameters, inputs or facts"):
        place.maps(None, 2, rng=1)


def exhausted(job: Job) -> Iterator[tuple[str, Any]]:
    for number, made in enumerate(constant_maps(job)):
        if number == 2:
            raise MemoryError
        yield made


def test_a_stage_that_runs_out_of_memory_names_the_image(place: Place) -> None:
    """Shard 1 of 2 holds c, d and e; the third one is too large."""
    place.whole()
    WORK["maps"] = exhausted
    told = r"image 'e' \(4 × 3, 0\.0 MP\): out of memory; .* set datasets\.toy\.longest in params\.yaml, for .* 2"
    with pytest.raises(SeedbedError, match=told):
        place.maps("train-1", shards=2)
    assert files_of(place.folder / "results/toy/maps2") == set()


def test_a_judge_that_runs_out_of_memory_names_the_image_that_it_read_last(place: Place) -> None:
    def greedy(job: Job) -> bytes:
        for image_id in ("a", "b"):
            job.dataset.image(image_id)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")

    place.whole()
    target = place.maps() / "manifest.json"
    target.with_name("train-0.json").rename(target)
    WORK["score"] = greedy
    with pytest.raises(SeedbedError, match=r"image 'b' \(4 × 3, 0\.0 MP\): out of memory"):
        place.run(SCORE, "score.json", {"index": place.index, "target": target}, split="train", node="maps")


def test_an_image_that_a_stage_names_itself_is_named(place: Place) -> None:
    def second(job: Job) -> Any:
        raise ImageMemoryError("b")

    place.whole()
    WORK["maps"] = second
    with pytest.raises(SeedbedError, match=r"image 'b' \(4 × 3, 0\.0 MP\): out of memory; .*toy\.longest"):
        place.maps("train-0", shards=2)


def test_other_failures_keep_their_words(place: Place) -> None:
    def failing_with(error: Exception) -> Callable[[Job], Any]:
        def fail(job: Job) -> Any:
            raise error

        return fail

    place.whole()
    for error in (RuntimeError("shapes differ"), OSError("disk full")):
        WORK["maps"] = failing_with(error)
        with pytest.raises(type(error), match=str(error)):
            place.maps()
