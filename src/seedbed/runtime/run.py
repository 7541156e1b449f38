"""Running a stage: read the slice, verify the inputs, hold the output, call the function, write the artifact."""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.atomic import write_bytes, writing
from seedbed.artifacts.cams import Cams, encode_cams
from seedbed.artifacts.label_maps import encode_label_map, encode_label_maps
from seedbed.artifacts.manifest import (
    MANIFEST,
    FileEntry,
    LedgerEntry,
    Manifest,
    Record,
    content_digest,
    merge_ledgers,
    sha256_bytes,
    sha256_file,
    to_json,
)
from seedbed.datasets.declaration import DatasetDeclaration
from seedbed.datasets.index import IndexedDataset, parse_index
from seedbed.datasets.table import open_dataset
from seedbed.errors import SeedbedError, unknown_name
from seedbed.runtime.contract import Job, Products, Stage, validate_model
from seedbed.runtime.gpu import gpu_slot
from seedbed.runtime.options import Log, output_lock
from seedbed.runtime.paths import INDEX, MASKS, PARAMS, RESULTS, ROOTS, RUNS, WORK, shard_members, shard_names


def run_stage(stage: Stage, options: argparse.Namespace, log: Log) -> None:
    """Run one stage command.

    Raises:
        SeedbedError: whatever a user can mend.
    """
    started = time.monotonic()
    content = read_slice(options.params, stage)
    parameters = stage.validate(content["parameters"], str(options.params))
    shard = getattr(options, "shard", None) or ""
    folder = options.output.parent if stage.writes_file else options.output
    unit = shard or (options.output.name if stage.writes_file else stage.name)
    log.line(f"{stage.name} {unit}: starts")
    with (
        output_lock(folder, unit),
        gpu_slot(getattr(options, "gpus", 0), f"{stage.name} {options.output}") as devices,
    ):
        index = Artifact(options.index) if stage.reads_index else None
        inputs = {name: _open_input(getattr(options, name)) for name in stage.inputs}
        contents = _contents(stage, index, inputs, options)
        key = sha256_bytes(to_json([content, contents]))
        split, members = _members(content, shard, parameters, index)
        sources = [a for a in (index, *inputs.values()) if a is not None]
        job = Job(
            parameters=parameters,
            slice=content,
            dataset=_dataset(content, index, options),
            contents=contents,
            inputs=inputs,
            epochs=content.get("epochs", {}),
            rng=content.get("rng", 0),
            split=split,
            shard=shard,
            image_ids=members,
            work=_work_folder(folder, unit, key),
            key=key,
            device=_device(stage, devices, log),
            progress=log.progress,
            log=log.line,
            ledger=merge_ledgers(*(a.manifest.ledger for a in sources), _inherited(stage, content)),
            results=_results_folder(options.params),
        )
        head = Manifest(
            stage=stage.name,
            stage_version=stage.version,
            dataset=content["dataset"],
            parameters=content,
            inputs=contents,
            files={},
            images={},
            facts={},
            ledger=[],
            content="",
        )
        made = stage.load()(job)
        if stage.writes_file:
            write_bytes(options.output, made)
        elif stage.sharded:
            _write_shard(folder, stage, job, made, head)
        else:
            _write_whole(folder, made, head, job.ledger)
        shutil.rmtree(job.work, ignore_errors=True)
        _write_run_facts(folder, unit, job.device, time.monotonic() - started)
    log.line(f"{stage.name} {unit}: done in {time.monotonic() - started:.1f} s")


