"""`params.yaml`: what to run. How is in the recipes, where (machines) in the profiles."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
)

from seedbed.cam.thresholds import SWEEPS, Regions
from seedbed.datasets.declaration import DatasetDeclaration
from seedbed.errors import SeedbedError, unknown_name
from seedbed.names import DATASET
from seedbed.plan.overrides import NOTHING, Overrides
from seedbed.recipes import checked_inherited
from seedbed.validation import validate_model

DatasetName = Annotated[str, AfterValidator(DATASET.checked), WithJsonSchema(DATASET.schema)]
RandomSeed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class RunConfig(BaseModel):
    """The keys of `params.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str = Field(description="data set to run on, one of `datasets`")
    recipes: tuple[str, ...] = Field(min_length=1, description="recipes to run, files of recipes/")
    rngs: tuple[RandomSeed, ...] = Field(default=(0,), min_length=1, description="random seeds")
    thresholds: tuple[str, ...] = Field(
        default=(), description="confident-region settings of the sweep, or the name of several"
    )
    datasets: dict[DatasetName, DatasetDeclaration] = Field(description="data sets by name")
    settings: dict[str, dict[str, dict[str, Any]]] = Field(
        default_factory=dict,
        description="defaults that a data set (its size, the budget for it) brings: {dataset: {stage: {key: value}}}; "
        "`inherited: {threshold: note}` beside them declares what was found with masks",
    )

    @field_validator("recipes", mode="before")  # runs after the one below
    @classmethod
    def _named(cls, values: Any) -> Any:
        for name in values if isinstance(values, list | tuple) else ():
            if not isinstance(name, str):
                raise ValueError(f"expected names of recipes, such as psa, got {name!r}")
        return values

    @field_validator("recipes", "rngs", "thresholds", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """One value, or several with commas between them, as `snakemake --config recipes=psa,puzzle` gives them."""
        if isinstance(value, str):
            return [part.strip() for part in value.split(",")]
        return [value] if isinstance(value, int) else value

    @field_validator("thresholds")
    @classmethod
    def _canonical(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        found: dict[str, str] = {}
        for value in values:
            if re.fullmatch(r"[a-z][a-z-]*", value) and value not in SWEEPS:
                raise ValueError(unknown_name("sweep", value, SWEEPS) + " Or write pairs, like bg0.10-fg0.40")
            for label in SWEEPS.get(value) or (str(Regions.parse(value)),):
                if label in found:
                    raise ValueError(
                        f"expected each setting once, got {label} twice ({found[label]} and {value}); leave one out"
                    )
                found[label] = value
        return tuple(found)

    def declaration(self, dataset: str) -> DatasetDeclaration:
        """The declaration of a data set.

        Raises:
            SeedbedError: there is none of that name.
        """
        if dataset not in self.datasets:
            raise SeedbedError(f"params.yaml: {unknown_name('dataset', dataset, self.datasets)}")
        return self.datasets[dataset]

    def stage_defaults(self, dataset: str, stage: str) -> dict[str, Any]:
        """What a data set puts instead of a stage's defaults; a recipe's own values win over it."""
        found = self.settings.get(dataset, {}).get(stage, {})
        return {key: value for key, value in found.items() if key != "inherited"}

    def inherited(self, dataset: str, stage: str) -> dict[str, str]:
        """Uses of pixel ground truth behind a data set's settings for a stage: {threshold|epoch|training: note}."""
        declared = self.settings.get(dataset, {}).get(stage, {}).get("inherited", {})
        return dict(checked_inherited(declared, f"settings.{dataset}.{stage}"))


def parse_config(raw: Any, where: str = "params.yaml") -> RunConfig:
    """Validate the contents of `params.yaml`.

    Raises:
        SeedbedError: in one line, naming the key.
    """
    if not isinstance(raw, Mapping):
        raise SeedbedError(f"{where}: expected a mapping of keys, got {type(raw).__name__}")
    config = validate_model(RunConfig, raw, where)
    config.declaration(config.dataset)
    for dataset in config.settings:
        config.declaration(dataset)
    return config


def read_config(path: Path, overrides: Overrides = NOTHING) -> RunConfig:
    """Read and validate `params.yaml`, with what a command line puts over it."""
    given = str(overrides)
    return parse_config(overrides.over(path), f"{path} with {given}" if given else str(path))
