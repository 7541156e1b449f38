"""JSON schemas of recipes/*.yaml and params.yaml, for completion in editors; what model fields say about themselves.

The schemas tell an editor what a key means and which values it takes; whether a recipe as a whole makes sense is
checked by `seedbed.recipes` alone. Each stage has a file of its own, to which the two others refer by its relative
path: a new parameter changes that file and no other.
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
from seedbed.plan.commands import ALL_STAGES, DATA_STAGES
from seedbed.plan.config import RunConfig
from seedbed.recipes import RecipeFile
from seedbed.runtime.contract import Stage
from seedbed.stages.registry import STAGES

RECIPE, PARAMS, STAGE_FOLDER = "recipe.json", "params.json", "stages"
SETTINGS, FROM = "settings", "from"


@cache
def field_docs(model: type[BaseModel]) -> Mapping[str, str]:
    """What each field says about itself: its description, or the docstring below it."""
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
    """JSON schema of a model, with what its fields say about themselves."""
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
        models: those whose fields are allowed; a field of several takes what one of them takes.
        definitions: takes up the schemas that they refer to.
        open_ended: allow other keys too (methods of other packages).
    """
    values: dict[str, list[dict[str, Any]]] = {}
    shown: dict[str, dict[str, Any]] = {}
    for model in models:
        schema = described(model)
        definitions |= schema.pop("$defs", {})
        for key, value in schema["properties"].items():
            said = {word: value.pop(word) for word in ("description", "default") if word in value}
            if shown.setdefault(key, said).get("default") != said.get("default"):
                shown[key].pop("default", None)
            value.pop("title", None)
            if value not in values.setdefault(key, []):
                values[key].append(value)
    properties = {key: {"anyOf": [*found, {"type": "null"}], **shown[key]} for key, found in values.items()}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": open_ended}


def stage_schema(stage: Stage) -> dict[str, Any]:
    """Schema of a node's `with:`; its definitions hold `from:` and what `settings:` of params.yaml says of the stage.

    A training stage takes the parameters of all its methods, and unknown ones, for methods of other packages.
    """
    methods = methods_of(stage)
    models = [stage.parameters({"method": method}) for method in methods] or [stage.parameters({})]
    definitions: dict[str, Any] = {}
    schema = partial(models, definitions, open_ended=bool(methods))
    uses = {use: {"type": "string"} for use in get_args(GroundTruthUse)}
    inherited = {"type": "object", "properties": uses, "additionalProperties": False}
    same = {key: {"$ref": f"#/properties/{key}"} for key in schema["properties"]}
    definitions[SETTINGS] = schema | {"properties": same | {"inherited": inherited}}
    definitions[FROM] = {"properties": {key: {} for key in stage.inputs}, "additionalProperties": False}
    return {"title": stage.name, "description": stage.summary, "$defs": definitions, **schema}


def stage_reference(name: str, definition: str = "") -> dict[str, str]:
    """Refers to a stage's file, or to one of its definitions."""
    return {"$ref": f"{STAGE_FOLDER}/{name}.json" + (f"#/$defs/{definition}" if definition else "")}


def recipe_schema() -> dict[str, Any]:
    """Schema of recipes/*.yaml."""
    schema = described(RecipeFile)
    node = schema["$defs"]["NodeFile"]
    node["properties"]["stage"]["anyOf"][0] = {"enum": sorted(STAGES)}
    node["allOf"] = [
        {
            "if": {"properties": {"stage": {"const": name}}, "required": ["stage"]},
            "then": {"properties": {"from": stage_reference(name, FROM), "with": stage_reference(name)}},
        }
        for name in STAGES
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
    stages = {name: stage_reference(name, SETTINGS) for name in ALL_STAGES if name not in DATA_STAGES}
    settings = {"type": "object", "properties": stages, "additionalProperties": False}
    schema["properties"]["settings"]["additionalProperties"] = settings
    return schema


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its path below schemas/."""
    stages = {
        f"{STAGE_FOLDER}/{name}.json": stage_schema(stage)
        for name, stage in ALL_STAGES.items()
        if name not in DATA_STAGES
    }
    return {RECIPE: recipe_schema(), PARAMS: params_schema(), **stages}
