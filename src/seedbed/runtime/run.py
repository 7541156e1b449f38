"""Running a stage: hold the output, open the inputs, call the function, write the artifact."""

import argparse
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from seedbed.artifacts.artifact import verify
from seedbed.artifacts.atomic import remove_left, write_bytes, writing
from seedbed.artifacts.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    Record,
    content_digest,
    merge_ledgers,
    merge_shards,
    read_manifest,
    sha256_bytes,
)
from seedbed.errors import ImageMemoryError, SeedbedError, is_out_of_memory
from seedbed.runtime.contract import Job, Products, Stage
from seedbed.runtime.gpu import gpu_slot
from seedbed.runtime.locks import output_lock
from seedbed.runtime.log import Log
from seedbed.runtime.memory import out_of_memory, training_out_of_memory
from seedbed.runtime.opening import Opened, open_inputs, refuse_changed_slice
from seedbed.runtime.paths import WORK
from seedbed.runtime.progress_mark import ProgressMark
from seedbed.runtime.quick_imports import without_compiler
from seedbed.runtime.run_facts import cpu_seconds, write_run_facts

Work = Callable[[Job], Any]
WHOLE = "whole"
"""Unit of a command that makes all shards."""


def run_stage(stage: Stage, work: Work, options: argparse.Namespace, log: Log) -> None:
    """Run one stage command: of a sharded stage one shard, or, where none is named, all of them.

    Raises:
        SeedbedError: whatever a user can mend.
    """
    run = _Run(stage, work, options, log)
    if stage.sharded and options.shard is None:
        run.all_shards()
    elif stage.sharded:
        run.one_shard(options.shard)
    elif stage.writes_file:
        run.file(options.output)
    else:
        run.whole()


