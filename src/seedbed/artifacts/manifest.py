"""What an artifact says of itself: a manifest without times, hosts or absolute paths, so equal work gives equal bytes.

A sharded stage writes one sidecar per shard (`train-0.json`) beside the shard's data file; a gather step merges the
sidecars into `manifest.json`. `content` is a digest over the sorted records and does not depend on sharding. `digest`
is that of the manifest itself, whose facts decide what is computed from the data as much as the data do.
"""

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from seedbed.errors import SeedbedError
from seedbed.names import DATASET, SPLIT
from seedbed.regular_files import open_regular, read_regular, system_reason

SCHEMA_VERSION: Literal[2] = 2
MANIFEST = "manifest.json"
NORMALISATION = "normalisation"
"""Key in a manifest's facts: how maps become scores in [0, 1], a name in `seedbed.cam.normalisation`."""
DIGEST = "digest"
"""Key under which a JSON file holds the SHA-256 of the JSON of everything else in it."""

M = TypeVar("M", bound=BaseModel)

_SAME_IN_ALL_SHARDS = ("stage", "parameters", "inputs", "facts")

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][^/\\\x00-\x1f]*$")]
"""A file beside the manifest, never one elsewhere."""
SplitName = Annotated[str, StringConstraints(pattern=f"^{SPLIT.pattern}$")]
Count = Annotated[int, Field(ge=0)]

GroundTruthUse = Literal["threshold", "epoch", "training"]

TRAINED_ON_TRUE_MASKS = "trained on the true masks"
"""Note of the ledger's entry where a training read the data set's true masks."""


class LedgerEntry(BaseModel):
    """One use of pixel ground truth on the way to an artifact; an empty ledger means that nothing was used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    use: GroundTruthUse
    stage: str
    note: str


class FileEntry(BaseModel):
    """A file of an artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Record(BaseModel):
    """One image's part of a sharded artifact, or one file of a whole one (then `split` and `image_id` are empty)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    split: str
    image_id: str
    name: str
    sha256: str


class Manifest(BaseModel):
    """The contents of `manifest.json`, and, with `records`, of a shard's sidecar."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[2] = SCHEMA_VERSION
    stage: str
    stage_version: int
    dataset: str = Field(pattern=f"^{DATASET.pattern}$")
    parameters: dict[str, Any]
    """The slice that the stage read, whole."""
    inputs: dict[str, list[str]]
    """Digests of each input (`as_input`)."""
    files: dict[FileName, FileEntry]
    images: dict[SplitName, Count]
    """Number of images by split; empty for models."""
    facts: dict[str, Any]
    """What a consumer or a reader wants to know, by stage: classes, provenance of initial weights, scales."""
    ledger: list[LedgerEntry]
    content: str
    records: list[Record] | None = None
    histograms: dict[SplitName, list[Count]] | None = None
    """Of the largest score at each pixel of the images with a class, by split (`seedbed.cam.otsu`); CAMs alone."""

    @property
    def as_input(self) -> str:
        """What a stage that reads the artifact records of it: its content, and how its maps become scores."""
        form = self.facts.get(NORMALISATION)
        return self.content if form is None else sha256_bytes(f"{self.content} {form}".encode())

    def to_bytes(self) -> bytes:
        """JSON with sorted keys and a digest of itself, one trailing newline."""
        return json_with_digest(self.model_dump(exclude_none=True))


