"""The record of each stage's defaults, which `make generate` writes (`python -m tests.stages.record_defaults`).

A default is part of what a result means, and slices leave it out. So it may change only together with the stage's
version, which this command insists on. A new option with a neutral default is simply added to the record.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from seedbed.artifacts.manifest import sha256_bytes, to_json
from seedbed.methods.table import METHODS
from seedbed.plan.commands import ALL_STAGES

RECORD = Path(__file__).with_name("defaults.json")
Record = dict[str, dict[str, Any]]
COMMAND = "make generate"


def defaults_of(model: type[BaseModel], prefix: str = "") -> dict[str, Any]:
    """Default by field, as JSON; those of models inside stand under `field.inner`, whether they are used or not."""
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        default = "(required)" if field.is_required() else field.get_default(call_default_factory=True)
        found[prefix + name] = to_jsonable_python(default)
        for inner in models_in(field.annotation):
            found |= defaults_of(inner, f"{prefix}{name}.")
    return found


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def current() -> Record:
    """Version, defaults and the digest of both, by stage; a stage with methods has an entry for each of them."""
    found: Record = {}
    for stage in ALL_STAGES.values():
        methods = [name for name, entry in METHODS.items() if entry.stage == stage.name]
        for method in methods or [""]:
            defaults = defaults_of(stage.parameters({"method": method} if method else {}))
            if method:
                defaults["method"] = method
            found[f"{stage.name}/{method}" if method else stage.name] = {
                "stage_version": stage.version,
                "defaults": defaults,
                "sha256": sha256_bytes(to_json([stage.version, defaults])),
            }
    return found


def unversioned_changes(recorded: Record, now: Record) -> list[str]:
    """A line for each recorded default that changed or went away while the stage kept its version."""
    lines = []
    for key in recorded.keys() & now.keys():
        old, new = recorded[key], now[key]
        if old["stage_version"] != new["stage_version"]:
            continue
        for name, value in old["defaults"].items():
            if name not in new["defaults"] or _without_new_options(name, value, new["defaults"]) != value:
                came = new["defaults"].get(name, "removed")
                lines.append(
                    f"{key}: default of {name} was {value!r}, is {came!r}: raise stage_version of "
                    f"{key.partition('/')[0]} and run `{COMMAND}`"
                )
    return sorted(lines)


def _without_new_options(name: str, old: Any, defaults: dict[str, Any]) -> Any:
    """The default of a field; of one that holds a model, without options that are new and at their own defaults."""
    value = defaults[name]
    if not isinstance(value, dict) or not isinstance(old, dict):
        return value
    return {
        key: inner
        for key, inner in value.items()
        if key in old or f"{name}.{key}" not in defaults or defaults[f"{name}.{key}"] != inner
    }


def lowered_versions(recorded: Record, now: Record) -> list[str]:
    """A line for each stage whose version went down, so that old results would count as new."""
    return sorted(
        f"{key}: stage_version was {recorded[key]['stage_version']}, is {now[key]['stage_version']}: never lower it"
        for key in recorded.keys() & now.keys()
        if now[key]["stage_version"] < recorded[key]["stage_version"]
    )


def main() -> int:
    """Write the record, unless a default changed without a new version."""
    now = current()
    recorded: Record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    refused = unversioned_changes(recorded, now) + lowered_versions(recorded, now)
    if refused:
        print("\n".join(refused), file=sys.stderr)
        return 1
    RECORD.write_bytes(to_json(now))
    return 0


if __name__ == "__main__":
    sys.exit(main())
