"""What a command line puts over `params.yaml`, merged as `snakemake --configfile` and `--config` merge it.

First `params.yaml`, then the files in their order, then the values in theirs. Mappings merge by key, anything else is
replaced.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from seedbed.errors import SeedbedError
from seedbed.recipes import overlay
from seedbed.yaml_files import load_yaml, parse_yaml


@dataclass(frozen=True)
class Overrides:
    """Files and values given on a command line.

    Attributes:
        files: YAML or JSON files with keys of `params.yaml`.
        values: `key=value`, with dots between the keys of nested mappings, and values in YAML.
    """

    files: tuple[Path, ...] = ()
    values: tuple[str, ...] = ()

    def over(self, params: Path) -> dict[str, Any]:
        """The contents of `params.yaml` with everything that was given merged in.

        Raises:
            SeedbedError: a file is not readable or not a mapping, or a value is not YAML. As in Snakemake,
                `params.yaml` may be missing where files are given.
        """
        found = [_mapping(params)] if params.exists() or not self.files else []
        return merged([*found, *map(_mapping, self.files), *map(assigned, self.values)])

    def snakemake(self, target: str = "", **values: Any) -> str:
        """The command `snakemake` with the same files and values, and others over them."""
        words = ["snakemake", *([target] if target else [])]
        words += ["--configfile", *map(str, self.files)] if self.files else []
        over = merged([*map(assigned, self.values), values])
        words += ["--config"] if over else []
        words += [f"{key}={_flow(value)}" for key, value in over.items()]
        return shlex.join(words)

    def __str__(self) -> str:
        """As on the command line; empty if nothing was given."""
        given = [f"--configfile {file}" for file in self.files] + [f"--set {value}" for value in self.values]
        return " ".join(given)


NOTHING = Overrides()


def merged(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Mappings merged in their order; the last one wins."""
    return reduce(overlay, mappings, {})


def assigned(text: str) -> dict[str, Any]:
    """`settings.birds.train_classifier.epochs=3` as nested mappings.

    Raises:
        SeedbedError: there is no key, or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    keys = key.split(".")
    if not equals or not all(keys):
        raise SeedbedError(f"expected KEY=VALUE, for instance rngs=[0,1] or dataset=voc, got {text!r}")
    content = parse_yaml(value, f"value of {key}")
    for one in reversed(keys):
        content = {one: content}
    found: dict[str, Any] = content
    return found


def _flow(value: Any) -> str:
    """A value in YAML on one line."""
    told = yaml.safe_dump([value], default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return str(told).strip()[1:-1]


def _mapping(path: Path) -> Mapping[str, Any]:
    content = load_yaml(path) or {}
    if not isinstance(content, Mapping):
        raise SeedbedError(f"{path}: expected a mapping of keys, got {type(content).__name__}")
    return content