def read_slice(path: Path, stage: Stage | None = None) -> dict[str, Any]:
    """The slice at `path`, checked to be one of this stage and version.

    Raises:
        SeedbedError: missing, unreadable, or another stage's or version's.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SeedbedError(
            f"expected the stage's slice at {path}, found none; `seedbed plan` writes the slices"
        ) from None
    except (OSError, ValueError) as error:
        raise SeedbedError(
            f"{path} is no readable slice ({error}); `seedbed plan` writes the slices"
        ) from None
    keys = ["stage", "stage_version", "dataset", "parameters"]
    keys += ["shards"] if stage is not None and stage.sharded else []
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise SeedbedError(f"{path}: expected keys {', '.join(keys)}; `seedbed plan` writes the slices")
    if stage is not None and (content["stage"], content["stage_version"]) != (stage.name, stage.version):
        raise SeedbedError(
            f"{path} is for stage {content['stage']} version {content['stage_version']}, this is {stage.name} version "
            f"{stage.version}; `seedbed plan` writes the slices"
        )
    return content


def _open_input(path: Path | None) -> Artifact | None:
    return None if path is None or path.name == MASKS else Artifact(path)


def _contents(
    stage: Stage, index: Artifact | None, inputs: Mapping[str, Artifact | None], options: argparse.Namespace
) -> dict[str, list[str]]:
    """Digests of all that the stage reads; masks count by the file of their checksums beside the index."""
    if index is None:
        return {}
    contents = {"index": [index.manifest.content]}
    contents |= {name: [a.manifest.content] for name, a in inputs.items() if a is not None}
    truth = [name for name, a in inputs.items() if a is None and getattr(options, name) is not None]
    for name in [*truth, *(["masks"] if stage.reads_masks else [])]:
        contents[name] = [sha256_file(index.folder / MASKS)]
    return contents


def _members(
    content: Mapping[str, Any], shard: str, parameters: Any, index: Artifact | None
) -> tuple[str, tuple[str, ...]]:
    if not shard:
        return str(content.get("split", "")), ()
    known = shard_names(parameters.splits, content["shards"])
    if shard not in known:
        raise SeedbedError(unknown_name("shard", shard, known))
    assert index is not None
    split, _, number = shard.rpartition("-")
    ids = parse_index(index.file(INDEX).read_text()).splits.get(split, ())
    return split, shard_members(ids, int(number), content["shards"])


def _dataset(content: Mapping[str, Any], index: Artifact | None, options: argparse.Namespace) -> Any:
    name = content["dataset"]
    declared = content["parameters"] if index is None else index.manifest.parameters["parameters"]
    declaration = validate_model(DatasetDeclaration, declared, f"data set {name}")
    root = options.data_root or _declared_root(options.params, name)
    dataset = open_dataset(name, declaration, root)
    if index is None:
        return dataset
    return IndexedDataset(dataset, parse_index(index.file(INDEX).read_text()))


def _declared_root(params: Path, dataset: str) -> str | None:
    roots = _results_folder(params) / PARAMS / ROOTS
    declared: str | None = json.loads(roots.read_text()).get(dataset) if roots.exists() else None
    return declared


def _results_folder(params: Path) -> Path:
    """The folder that holds `.params`, where the slice lies in it; else `results`."""
    for parent in params.resolve().parents:
        if parent.name == PARAMS:
            return parent.parent
    return RESULTS


def _work_folder(folder: Path, unit: str, key: str) -> Path:
    """The folder for checkpoints; partial work of other parameters or inputs is wiped first."""
    work = folder / WORK / unit
    owner = work / "key"
    with writing(work):
        if work.exists() and (not owner.exists() or owner.read_text() != key):
            shutil.rmtree(work)
        work.mkdir(parents=True, exist_ok=True)
        owner.write_text(key)
    return work


def _device(stage: Stage, devices: list[str], log: Log) -> str:
    if stage.unit == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if devices:
        raise SeedbedError(
            f"GPU {','.join(devices)} was taken, but torch sees none; check the driver and the torch build"
        )
    log.line("no GPU: running on the CPU")
    return "cpu"


def _inherited(stage: Stage, content: Mapping[str, Any]) -> list[LedgerEntry]:
    return [
        LedgerEntry.model_validate({"use": use, "stage": stage.name, "note": f"inherited: {note}"})
        for use, note in content.get("inherited", {}).items()
    ]


def _encode_record(payload: Cams | np.ndarray) -> tuple[str, Any]:
    if isinstance(payload, Cams):
        return payload.digest(), payload
    png = encode_label_map(payload)
    return sha256_bytes(png), png


def _write_shard(
    folder: Path, stage: Stage, job: Job, made: Iterator[tuple[str, Any]], head: Manifest
) -> None:
    payloads: dict[str, Any] = {}
    records = []
    for image_id, payload in job.progress(made, len(job.image_ids), f"{stage.name} {job.shard}"):
        digest, payloads[image_id] = _encode_record(payload)
        records.append(Record(split=job.split, image_id=image_id, name="", sha256=digest))
    if tuple(payloads) != job.image_ids:
        raise SeedbedError(
            f"{stage.name} {job.shard}: {len(payloads)} of {len(job.image_ids)} images were made"
        )
    data = encode_cams(payloads) if stage.suffix == ".safetensors" else encode_label_maps(payloads)
    name = f"{job.shard}{stage.suffix}"
    sidecar = head.model_copy(
        update={
            "files": {name: FileEntry(size=len(data), sha256=sha256_bytes(data))},
            "images": {job.split: len(records)},
            "ledger": merge_ledgers(job.ledger),
            "content": content_digest(records),
            "records": records,
        }
    )
    (folder / f"{job.shard}.json").unlink(missing_ok=True)
    write_bytes(folder / name, data)
    write_bytes(folder / f"{job.shard}.json", sidecar.to_bytes())


def _write_whole(folder: Path, made: Products, head: Manifest, ledger: list[LedgerEntry]) -> None:
    files = {name: FileEntry(size=len(data), sha256=sha256_bytes(data)) for name, data in made.files.items()}
    records = [Record(split="", image_id="", name=name, sha256=entry.sha256) for name, entry in files.items()]
    manifest = head.model_copy(
        update={
            "files": files,
            "images": dict(made.images),
            "facts": dict(made.facts),
            "ledger": merge_ledgers(ledger),
            "content": content_digest(records),
        }
    )
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, data in {**made.files, **made.beside}.items():
        write_bytes(folder / name, data)
    write_bytes(folder / MANIFEST, manifest.to_bytes())


def _write_run_facts(folder: Path, unit: str, device: str, seconds: float) -> None:
    """`.runs/UNIT.json`: what varies between equal runs; not an output."""
    versions = {name: _version(name) for name in ("seedbed", "torch", "timm", "numpy", "pillow")}
    facts = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "commit": _commit(),
        "cpu": platform.processor() or platform.machine(),
        "device": device,
        "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "") if device == "cuda" else "",
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "python": platform.python_version(),
        "seconds": round(seconds, 3),
        "versions": versions,
    }
    write_bytes(folder / RUNS / f"{unit.removesuffix('.json')}.json", to_json(facts))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        shown = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return shown.stdout.strip() or None if shown.returncode == 0 else None