def to_json(value: Any) -> bytes:
    """Deterministic JSON: sorted keys, two spaces, no NaN, one trailing newline."""
    return (json.dumps(value, sort_keys=True, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def json_with_digest(content: Mapping[str, Any]) -> bytes:
    """Deterministic JSON of `content`, and under `digest` the SHA-256 of the JSON of everything else."""
    plain = json.loads(to_json({key: value for key, value in content.items() if key != DIGEST}))
    return to_json(plain | {DIGEST: sha256_bytes(to_json(plain))})


def read_with_digest(path: Path, model: type[M], noun: str) -> M:
    """Read what `json_with_digest` wrote.

    Args:
        path: of the file.
        model: of its content.
        noun: what the file is, for messages.

    Raises:
        SeedbedError: there is none, it is not byte by byte what was written, or it does not fit the model.
    """
    try:
        raw = read_regular(path)
    except FileNotFoundError:
        raise SeedbedError(
            f"expected a {noun} at {path}, found none; run the stage that makes it first"
        ) from None
    except OSError as error:
        raise SeedbedError(f"cannot read {path} ({system_reason(error)}); {run_again(path)}") from error

    def unreadable(why: object) -> SeedbedError:
        return SeedbedError(
            f"{path} is not a {noun} that this version reads ({str(why)[:200]}); {run_again(path)}"
        )

    try:
        content = json.loads(raw)
        if not isinstance(content, dict):
            raise ValueError("expected a JSON object")
        unchanged = json_with_digest(content) == raw
    except (ValueError, RecursionError) as error:
        raise unreadable(error) from None
    if content.pop(DIGEST, None) is None:
        raise SeedbedError(f"{path} was made by an older version; {run_again(path)}")
    if not unchanged:
        raise SeedbedError(f"{path} was changed: its own digest does not match; {run_again(path)}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the whole file"
        raise unreadable(f"{where}: {problem['msg']}") from None


def run_again(path: Path) -> str:
    """The advice for a file that is not what its stage wrote: without it, both engines run the stage."""
    remove = "rm -r" if path.is_dir() and not path.is_symlink() else "rm"
    return f"run its stage again: `{remove} {shlex.quote(str(path))}`, then the same run"


def read_manifest(path: Path) -> Manifest:
    """Read a manifest or a shard's sidecar.

    Raises:
        SeedbedError: there is none, it was changed, or it is not one that this version can read.
    """
    return read_with_digest(path, Manifest, "manifest")


def classes_of(facts: Mapping[str, Any], where: Path) -> list[str]:
    """The classes that a manifest's facts name.

    Raises:
        SeedbedError: there are none, or they are not a list of names.
    """
    found = facts.get("classes")
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise SeedbedError(f"{where}: its manifest names no classes; run its stage again")
    return found


def sha256_bytes(content: bytes | memoryview) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, as `sha256sum` prints it."""
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_digest(records: Iterable[Record]) -> str:
    """Digest over the records in sorted order: the same for 1 shard and for 64."""
    lines = sorted("\0".join((r.split, r.image_id, r.name, r.sha256)) for r in records)
    return sha256_bytes("\n".join(lines).encode())


def merge_ledgers(*ledgers: Iterable[LedgerEntry]) -> list[LedgerEntry]:
    """Union of ledgers, sorted, each entry once: a ledger is inherited downstream."""
    entries = {(e.use, e.stage, e.note): e for ledger in ledgers for e in ledger}
    return [entries[key] for key in sorted(entries)]


def merge_shards(sidecars: Mapping[str, Manifest]) -> Manifest:
    """One manifest from the sidecars of all shards of an artifact.

    Args:
        sidecars: by file name of the sidecar.

    Raises:
        SeedbedError: the shards were made with different parameters or inputs, or hold an image twice.
    """
    name, first = next(iter(sidecars.items()))
    records: list[Record] = []
    files: dict[str, FileEntry] = {}
    images: dict[str, int] = {}
    histograms: dict[str, list[int]] = {}
    for other, sidecar in sidecars.items():
        if any(getattr(sidecar, part) != getattr(first, part) for part in _SAME_IN_ALL_SHARDS):
            raise SeedbedError(
                f"shards {name} and {other} were made with different parameters, inputs or facts; "
                "run the older one again"
            )
        records += sidecar.records or []
        files |= sidecar.files
        for split, count in sidecar.images.items():
            images[split] = images.get(split, 0) + count
        for split, counts in (sidecar.histograms or {}).items():
            histograms[split] = [
                a + b for a, b in zip(histograms.get(split, [0] * len(counts)), counts, strict=True)
            ]
    times_made = Counter((r.split, r.image_id, r.name) for r in records)
    for split, image_id, _ in (key for key, times in times_made.items() if times > 1):
        raise SeedbedError(
            f"image {image_id!r} of split {split} is in two shards; run all shards of this stage again"
        )
    return first.model_copy(
        update={
            "files": files,
            "images": images,
            "records": None,
            "histograms": histograms or None,
            "ledger": merge_ledgers(*(s.ledger for s in sidecars.values())),
            "content": content_digest(records),
        }
    )
