"""JSON schemas of recipes/*.yaml and params.yaml, for completion in editors, and what model fields say of themselves.

They tell an editor what a key means and which values it takes; that a recipe as a whole makes sense is checked by
`seedbed.recipes` alone.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel

from seedbed.artifacts.manifest import GroundTruthUse
from seedbed.datasets.declaration import DatasetDeclaration, SplitDeclaration
from seedbed.datasets.table import DATASETS, dataset_kind
from seedbed.methods.table import METHODS
from seedbed.plan.config import RunConfig
from seedbed.recipes import RecipeFile
from seedbed.runtime.contract import Stage
from seedbed.stages.registry import COMMANDS, EVALUATE, REPORT, STAGES, THRESHOLD_QUALITY


@cache
def field_docs(model: type[BaseModel]) -> Mapping[str, str]:
    """What each field says of itself: its description, or the docstring below it."""
    docs: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        try:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        except (OSError, TypeError):
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for field, after in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                text = ast.literal_eval(after.value)
                docs[ast.unparse(field.target)] = " ".join(text.split()).rstrip(".")
    for name, field in model.model_fields.items():
        inner = inner_model(field.annotation)
        if field.description:
            docs[name] = " ".join(field.description.split()).rstrip(".")
        elif inner and not docs.get(name):
            docs[name] = (inner.__doc__ or "").partition("\n\n")[0].rstrip(".")
    return {name: docs.get(name, "") for name in model.model_fields}


def inner_model(annotation: Any) -> type[BaseModel] | None:
    """The model that a field of this type holds, if it holds one itself and not a collection of them."""
    for choice in (annotation, *get_args(annotation)):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            return None if getattr(annotation, "__origin__", None) in (dict, list, tuple) else choice
    return None


def methods_of(stage: Stage) -> list[str]:
    """Methods that a training stage can run; none for other stages."""
    return [name for name, entry in METHODS.items() if entry.stage == stage.name]


def described(model: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of a model, with what its fields say of themselves; nothing of it is required."""
    schema = model.model_json_schema(by_alias=True)
    for name, text in field_docs(model).items():
        schema["properties"][model.model_fields[name].alias or name] |= {"description": text} if text else {}
    for field in model.model_fields.values():
        if inner := inner_model(field.annotation):
            found = described(inner)
            schema["$defs"] |= found.pop("$defs", {}) | {inner.__name__: found}
    return schema


def partial(
    models: Iterable[type[BaseModel]], definitions: dict[str, Any], open_ended: bool = False
) -> dict[str, Any]:
    """Schema of a mapping with some fields of the models; null stands for "as if not given".

    Args:
        models: those whose fields are allowed.
        definitions: takes up the schemas that they refer to.
        open_ended: allow other keys too (methods of other packages).
    """
    properties: dict[str, Any] = {}
    for model in models:
        schema = described(model)
        definitions |= schema.pop("$defs", {})
        for key, value in schema["properties"].items():
            shown = {word: value.pop(word) for word in ("description", "default") if word in value}
            value.pop("title", None)
            properties[key] = {"anyOf": [value, {"type": "null"}], **shown}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": open_ended}


def with_schema(stage: Stage, definitions: dict[str, Any]) -> dict[str, Any]:
    """Schema of `with:` of a node."""
    methods = methods_of(stage)
    models = [stage.parameters({"method": method}) for method in methods] or [stage.parameters({})]
    return partial(models, definitions, open_ended=bool(methods))


def recipe_schema() -> dict[str, Any]:
    """Schema of recipes/*.yaml."""
    schema = described(RecipeFile)
    definitions = schema["$defs"]
    node = definitions["NodeFile"]
    node["properties"]["stage"]["anyOf"][0] = {"enum": sorted(STAGES)}
    node["allOf"] = [
        {
            "if": {"properties": {"stage": {"const": name}}, "required": ["stage"]},
            "then": {
                "properties": {
                    "from": {"properties": {key: {} for key in stage.inputs}, "additionalProperties": False},
                    "with": with_schema(stage, definitions),
                }
            },
        }
        for name, stage in STAGES.items()
    ]
    return schema


def params_schema() -> dict[str, Any]:
    """Schema of params.yaml."""
    schema = described(RunConfig)
    definitions = schema["$defs"]
    for model in (DatasetDeclaration, SplitDeclaration):
        found = described(model)
        definitions |= found.pop("$defs", {}) | {model.__name__: found}
    dataset = definitions["DatasetDeclaration"]
    dataset["properties"]["kind"]["enum"] = sorted(DATASETS)
    dataset["allOf"] = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"properties": {"with": partial([dataset_kind(kind).Options], definitions)}},
        }
        for kind in sorted(DATASETS)
    ]
    stages = {
        name: with_schema(COMMANDS[name], definitions)
        for name in [*STAGES, EVALUATE.name, THRESHOLD_QUALITY.name, REPORT.name]
    }
    uses = {use: {"type": "string"} for use in get_args(GroundTruthUse)}
    for stage in stages.values():
        # What a data set's settings say of values found with masks stands beside the stage's own keys.
        inherited = {"type": "object", "properties": uses, "additionalProperties": False}
        stage.setdefault("properties", {})["inherited"] = inherited
    settings = {"type": "object", "properties": stages, "additionalProperties": False}
    schema["properties"]["settings"]["additionalProperties"] = settings
    return schema
