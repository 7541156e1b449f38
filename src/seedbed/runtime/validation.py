"""Validation of user input by pydantic models, with everything that is wrong in one line."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from seedbed.errors import SeedbedError, unknown_name

M = TypeVar("M", bound=BaseModel)


def validate_model(model: type[M], raw: Mapping[str, Any], where: str) -> M:
    """An instance of a pydantic model; everything that is wrong with `raw` in one line.

    Raises:
        SeedbedError: names the key, what was expected and what came.
    """
    try:
        return model.model_validate(dict(raw))
    except ValidationError as error:
        raise SeedbedError(f"{where}: " + "; ".join(_problem(model, p) for p in error.errors())) from None


def _problem(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if location[-1:] == ["[key]"]:  # the message tells which key
        del location[-2:]
    if problem["type"] == "extra_forbidden":
        *above, key = location
        prefix = f"{'.'.join(above)}: " if above else ""
        return prefix + unknown_name("key", key, _known_keys(model, above))
    message = problem["msg"].removeprefix("Value error, ")
    came = f", got {problem['input']!r}" if problem["type"] not in ("missing", "value_error") else ""
    return f"{'.'.join(location)}: {message}{came}" if location else message


def _known_keys(annotation: Any, location: Sequence[str]) -> list[str]:
    """Keys that a model has at a location inside it; none if the location leads to no model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = {field.alias or name: field.annotation for name, field in annotation.model_fields.items()}
        return _known_keys(fields.get(location[0]), location[1:]) if location else list(fields)
    arguments = get_args(annotation)
    if get_origin(annotation) in (Union, UnionType):
        return next((keys for choice in arguments if (keys := _known_keys(choice, location))), [])
    if location and get_origin(annotation) is dict:
        return _known_keys(arguments[1], location[1:])
    return []
