"""Fill the tables between the markers of docs/, and write schemas/, from the models that the code itself uses.

`python docs/generate.py` writes what is not fresh and names it. A table stands between
`<!-- table: parameters predict -->` and `<!-- end -->`; behind the colon stand a key of `TABLES` and its argument.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from schema_files import field_docs, inner_model, methods_of, params_schema, recipe_schema

from seedbed.artifacts.manifest import to_json
from seedbed.datasets.declaration import DatasetDeclaration, SplitDeclaration
from seedbed.datasets.table import dataset_kind
from seedbed.methods.table import METHODS
from seedbed.plan.config import RunConfig
from seedbed.recipes import NodeFile, RecipeFile
from seedbed.refine.crf.parameters import CRF_PRESETS
from seedbed.stages.registry import COMMANDS

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"(<!-- table: ([a-z_ ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def values(schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in schema:
        return "mapping, see below"
    if "anyOf" in schema:
        return " or ".join(values(choice) for choice in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return " or ".join(
            f"`{json.dumps(v).strip(chr(34))}`" for v in schema.get("enum", [schema.get("const")])
        )
    kind = schema.get("type", "anything")
    if kind == "array":
        pair = schema.get("prefixItems")
        return f"[{', '.join(map(values, pair))}]" if pair else f"list of {values(schema['items'])}"
    if kind == "object":
        inside = schema.get("additionalProperties")
        if not isinstance(inside, dict) or "$ref" in inside:
            return "mapping"
        return f"mapping to ({values(inside)})" if "anyOf" in inside else f"mapping to {values(inside)}"
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    limits = ", ".join(f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema)
    words = {
        "integer": "integer",
        "number": "number",
        "boolean": "`true` or `false`",
        "string": "text",
        "null": "`null`",
    }
    return f"{words.get(kind, kind)} {limits}".strip()


def model_rows(
    model: type[BaseModel], only: Iterable[str] | None = None, prefix: str = ""
) -> Iterator[tuple[str, ...]]:
    """A row a field: name, default, values, meaning; those of a model inside follow it as `field.inner`."""
    properties = model.model_json_schema(by_alias=True)["properties"]
    docs = field_docs(model)
    for name, field in model.model_fields.items():
        if only is not None and name not in only:
            continue
        key = field.alias or name
        inner = inner_model(field.annotation)
        default = (
            "required"
            if field.is_required()
            else to_jsonable_python(field.get_default(call_default_factory=True))
        )
        if default != "required":
            default = (
                "see below"
                if inner and default is not None
                else f"`{json.dumps(default, ensure_ascii=False)}`"
            )
        yield f"`{prefix}{key}`", default, values(properties[key]), docs[name]
        if inner:
            yield from model_rows(inner, prefix=f"{prefix}{key}.")


def markdown(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; bars inside cells are escaped."""
    cells = [list(head), *(list(row) for row in rows)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]]) + "\n"


def fields_table(model: type[BaseModel], only: Iterable[str] | None = None) -> str:
    """The fields of a model."""
    return markdown(("key", "default", "values", "meaning"), model_rows(model, only))


def parameters_table(name: str) -> str:
    """Parameters of a stage; of a training stage those of all methods first, then those of each."""
    stage = COMMANDS[name]
    methods = methods_of(stage)
    model = stage.parameters({})
    own = set(METHODS[model.model_fields["method"].default].parameters.model_fields) if methods else set()
    text = fields_table(model, [field for field in model.model_fields if field not in own])
    for method in methods:
        added = METHODS[method].parameters
        text += f"\nMethod `{method}` adds:\n\n" + fields_table(added)
    return text


def stage_table(name: str) -> str:
    """What a stage is: inputs, outputs, axes."""
    stage = COMMANDS[name]
    inputs = [
        f"`{key}`: {' or '.join(spec.kinds)}" + ("" if spec.required else " (optional)")
        for key, spec in stage.inputs.items()
    ]
    files = (
        [f"`<split>-<k>{stage.suffix}`", "`<split>-<k>.json`"]
        if stage.sharded
        else [f"`{f}`" for f in stage.files]
    )
    rows = [
        ("version", str(stage.version)),
        ("reads", ", ".join(["index"] * stage.reads_index + inputs) or "the data set"),
        ("makes", stage.kind if stage.node else "-"),
        ("writes", "one JSON file" if stage.writes_file else ", ".join([*files, "`manifest.json`"])),
        ("runs on", f"{stage.unit}, " + ("one job a shard" if stage.sharded else "one job")),
        ("randomness of its own", "yes (axis `rng`)" if stage.random else "none"),
        ("scored as", stage.score or "-"),
    ]
    return markdown(("", ""), rows)


def stages_table(_: str) -> str:
    """All stages."""
    rows = [(f"[`{name}`](stages/{name}.md)", stage.summary, stage.unit) for name, stage in COMMANDS.items()]
    return markdown(("stage", "what it does", "runs on"), rows)


def crf_table(_: str) -> str:
    """Presets of the dense CRF."""
    columns = list(next(iter(CRF_PRESETS.values())).__dataclass_fields__)
    rows = [
        (f"`{name}`", *(f"{getattr(preset, c):g}" for c in columns)) for name, preset in CRF_PRESETS.items()
    ]
    return markdown(("preset", *columns), rows)


TABLES: dict[str, Callable[[str], str]] = {
    "config": lambda _: fields_table(RunConfig),
    "crf": crf_table,
    "dataset": lambda _: fields_table(DatasetDeclaration),
    "kind": lambda name: fields_table(dataset_kind(name).Options),
    "node": lambda _: fields_table(NodeFile),
    "parameters": parameters_table,
    "recipe": lambda _: fields_table(RecipeFile),
    "split": lambda _: fields_table(SplitDeclaration),
    "stage": stage_table,
    "stages": stages_table,
}


def filled(text: str) -> str:
    """A page with fresh tables."""

    def fresh(match: re.Match[str]) -> str:
        table, _, argument = match[2].partition(" ")
        return f"{match[1]}{TABLES[table](argument)}{match[3]}"

    return MARKED.sub(fresh, text)


def fresh_files() -> dict[Path, bytes]:
    """Every generated file with what it should hold."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {page: filled(page.read_text(encoding="utf-8")).encode() for page in pages}
    found[ROOT / "schemas/recipe.json"] = to_json(recipe_schema())
    found[ROOT / "schemas/params.json"] = to_json(params_schema())
    return found


def main() -> int:
    """Write what is not fresh."""
    for path, content in fresh_files().items():
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
