"""What a stage command reads before it works: its slice, the index and the inputs, verified, and the data set."""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from seedbed.artifacts.artifact import Artifact
from seedbed.artifacts.manifest import GroundTruthUse, LedgerEntry, merge_ledgers, sha256_bytes, to_json
from seedbed.artifacts.meanings import TRUE_MASKS
from seedbed.datasets.declaration import DatasetDeclaration
from seedbed.datasets.index import IndexedDataset, read_index
from seedbed.datasets.mask_sums import masks_digest, masks_rows
from seedbed.datasets.table import open_dataset
from seedbed.errors import SeedbedError, unknown_name
from seedbed.methods.table import other_meanings
from seedbed.names import DATASET
from seedbed.regular_files import read_regular, system_reason
from seedbed.runtime.contract import Stage, TrueMasks
from seedbed.runtime.paths import (
    INDEX,
    MASKS,
    PARAMS,
    RESULTS,
    ROOTS,
    shard_members,
    shard_names,
)
from seedbed.validation import validate_model

ADVICE = "`seedbed plan` writes the slices"


@dataclass(frozen=True)
class Opened:
    """Everything that a command was given.

    Attributes:
        slice: contents of `--params`.
        inputs: by name; one that is not given is absent.
        contents: digests of everything that the stage reads.
        results: folder of all results.
    """

    slice: Mapping[str, Any]
    parameters: Any
    index: Artifact | None
    inputs: Mapping[str, Artifact | TrueMasks]
    contents: Mapping[str, list[str]]
    dataset: Any
    ledger: list[LedgerEntry]
    results: Path

    @property
    def key(self) -> str:
        """Digest of parameters and inputs: what partial work must belong to."""
        return sha256_bytes(to_json([self.slice, self.contents]))

    @property
    def shards(self) -> tuple[str, ...]:
        """Names of all shards of a sharded stage."""
        return shard_names(self.parameters.splits, self.slice["shards"])

    def members(self, shard: str) -> tuple[str, tuple[str, ...]]:
        """Split and images of a shard.

        Raises:
            SeedbedError: the slice has no such shard.
        """
        if shard not in self.shards:
            raise SeedbedError(unknown_name("shard", shard, self.shards))
        assert self.index is not None
        split, _, number = shard.rpartition("-")
        ids = read_index(self.index.file(INDEX)).splits.get(split, ())
        return split, shard_members(ids, int(number), self.slice["shards"])


def open_inputs(stage: Stage, options: argparse.Namespace) -> Opened:
    """Read and verify what the options of a command name.

    Raises:
        SeedbedError: a file is missing or disagrees with its manifest, or an input has the wrong meaning.
    """
    content = read_slice(options.params, stage)
    parameters = stage.validate(content["parameters"], str(options.params))
    index = Artifact(options.index) if stage.reads_index else None
    paths = {name: getattr(options, name) for name in stage.inputs}
    inputs = {name: _open(stage, name, path) for name, path in paths.items() if path is not None}
    artifacts = [a for a in (index, *inputs.values()) if isinstance(a, Artifact)]
    reads_masks = stage.reads_masks or any(isinstance(source, TrueMasks) for source in inputs.values())
    return Opened(
        slice=content,
        parameters=parameters,
        index=index,
        inputs=inputs,
        contents=_contents(stage, index, inputs),
        dataset=_dataset(content, index, options, reads_masks),
        ledger=merge_ledgers(*(a.manifest.ledger for a in artifacts), _inherited(stage, content)),
        results=_results_folder(options.params),
    )


def read_slice(path: Path, stage: Stage | None = None) -> dict[str, Any]:
    """The slice at `path`, checked to be one of this stage and version.

    Raises:
        SeedbedError: it is missing, unreadable, or for another stage or version.
    """
    try:
        content = json.loads(read_regular(path))
    except FileNotFoundError:
        raise SeedbedError(f"expected the stage's slice at {path}, found none; {ADVICE}") from None
    except OSError as error:
        raise SeedbedError(f"{path} is not a readable slice ({system_reason(error)}); {ADVICE}") from None
    except (ValueError, RecursionError) as error:
        raise SeedbedError(f"{path} is not a readable slice ({error}); {ADVICE}") from None
    keys = ["stage", "stage_version", "dataset", "parameters"]
    keys += ["shards"] if stage is not None and stage.sharded else []
    if not isinstance(content, dict) or not set(keys) <= set(content):
        raise SeedbedError(f"{path}: expected keys {', '.join(keys)}; {ADVICE}")
    if stage is not None and (content["stage"], content["stage_version"]) != (stage.name, stage.version):
        raise SeedbedError(
            f"{path} is for stage {content['stage']} version {content['stage_version']}, but this is {stage.name} "
            f"version {stage.version}; {ADVICE}"
        )
    try:
        _SliceHead.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise SeedbedError(f"{path}: {key}: {problem['msg']}; {ADVICE}") from None
    return content


