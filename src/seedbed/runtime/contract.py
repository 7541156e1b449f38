"""The contract of a stage: one command that reads artifacts and a parameter file and writes one artifact.

A stage module holds a parameter model, a `Stage` and the function that does the work. The model and the `Stage` import
neither torch nor timm (planning must be quick); the function imports what it needs when it is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seedbed.artifacts.manifest import LedgerEntry
from seedbed.errors import SeedbedError, unknown_name
from seedbed.runtime.paths import RESULTS

if TYPE_CHECKING:
    from seedbed.artifacts.artifact import Artifact
    from seedbed.datasets.index import IndexedDataset

M = TypeVar("M", bound=BaseModel)
Kind = Literal["classifier", "cams", "label_maps", "affinitynet", "segmenter", "masks"]
ScoreKind = Literal["classification", "cam", "regions", "refined_cam", "pseudo_mask", "prediction"]


class Parameters(BaseModel):
    """Base of every stage's parameter model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    torch_threads: int = Field(
        default=1, ge=1, description="threads of one job; results depend on it, so it is set here"
    )

    REGIONS: ClassVar[bool] = False
    """Whether the stage reads the regions axis; a model may override `uses_regions` instead."""

    def uses_regions(self) -> bool:
        """Whether a node with these parameters depends on the regions axis itself."""
        return self.REGIONS

    def needed_inputs(self) -> tuple[str, ...]:
        """Optional inputs of the stage that these parameters cannot do without."""
        return ()

    def slice(self) -> dict[str, Any]:
        """The values that differ from the model's defaults, as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ShardedParameters(Parameters):
    """Base of stages that write one file a shard."""

    splits: tuple[str, ...] = Field(default=("train",), description="splits of the data set to process")


@dataclass(frozen=True)
class Input:
    """A typed input of a stage: which kinds of artifact it takes."""

    kinds: tuple[Kind, ...]
    required: bool = True
    all_shards: bool = False
    """Whether the stage reads the whole artifact; else a sharded stage reads only the shard of its own number."""


@dataclass
class Job:
    """What the stage command hands to a stage's function."""

    parameters: Any
    slice: Mapping[str, Any]
    dataset: IndexedDataset
    contents: Mapping[str, list[str]]
    """Digests of the contents of the index and of each input."""
    inputs: Mapping[str, Artifact | None]
    """By name; None where an optional input is not given, and for the true masks (`labels: masks`)."""
    epochs: Mapping[str, int]
    """Kept epoch asked for, by input (`classifier@epoch30`)."""
    rng: int
    split: str
    shard: str
    image_ids: tuple[str, ...]
    """Images of this shard, in the data set's order; empty for whole stages."""
    work: Path
    """Folder for checkpoints; wiped when it belongs to other parameters or inputs."""
    key: str
    """Digest of parameters and inputs: what `work` must belong to."""
    device: str
    progress: Callable[[Iterable[Any], int, str], Iterator[Any]]
    log: Callable[[str], None]
    ledger: list[LedgerEntry]
    """Uses of pixel ground truth so far; a stage that reads masks appends its own."""
    results: Path = RESULTS
    """Folder of all results, for the report; a fact of the machine, which no manifest takes up."""


@dataclass(frozen=True)
class Products:
    """What a whole stage made: contents by file name."""

    files: Mapping[str, bytes]
    images: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, bytes] = field(default_factory=dict)
    """Files written beside the artifact that are not part of it (true masks' checksums beside the index)."""


@dataclass(frozen=True)
class Stage:
    """One entry of the registry.

    Attributes:
        name: also the name of the rule, of the script and of the `stage:` in recipes.
        version: raised whenever a default changes or the stage's meaning does, so that old results become stale.
        kind: what it makes.
        score: how `evaluate` scores what it makes.
        parameters: the model, from the raw parameters (a method may add its own).
        inputs: by name; the names are the command's options.
        function: "module:function", loaded when the stage runs.
        unit: whether a job wants a GPU.
        random: whether the rng axis enters here.
        files: what a whole stage writes beside the manifest; empty for sharded stages.
        suffix: ending of a sharded stage's files; empty for whole stages.
    """

    name: str
    version: int
    summary: str
    kind: Kind
    parameters: Callable[[Mapping[str, Any]], type[Parameters]]
    inputs: Mapping[str, Input]
    function: str
    unit: Literal["gpu", "cpu"] = "cpu"
    random: bool = False
    score: ScoreKind | None = None
    files: tuple[str, ...] = ()
    suffix: str = ""
    node: bool = True
    """Whether recipes may have nodes of it; the plan places the others (index, scores, report) itself."""
    reads_index: bool = True
    reads_masks: bool = False
    """Whether the stage reads true masks whatever its inputs are: the two that judge, and the report."""
    writes_file: bool = False
    """Whether `--output` is one file that says everything of itself, instead of a folder with a manifest."""

    @property
    def sharded(self) -> bool:
        """Whether the stage writes one file a shard."""
        return bool(self.suffix)

    def validate(self, raw: Mapping[str, Any], where: str) -> Parameters:
        """Parameters of the stage.

        Args:
            raw: the values given; the others take the model's defaults.
            where: what to name in an error, for instance "recipe psa, node cams".

        Raises:
            SeedbedError: an unknown key or a wrong value, in one line.
        """
        where = f"{where} (stage {self.name})"
        try:
            model = self.parameters(raw)
        except SeedbedError as error:
            raise SeedbedError(f"{where}: {error}") from error
        return validate_model(model, raw, where)

    def load(self) -> Callable[..., Any]:
        """The function that does the work."""
        module, _, name = self.function.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function


def validate_model(model: type[M], raw: Mapping[str, Any], where: str) -> M:
    """An instance of a pydantic model; all that is wrong with `raw` in one line.

    Raises:
        SeedbedError: naming the key, what was expected and what came.
    """
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        raise SeedbedError(f"{where}: " + "; ".join(_problem(model, p) for p in error.errors())) from None


def _problem(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if problem["type"] == "extra_forbidden":
        *above, key = location
        prefix = f"{'.'.join(above)}: " if above else ""
        return prefix + unknown_name("key", key, _known_keys(model, above))
    message = problem["msg"].removeprefix("Value error, ")
    came = f", got {problem['input']!r}" if problem["type"] not in ("missing", "value_error") else ""
    return f"{'.'.join(location)}: {message}{came}" if location else message


def _known_keys(annotation: Any, location: Sequence[str]) -> list[str]:
    """Keys that a model has at a location inside it; none where the location leads to no model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
        return _known_keys(fields.get(location[0]), location[1:]) if location else list(fields)
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return next((keys for choice in arguments if (keys := _known_keys(choice, location))), [])
    if location and get_origin(annotation) is dict:
        return _known_keys(arguments[1], location[1:])
    return []