class _Run:
    """One call of a command."""

    def __init__(self, stage: Stage, work: Work, options: argparse.Namespace, log: Log) -> None:
        self.stage, self.work, self.options, self.log = stage, work, options, log
        self.folder: Path = options.output.parent if stage.writes_file else options.output
        self.made = 0
        """Images of the shard in work that are done."""

    def one_shard(self, shard: str) -> None:
        """Make a shard where it is declared to lie."""
        with self._held(shard):
            self._timed(shard, self._open(), lambda job: self._write_shard(job, self.folder))

    def all_shards(self) -> None:
        """Make all shards and gather them. Until all are there they lie in `.work`, from where a later call goes on."""
        with self._held(WHOLE):
            opened = self._open()
            finished = _work_folder(self.folder, WHOLE, opened.key)
            with ExitStack() as locks:
                for shard in opened.shards:
                    locks.enter_context(output_lock(self.folder, shard))
                for shard in opened.shards:
                    if not _is_finished(finished, shard):
                        self._timed(shard, opened, lambda job: self._write_shard(job, finished))
                (self.folder / MANIFEST).unlink(missing_ok=True)
                sidecars = {}
                for shard in opened.shards:
                    for name in (f"{shard}{self.stage.suffix}", f"{shard}.json"):
                        (finished / name).replace(self.folder / name)
                    sidecars[f"{shard}.json"] = read_manifest(self.folder / f"{shard}.json")
                write_bytes(self.folder / MANIFEST, merge_shards(sidecars).to_bytes())
            shutil.rmtree(finished, ignore_errors=True)

    def whole(self) -> None:
        """Make an artifact that is not sharded."""
        unit = self.stage.name
        with self._held(unit):
            self._timed(unit, self._open(), self._write_whole)

    def file(self, output: Path) -> None:
        """Make the one file of a judge."""
        with self._held(output.name):
            self._timed(output.name, self._open(), lambda job: self._write_file(job, output))

    def _open(self) -> Opened:
        return open_inputs(self.stage, self.options)

    @contextmanager
    def _held(self, unit: str) -> Iterator[None]:
        """Hold the output's lock, and the GPUs."""
        wanted = getattr(self.options, "gpus", 0)
        owner = f"{self.stage.name} {self.options.output}"
        with output_lock(self.folder, unit), gpu_slot(wanted, owner) as self.devices:
            shared = self.stage.writes_file or (self.stage.sharded and unit != WHOLE)
            remove_left(self.folder, f"{unit}." if shared else "")
            yield

    def _timed(self, unit: str, opened: Opened, make: Callable[[Job], None]) -> None:
        started, cpu = time.monotonic(), cpu_seconds()
        self.log.line(f"{self.stage.name} {unit}: starts")
        mark = ProgressMark(self.folder, unit)
        mark.remove()  # a killed job may have left one
        job = self._job(unit, opened, mark)
        try:
            with without_compiler() if self.stage.resources == "inference" else nullcontext():
                make(job)
        except (MemoryError, RuntimeError, OSError) as error:
            if not is_out_of_memory(error):
                raise
            raise self._out_of_memory(job, error) from error
        finally:
            mark.remove()
        shutil.rmtree(job.work, ignore_errors=True)
        seconds = time.monotonic() - started
        write_run_facts(self.folder, unit, job.device, seconds, cpu_seconds() - cpu)
        self.log.line(f"{self.stage.name} {unit}: done in {seconds:.1f} s")

    def _job(self, unit: str, opened: Opened, mark: ProgressMark) -> Job:
        def line(text: str) -> None:
            self.log.line(text)
            mark.line(text)

        shard = unit if self.stage.sharded else ""
        split, members = opened.members(shard) if shard else (str(opened.slice.get("split", "")), ())
        return Job(
            parameters=opened.parameters,
            slice=opened.slice,
            dataset=opened.dataset,
            contents=opened.contents,
            inputs=opened.inputs,
            epochs=opened.slice.get("epochs", {}),
            rng=opened.slice.get("rng", 0),
            split=split,
            shard=shard,
            image_ids=members,
            work=_work_folder(self.folder, unit, opened.key),
            key=opened.key,
            device=_device(self.stage, self.devices, self.log),
            progress=lambda items, total, label: mark.counting(self.log.progress(items, total, label), total),
            log=line,
            ledger=list(opened.ledger),
            facts={},
            classes=self._classes(opened),
            results=opened.results,
        )

    def _classes(self, opened: Opened) -> tuple[str, ...]:
        of_masks = self.stage.makes and self.stage.meaning.of_masks
        found: tuple[str, ...] = opened.dataset.mask_classes if of_masks else opened.dataset.classes
        return found

    def _out_of_memory(self, job: Job, error: BaseException) -> SeedbedError:
        if isinstance(error, ImageMemoryError):
            image_id = error.image_id
        elif self.stage.resources == "training":
            return training_out_of_memory(job.parameters.model_dump())
        else:
            image_id = job.image_ids[self.made] if self.made < len(job.image_ids) else ""
            image_id = image_id or getattr(job.dataset, "last_read", "")
        size = job.dataset.size(image_id) if image_id else None
        return out_of_memory(str(job.slice["dataset"]), image_id, size)

    def _write_shard(self, job: Job, folder: Path) -> None:
        sharding = self.stage.meaning.form.sharding
        assert sharding is not None
        parts: dict[str, Any] = {}
        records = []
        histogram: Any = None
        label = f"{self.stage.name} {job.shard}"
        self.made = 0
        for image_id, payload in job.progress(self.work(job), len(job.image_ids), label):
            digest, parts[image_id] = sharding.encode(payload)
            records.append(Record(split=job.split, image_id=image_id, name="", sha256=digest))
            try:
                counts = sharding.histogram(payload, job.facts) if sharding.histogram else None
            except SeedbedError as error:
                raise SeedbedError(f"{label}, image {image_id!r}: {error}") from None
            if counts is not None:
                histogram = counts if histogram is None else histogram + counts
            self.made += 1
        if tuple(parts) != job.image_ids:
            raise SeedbedError(f"{label}: {len(parts)} of {len(job.image_ids)} images were made")
        data = sharding.pack(parts)
        name = f"{job.shard}{sharding.suffix}"
        manifest = self._manifest(
            job,
            files={name: FileEntry(size=len(data), sha256=sha256_bytes(data))},
            images={job.split: len(records)},
            facts=job.facts,
            records=records,
        )
        (folder / f"{job.shard}.json").unlink(missing_ok=True)
        write_bytes(folder / name, data)
        histograms = None if histogram is None else {job.split: histogram.tolist()}
        sidecar = manifest.model_copy(update={"records": records, "histograms": histograms})
        write_bytes(folder / f"{job.shard}.json", sidecar.to_bytes())

    def _write_file(self, job: Job, output: Path) -> None:
        made = self.work(job)
        refuse_changed_slice(self.options.params, job.slice)
        write_bytes(output, made)

    def _write_whole(self, job: Job) -> None:
        made: Products = self.work(job)
        files = {n: FileEntry(size=len(d), sha256=sha256_bytes(d)) for n, d in made.files.items()}
        records = [Record(split="", image_id="", name=n, sha256=entry.sha256) for n, entry in files.items()]
        manifest = self._manifest(
            job, files=files, images=dict(made.images), facts=job.facts | dict(made.facts), records=records
        )
        (self.folder / MANIFEST).unlink(missing_ok=True)
        for name, data in made.files.items():
            write_bytes(self.folder / name, data)
        write_bytes(self.folder / MANIFEST, manifest.to_bytes())

    def _manifest(
        self,
        job: Job,
        files: dict[str, FileEntry],
        images: dict[str, int],
        facts: dict[str, Any],
        records: list[Record],
    ) -> Manifest:
        refuse_changed_slice(self.options.params, job.slice)
        told = {"meaning": self.stage.makes, "classes": list(job.classes)} if self.stage.makes else {}
        return Manifest(
            stage=self.stage.name,
            stage_version=self.stage.version,
            dataset=str(job.slice["dataset"]),
            parameters=dict(job.slice),
            inputs=dict(job.contents),
            files=files,
            images=images,
            facts=told | facts,
            ledger=merge_ledgers(job.ledger),
            content=content_digest(records),
        )


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


def _is_finished(folder: Path, shard: str) -> bool:
    """Whether a shard in the work folder, whose key is that of its parameters and inputs, is whole."""
    try:
        for name, entry in read_manifest(folder / f"{shard}.json").files.items():
            verify(folder / name, entry)
    except SeedbedError:
        return False
    return True


def _device(stage: Stage, devices: list[str], log: Log) -> str:
    if not stage.gpu:
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