class _SliceHead(BaseModel):
    """What a slice says besides the parameters, which their own model checks."""

    stage: str
    stage_version: int
    dataset: str = Field(pattern=f"^{DATASET.pattern}$")
    parameters: dict[str, Any]
    shards: int = Field(default=1, ge=1, le=4096)
    rng: int = Field(default=0, ge=0)
    split: str = ""
    epochs: dict[str, int] = {}
    inherited: dict[GroundTruthUse, str] = {}


def refuse_changed_slice(path: Path, started_with: Mapping[str, Any]) -> None:
    """Refuse to finish if the slice on disk is another one by now: the younger result would pass for its own.

    Raises:
        SeedbedError: the slice at `path` is not `started_with`.
    """
    if read_slice(path) != started_with:
        raise SeedbedError(f"{path}: the slice changed while the stage ran; run again")


def _open(stage: Stage, name: str, path: Path) -> Artifact | TrueMasks:
    spec = stage.inputs[name]
    if path.name == MASKS:
        if TRUE_MASKS not in spec.takes:
            raise SeedbedError(f"--{name} takes {' or '.join(spec.takes)}, got the true masks")
        return TrueMasks()
    artifact = Artifact(path)
    meaning = artifact.meaning
    if not {meaning.name, meaning.form.name, *other_meanings(artifact.manifest.facts)} & set(spec.takes):
        raise SeedbedError(
            f"--{name} takes {' or '.join(spec.takes)}, but {path} is {artifact.meaning.name}; name another artifact"
        )
    return artifact


def _contents(
    stage: Stage, index: Artifact | None, inputs: Mapping[str, Artifact | TrueMasks]
) -> dict[str, list[str]]:
    """Digests of everything that the stage reads; for masks, the file of their checksums beside the index."""
    if index is None:
        return {}
    masks = [name for name, source in inputs.items() if isinstance(source, TrueMasks)]
    contents = {"index": [index.manifest.content]}
    contents |= {n: [a.manifest.as_input] for n, a in inputs.items() if isinstance(a, Artifact)}
    for name in (*masks, *(["masks"] if stage.reads_masks else [])):
        contents[name] = [masks_digest(index.folder / MASKS)]
    return contents


def _dataset(
    content: Mapping[str, Any], index: Artifact | None, options: argparse.Namespace, reads_masks: bool
) -> Any:
    name = content["dataset"]
    declared = content["parameters"] if index is None else index.manifest.parameters["parameters"]
    declaration = validate_model(DatasetDeclaration, declared, f"data set {name}")
    root = options.data_root or _declared_root(_results_folder(options.params), name)
    dataset = open_dataset(name, declaration, root)
    if index is None:
        return dataset
    rows = masks_rows(index.folder / MASKS) if reads_masks else None
    masks = None if rows is None else {image_id: sha256 for image_id, _, sha256 in rows}
    return IndexedDataset(dataset, read_index(index.file(INDEX)), masks)


def open_indexed(manifest: Path, data_root: Path | None = None) -> IndexedDataset:
    """The data set behind an index of `results/<dataset>/index`.

    Args:
        manifest: of the index.
        data_root: its folder on this machine; by default what params.yaml declared when the slices were written.

    Raises:
        SeedbedError: the index or the data set cannot be read, or they differ.
    """
    index = Artifact(manifest)
    name = index.manifest.dataset
    declared = index.manifest.parameters["parameters"]
    declaration = validate_model(DatasetDeclaration, declared, f"data set {name}")
    root = data_root or _declared_root(index.folder.parent.parent, name)
    return IndexedDataset(open_dataset(name, declaration, root), read_index(index.file(INDEX)))


def _declared_root(results: Path, dataset: str) -> str | None:
    roots = results / PARAMS / ROOTS
    if not os.path.lexists(roots):
        return None
    try:
        content = json.loads(read_regular(roots))
        declared = content.get(dataset)
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        reason = system_reason(error) if isinstance(error, OSError) else "expected JSON: roots by data set"
        raise SeedbedError(f"{roots} is not readable ({reason}); {ADVICE}") from None
    if declared is not None and not isinstance(declared, str):
        raise SeedbedError(f"{roots}: expected the root of {dataset} as text, got {declared!r}; {ADVICE}")
    return declared


def _results_folder(params: Path) -> Path:
    """The folder that holds `.params` if the slice is in it; otherwise `results`."""
    for parent in params.resolve().parents:
        if parent.name == PARAMS:
            return parent.parent
    return RESULTS


def _inherited(stage: Stage, content: Mapping[str, Any]) -> list[LedgerEntry]:
    return [
        LedgerEntry.model_validate({"use": use, "stage": stage.name, "note": f"inherited: {note}"})
        for use, note in content.get("inherited", {}).items()
    ]
