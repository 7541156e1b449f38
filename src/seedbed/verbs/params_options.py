"""Options that every verb has which reads `params.yaml`: files and values that are put over it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from seedbed.plan.commands import Workflow
from seedbed.plan.overrides import Overrides


@Parameter(name="*")
@dataclass(frozen=True)
class ParamsOptions:
    """What the command line puts over `params.yaml`."""

    set: Annotated[
        tuple[str, ...],
        Parameter(name="--set", negative=(), show_default=False, help="key=value over params.yaml"),
    ] = ()
    """One value, in YAML, with dots between the keys of nested mappings; may be repeated."""
    configfile: Annotated[
        tuple[Path, ...],
        Parameter(
            name="--configfile",
            consume_multiple=1,
            negative=(),
            show_default=False,
            help="YAML files over params.yaml, in their order, as in snakemake",
        ),
    ] = ()
    """Files in YAML or JSON."""

    @property
    def overrides(self) -> Overrides:
        """For the reader of `params.yaml`."""
        return Overrides(self.configfile, self.set)

    def workflow(self) -> Workflow:
        """The workflow of the checkout in the working directory."""
        return Workflow.read(overrides=self.overrides)


NO_OPTIONS = ParamsOptions()
