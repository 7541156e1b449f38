"""The file of a judge: what it says of itself, and what it found. Written and read here only."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from typing_extensions import TypedDict

from seedbed.artifacts.manifest import LedgerEntry, json_with_digest, read_with_digest, run_again
from seedbed.datasets.declaration import SplitName
from seedbed.errors import SeedbedError
from seedbed.metrics.image_counts import unpack
from seedbed.names import NODE
from seedbed.runtime.contract import Job, Stage

if TYPE_CHECKING:
    from scipy.sparse import csr_array

NodeName = Annotated[str, StringConstraints(pattern=f"^{NODE.pattern}$")]
Fraction = Annotated[float, Field(ge=0, le=1)]


class _Point(TypedDict):
    threshold: Fraction
    mean_iou: Fraction | None
    over_activation: NotRequired[Fraction | None]
    under_activation: NotRequired[Fraction | None]


class _Packed(TypedDict):
    images: Annotated[int, Field(ge=0)]
    packed: str


_SHAPES: dict[str, TypeAdapter[Any]] = {
    "best": TypeAdapter(_Point),
    "curve": TypeAdapter(list[_Point]),
    "counts": TypeAdapter(list[list[Annotated[int, Field(ge=0)]]]),
    "classes": TypeAdapter(list[str]),
    "image_counts": TypeAdapter(_Packed),
}
_PER_CLASS: TypeAdapter[Any] = TypeAdapter(dict[str, dict[str, float | None]])
"""What those that read a judge's file count on, where it has the key."""

HEADLINES = ("mean_iou", "mean_average_precision")
"""The one number of a judgement is the first of these that its scores have.
Scores whose names begin so lie in [0, 1], or are null where nothing defines them."""


class JudgementFile(BaseModel):
    """What every judge's file holds; a judge adds what else it tells (`best`, `curve`, `counts`, …)."""

    model_config = ConfigDict(frozen=True, extra="allow")

    stage: str
    stage_version: int
    dataset: str
    node: NodeName
    split: SplitName
    kind: NodeName
    """Of the scores: `cam`, `prediction`, `threshold_quality`, …."""
    parameters: dict[str, Any]
    """The slice that the judge read, whole."""
    inputs: dict[str, list[str]]
    """Digests of the contents that it was made from."""
    ledger: list[LedgerEntry]
    scores: dict[str, Any] = Field(min_length=1)

    @model_validator(mode="after")
    def _with_fractions(self) -> "JudgementFile":
        _check_fractions({"scores": self.scores, **(self.model_extra or {})}, "")
        for key, shape in _SHAPES.items():
            if key in (self.model_extra or {}):
                try:
                    shape.validate_python((self.model_extra or {})[key])
                except ValidationError as error:
                    raise ValueError(f"{key}: {error.errors()[0]['msg']}") from None
        for name in HEADLINES:
            if not isinstance(self.scores.get(name), int | float | None):
                raise ValueError(f"expected one number {name}, got {self.scores[name]!r}")
        try:
            _PER_CLASS.validate_python(self.scores.get("per_class", {}))
        except ValidationError as error:
            raise ValueError(f"per_class: {error.errors()[0]['msg']}") from None
        counts = (self.model_extra or {}).get("counts", [])
        if any(len(row) != len(counts) + 1 for row in counts):
            raise ValueError(f"expected counts of one shape, got rows of {[len(row) for row in counts]}")
        images = self.image_counts
        if images is not None and images.sum(axis=0).tolist() != [cell for row in counts for cell in row]:
            raise ValueError("the counts per image do not add up to the counts")
        return self

    @property
    def image_counts(self) -> "csr_array | None":
        """The counts of each image, flat (`seedbed.metrics.image_counts.unpack`); None where the file has none."""
        told = self.model_extra or {}
        if "image_counts" not in told:
            return None
        return unpack(
            told["image_counts"]["packed"], told["image_counts"]["images"], len(told.get("counts", []))
        )

    @property
    def content(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return self.model_dump(mode="json")


def judgement_json(stage: Stage, job: Job, kind: str, result: Mapping[str, Any]) -> bytes:
    """The file of a judge: stage, node, split, kind, parameters, digests of the inputs, ledger, and the result.

    Args:
        kind: of the scores, for readers: `cam`, `prediction`, `threshold_quality`, ….
        result: `scores` and what else the judge tells.

    Raises:
        ValueError: a score is not finite, or not in its range.
    """
    head = {
        "stage": stage.name,
        "stage_version": stage.version,
        "dataset": job.slice["dataset"],
        "node": job.slice["node"],
        "split": job.split,
        "kind": kind,
        "parameters": dict(job.slice),
        "inputs": dict(job.contents),
        "ledger": [entry.model_dump() for entry in job.ledger],
    }
    return json_with_digest(JudgementFile.model_validate(head | dict(result)).content)


def read_judgement(path: Path) -> JudgementFile:
    """Read a judge's file, `<judge>/<node>-<split>.json`.

    Raises:
        SeedbedError: it is missing, was changed, or is of another node or split.
    """
    found = read_with_digest(path, JudgementFile, "file of scores")
    name = f"{found.node}-{found.split}"
    if path.stem != name and not path.stem.startswith(f"{name}-"):
        raise SeedbedError(
            f"{path} is of node {found.node} and split {found.split}, which does not match its file name; "
            f"{run_again(path)}"
        )
    return found


def _check_fractions(value: Any, name: str) -> None:
    """Refuse a number outside [0, 1] below a key that begins with one of `HEADLINES`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_fractions(inner, name if name.startswith(HEADLINES) else str(key))
    elif isinstance(value, list):
        for inner in value:
            _check_fractions(inner, name)
    elif name.startswith(HEADLINES) and not (
        value is None or (isinstance(value, int | float) and 0 <= value <= 1)
    ):
        raise ValueError(f"expected {name} in [0, 1], or null where it is undefined; got {value!r}")
