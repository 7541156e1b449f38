"""Validation of user input by pydantic models, with everything that is wrong in one line."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from seedbed.errors import SeedbedError, unknown_name

M = TypeVar("M", bound=BaseModel)
MESSAGES = {
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected a mapping of keys",
    "model_type": "expected a mapping of keys",
    "model_attributes_type": "expected a mapping of keys",
    "missing": "this key is required",
}
"""Types of problems → what to say instead of pydantic, which speaks of Python's types."""


class Problem(NamedTuple):
    """What is wrong with one value of a model's input.

    Attributes:
        location: keys that lead to it; empty if it is about the model as a whole.
        kind: pydantic's name for it, or `not_finite`.
        text: one line, with the location.
    """

    location: tuple[str, ...]
    kind: str
    text: str


def problems(model: type[BaseModel], raw: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with the input of a pydantic model."""
    return _validated(model, raw)[1]


def validate_model(model: type[M], raw: Mapping[str, Any], where: str) -> M:
    """An instance of a pydantic model; everything that is wrong with `raw` in one line.

    Raises:
        SeedbedError: names the key, what was expected and what came; also for a number that is not finite.
    """
    instance, found = _validated(model, raw)
    if instance is None or found:
        raise SeedbedError(f"{where}: " + "; ".join(problem.text for problem in found))
    return instance


def _validated(model: type[M], raw: Mapping[str, Any]) -> tuple[M | None, list[Problem]]:
    """The instance, if there can be one, and what is wrong."""
    try:
        instance = model.model_validate(dict(raw))
    except ValidationError as error:
        return None, [
            Problem(tuple(map(str, one["loc"])), one["type"], _text(model, one)) for one in error.errors()
        ]
    return instance, [
        Problem(tuple(key.split(".")), "not_finite", f"{key}: expected a finite number, got {value}")
        for key, value in _not_finite(instance.model_dump(by_alias=True))
    ]


def _not_finite(value: Any, location: str = "") -> Iterator[tuple[str, float]]:
    """Infinities and NaN, which neither a slice nor a computation can hold, with the keys that lead to them."""
    if isinstance(value, float) and not math.isfinite(value):
        yield location, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _not_finite(inner, f"{location}.{key}" if location else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _not_finite(inner, f"{location}.{number}")


def _text(model: type[BaseModel], problem: Any) -> str:
    location = [str(part) for part in problem["loc"]]
    if location[-1:] == ["[key]"]:  # the message tells which key
        del location[-2:]
    if problem["type"] == "extra_forbidden":
        *above, key = location
        prefix = f"{'.'.join(above)}: " if above else ""
        return prefix + unknown_name("key", key, _known_keys(model, above))
    message = MESSAGES.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "too_short":
        message = f"expected at least {problem['ctx']['min_length']} of them"
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
