"""The contract of a stage: one command that reads artifacts and a parameter file and writes one artifact.

A stage's file holds a parameter model, the function that does the work, and the `Stage` that ties them. Its imports at
the top do not include torch or timm (planning must be quick); the function imports what it needs when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from jaxtyping import UInt8
from pydantic import BaseModel, ConfigDict, Field

from seedbed.artifacts.manifest import LedgerEntry
from seedbed.artifacts.meanings import MEANINGS, Meaning
from seedbed.errors import SeedbedError
from seedbed.runtime.paths import RESULTS
from seedbed.validation import validate_model

if TYPE_CHECKING:
    from seedbed.artifacts.artifact import Artifact
    from seedbed.artifacts.maps import MapStore
    from seedbed.datasets.index import IndexedDataset

ResourceClass = Literal["training", "inference", "pixels", "counts"]
"""What a job costs: a GPU for hours, a GPU for minutes, a CPU that works on pixels, light CPU work."""


class Parameters(BaseModel):
    """Base of every stage's parameter model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    torch_threads: int = Field(
        default=1, ge=1, description="threads of one job; a parameter, since results depend on it"
    )

    REGIONS: ClassVar[bool] = False
    """Whether the stage reads the regions axis; a model may override `uses_regions` instead."""

    def uses_regions(self) -> bool:
        """Whether a node with these parameters depends on the regions axis itself."""
        return self.REGIONS

    def needed_inputs(self) -> tuple[str, ...]:
        """Optional inputs of the stage that these parameters cannot do without."""
        return ()

    def unused_inputs(self) -> tuple[str, ...]:
        """Optional inputs of the stage that have no effect with these parameters, and are refused."""
        return ()

    def finds_threshold(self) -> bool:
        """Whether a threshold follows from the inputs, so that a note on an inherited one does not apply."""
        return False

    def presumed(self) -> Mapping[str, str]:
        """Uses of masks, with notes, that the ledger states where nobody declares any."""
        return {}

    def asks(self) -> Mapping[str, str]:
        """What the network given as an input must offer (`MethodEntry.offers`), by input."""
        return {}

    def offers(self) -> tuple[str, ...]:
        """What a network made with these parameters offers."""
        return ()

    def also_makes(self) -> tuple[str, ...]:
        """Meanings that an artifact made with these parameters has besides the stage's."""
        return ()

    def faults(self) -> Iterator[str]:
        """What is wrong with parameters that are complete: a recipe's over the settings of a data set."""
        return iter(())

    def slice(self) -> dict[str, Any]:
        """The values that differ from the model's defaults, as JSON values."""
        return self.model_dump(mode="json", exclude_defaults=True)


class ShardedParameters(Parameters):
    """Base of stages that write one file per shard."""

    splits: tuple[str, ...] = Field(default=("train",), description="splits of the data set to process")


@dataclass(frozen=True)
class Input:
    """An input of a stage.

    Attributes:
        takes: meanings or forms of artifacts (`seedbed.artifacts.meanings`), and `masks` for the true masks.
    """

    takes: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class TrueMasks:
    """The data set's own masks as an input (`from: {labels: masks}`).

    A separate type: an input that is left out is absent, and can never be mistaken for pixel ground truth.
    """


