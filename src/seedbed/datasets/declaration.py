"""What `params.yaml: datasets.<name>` says about a data set: its kind, root, shards and splits (DESIGN §6).

Splits, and whether a split has masks, are declared, so that the DAG is known before anything is read. The root is
a fact of the machine and appears in neither slices nor manifests.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from seedbed.datasets.class_map import ClassMap
from seedbed.errors import SeedbedError
from seedbed.names import SPLIT

SMALLEST = 32
"""Pixels of the smallest `longest`."""
SplitName = Annotated[str, AfterValidator(SPLIT.checked), WithJsonSchema(SPLIT.schema)]


def _below_root(path: str) -> str:
    if Path(path).is_absolute() or re.match(r"[A-Za-z]:[\\/]", path):
        raise ValueError(
            f"expected a path relative to the root, got {path!r}: an absolute one is a fact of this machine, and "
            "results depend on what stands here; write it from the root on, such as ../elsewhere"
        )
    return path


RelativePath = Annotated[str, AfterValidator(_below_root)]
"""A path that enters slices and identities, and so may not be one of a machine."""


class SplitDeclaration(BaseModel):
    """One split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    list: RelativePath | None = None
    """Name or file of the list of ids, if it is not named like the split."""
    masks: bool = True
    """Whether every image of the split has a mask. If not, masks of the split are never read."""


class DatasetDeclaration(BaseModel):
    """One data set."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: str
    """Kind of the data set; `seedbed doctor` names the known ones if this one is unknown."""
    root: str | None = None
    """Folder of the data set on this machine; `~` and `$VARIABLES` are expanded."""
    shards: int = Field(default=1, ge=1, le=4096)
    """Number of parts in which its artifacts are written (small sets 1, VOC 16, COCO 64)."""
    longest: int | None = Field(default=None, ge=SMALLEST)
    """Pixels of the longer side to which larger photographs and their masks are shrunk wherever they are read. Memory
    and time of the stages grow with the pixels; `seedbed doctor` says when a photograph is too large for the machine.
    `seedbed predict` and `seedbed export` write masks of the photographs' own sizes."""
    class_map: ClassMap | None = None
    """Classes to join or drop before anything is trained or scored, separately for labels and masks:
    `{labels: {new: [old, old]}, masks: {…}}`. `background` and `void` take what is dropped, `*` stands for all
    others."""
    class_groups: str | None = None
    """YAML file of groups of classes for the report page, `{kind: {group: [class, class]}}`; `~` and `$VARIABLES` are
    expanded. Only the report becomes stale by it."""
    splits: dict[SplitName, SplitDeclaration] = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict, alias="with")
    """Options of the kind; in YAML under `with`."""


class Options(BaseModel):
    """Base class of the options of a kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def expanded(path: str | Path, what: str, remedy: str) -> str:
    """A path in whose text `~` and `$VARIABLES` are replaced.

    Args:
        path: as a person wrote it.
        what: it is, for the message.
        remedy: what to set instead, for the message.

    Raises:
        SeedbedError: a variable is not set.
    """
    text = os.path.expandvars(os.path.expanduser(path))
    if unset := re.search(r"\$(\w+|\{\w+\})", text):
        raise SeedbedError(f"{what} {str(path)!r} uses {unset[0]}, which is not set; set {remedy}")
    return text
