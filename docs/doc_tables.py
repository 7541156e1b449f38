"""Markdown tables of models, stages and presets; `TABLES` are those that a page of docs/ can ask for."""

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from schema_files import field_docs, inner_model

from seedbed import report
from seedbed.artifacts.meanings import MEANINGS
from seedbed.datasets.declaration import DatasetDeclaration, SplitDeclaration
from seedbed.datasets.table import dataset_kind
from seedbed.plan.commands import ALL_STAGES
from seedbed.plan.config import RunConfig
from seedbed.recipes import NodeFile, RecipeBook, RecipeFile
from seedbed.refine.crf.parameters import CRF_PRESETS
from seedbed.runtime.contract import ResourceClass

ROOT = Path(__file__).parents[1]

RESOURCES: dict[ResourceClass, str] = {
    "training": "GPU, hours",
    "inference": "GPU, minutes",
    "pixels": "CPU",
    "counts": "CPU, little",
}
"""What a class of jobs runs on; networks run on the CPU where there is no GPU."""


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
    """One row per field: name, default, values, meaning; those of a model inside follow it as `field.inner`."""
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


def stages_table(_: str) -> str:
    """All stages."""
    rows = [
        (f"[`{name}`](stages/{name}.md)", stage.summary, RESOURCES[stage.resources])
        for name, stage in ALL_STAGES.items()
    ]
    return markdown(("stage", "what it does", "runs on"), rows)


def meanings_table(_: str) -> str:
    """All meanings of artifacts."""
    makers: dict[str, list[str]] = {name: [] for name in MEANINGS}
    for stage in ALL_STAGES.values():
        makers.get(stage.makes, []).append(f"[`{stage.name}`](stages/{stage.name}.md)")
    rows = [
        (
            f"`{meaning.name}`",
            f"[`{meaning.form.name}`](#{meaning.form.name.replace('_', '-')})",
            ", ".join(makers[meaning.name]),
            f"`{meaning.score}`, against {_truth(meaning.truth)}" if meaning.score else "-",
        )
        for meaning in MEANINGS.values()
    ]
    return markdown(("meaning", "form", "made by", "scored as"), rows)


def _truth(truth: str) -> str:
    return "the image-level labels" if truth == "labels" else "the true masks"


def sections_table(_: str) -> str:
    """Sections of the page, by what their files say first; only their text is read."""
    rows = [
        (f"`{path.stem}.csv`", first_sentence(ast.get_docstring(ast.parse(path.read_text())) or ""))
        for path in sorted((Path(report.__file__).parent / "sections").glob("[!_]*.py"))
    ]
    return markdown(("table", "section of the page"), rows)


def first_sentence(docstring: str) -> str:
    """The first paragraph on one line, without the full stop."""
    return " ".join(docstring.partition("\n\n")[0].split()).rstrip(".")


def crf_table(_: str) -> str:
    """Presets of the dense CRF."""
    columns = list(next(iter(CRF_PRESETS.values())).__dataclass_fields__)
    rows = [
        (f"`{name}`", *(f"{getattr(preset, c):g}" for c in columns)) for name, preset in CRF_PRESETS.items()
    ]
    return markdown(("preset", *columns), rows)


def recipes_table(_: str) -> str:
    """All recipes by the paper that they follow: its authors and name, without the section.

    Variants of a recipe (`NAME-…`) of the same paper are counted behind it.
    """
    book = RecipeBook(ROOT / "recipes")
    by_paper: dict[str, list[str]] = {}
    for name in sorted(book.names(), key=lambda name: book[name].chain):
        cited = re.match(r"[^(:]*(\([^)]*\))?", book[name].paper)
        by_paper.setdefault(cited[0] if cited else "", []).append(name)
    papers = sorted(by_paper, key=lambda paper: (not paper, paper))
    rows = [(paper or "none: baselines and ablations", _with_variants(by_paper[paper])) for paper in papers]
    return markdown(("paper", "recipes"), rows)


def _with_variants(names: Sequence[str]) -> str:
    shown = []
    for name in names:
        if any(name.startswith(f"{other}-") for other in names):
            continue
        variants = sum(other.startswith(f"{name}-") for other in names)
        count = f" and {variants} variant{'s' * (variants > 1)}" if variants else ""
        shown.append(f"[`{name}`](recipes/{name}.yaml){count}")
    return ", ".join(shown)


TABLES: dict[str, Callable[[str], str]] = {
    "config": lambda _: fields_table(RunConfig),
    "crf": crf_table,
    "dataset": lambda _: fields_table(DatasetDeclaration),
    "kind": lambda name: fields_table(dataset_kind(name).Options),
    "meanings": meanings_table,
    "node": lambda _: fields_table(NodeFile),
    "recipe": lambda _: fields_table(RecipeFile),
    "recipes": recipes_table,
    "sections": sections_table,
    "split": lambda _: fields_table(SplitDeclaration),
    "stages": stages_table,
}