@dataclass
class Job:
    """What the stage command hands to a stage's function."""

    parameters: Any
    slice: Mapping[str, Any]
    dataset: IndexedDataset
    contents: Mapping[str, list[str]]
    """Digests of the contents of the index and of each input."""
    inputs: Mapping[str, Artifact | TrueMasks]
    """By name; an optional input that is not given is absent."""
    epochs: Mapping[str, int]
    """Kept epoch asked for, by input (`classifier@epoch30`)."""
    rng: int
    split: str
    shard: str
    image_ids: tuple[str, ...]
    """Images of this shard, in the data set's order; empty for stages that write whole artifacts."""
    work: Path
    """Folder for checkpoints; wiped when it belongs to other parameters or inputs."""
    key: str
    """Digest of parameters and inputs: what `work` must belong to."""
    device: str
    progress: Callable[[Iterable[Any], int, str], Iterator[Any]]
    log: Callable[[str], None]
    ledger: list[LedgerEntry]
    """Uses of pixel ground truth so far; a stage that reads masks appends its own."""
    facts: dict[str, Any]
    """What the manifest will say besides meaning and classes; a sharded stage adds to it, the same for every shard."""
    classes: tuple[str, ...]
    """Classes of what the stage makes: those of the labels, or of the masks where it makes label maps or segmenters."""
    results: Path = RESULTS
    """Folder of all results, for the report; it depends on the machine, so no manifest contains it."""

    def artifact(self, name: str) -> Artifact:
        """The artifact given as an input that the stage requires.

        Raises:
            SeedbedError: it is absent, or is the true masks.
        """
        found = self.inputs.get(name)
        if found is None or isinstance(found, TrueMasks):
            raise SeedbedError(f"expected an artifact as input {name}, got {found or 'none'}")
        return found

    def maps(self, name: str) -> MapStore:
        """The maps given as an input, of this shard or split; each is of its image's size.

        Raises:
            SeedbedError: they are absent, or disagree with the manifest or the index.
        """
        store: MapStore = self.artifact(name).open(self.split, self.shard or None)
        store.check_sizes(self.image_ids or self.dataset.image_ids(self.split), self.dataset.size)
        return store

    def true_mask(self, image_id: str) -> UInt8[np.ndarray, "height width"]:
        """The mask of an image, for evaluation.

        Raises:
            SeedbedError: the data set has none for the image.
        """
        mask = self.dataset.mask(image_id)
        if mask is None:
            raise SeedbedError(
                f"image {image_id} of split {self.split} has no mask; declare `masks: false` for that split, or add "
                "the mask"
            )
        return mask


@dataclass(frozen=True)
class Products:
    """What a stage made that writes a whole artifact: contents by file name."""

    files: Mapping[str, bytes]
    images: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One entry of the registry.

    Attributes:
        name: also the name of the rule, of the script and of the `stage:` in recipes.
        version: raised whenever a default or the stage's meaning changes, so that old results become stale.
        parameters: the model, from the raw parameters (a method may add its own).
        inputs: by name; the names are the command's options.
        resources: what a job costs.
        run: does the work: yields (image id, payload) if the artifact is sharded, returns `Products` if it is
            whole, or the file's bytes if `writes_file`. The report's script supplies it, since what it
            calls is above this layer.
        makes: meaning of the artifact; empty for stages that recipes cannot use (index, judges, report).
        random: whether the rng axis enters here.
        own_files: what a stage without a meaning writes beside the manifest.
        reads_index: whether the stage reads the data set's index; the one that makes it does not.
        reads_masks: whether the stage reads true masks whatever its inputs are: the judges and the report.
        writes_file: whether `--output` is one self-describing file, instead of a folder with a manifest.
    """

    name: str
    version: int
    summary: str
    parameters: Callable[[Mapping[str, Any]], type[Parameters]]
    inputs: Mapping[str, Input]
    resources: ResourceClass
    run: Callable[[Job], Any] | None = None
    makes: str = ""
    random: bool = False
    own_files: tuple[str, ...] = ()
    reads_index: bool = True
    reads_masks: bool = False
    writes_file: bool = False

    @property
    def meaning(self) -> Meaning:
        """What the stage makes; only for stages that recipes can use."""
        return MEANINGS[self.makes]

    @property
    def gpu(self) -> bool:
        """Whether a job wants a GPU."""
        return self.resources in ("training", "inference")

    @property
    def sharded(self) -> bool:
        """Whether the stage writes one file per shard."""
        return bool(self.makes) and self.meaning.form.sharding is not None

    @property
    def suffix(self) -> str:
        """Ending of a shard's data file; empty for stages that write whole artifacts."""
        sharding = self.meaning.form.sharding if self.makes else None
        return sharding.suffix if sharding else ""

    @property
    def files(self) -> tuple[str, ...]:
        """What a stage with a whole artifact writes beside the manifest; empty for sharded stages."""
        return self.meaning.form.files if self.makes else self.own_files

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
