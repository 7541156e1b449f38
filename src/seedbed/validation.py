"""Validation of user input by pydantic models, with everything that is wrong in one line."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from seedbed.errors import SeedbedError, unknown_name

M = TypeVar("M", bound=BaseModel)
EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of at most 4,300 digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "none_required": "nothing (null)",
    "invalid_key": "keys that are text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys",
    "mapping_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
}
"""Types of problems → what was expected, since pydantic speaks of Python's types; its context fills the braces."""
LONGEST = 200
"""Characters of a value that a message shows."""


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
        return None, _problems(model, raw, error)
    return instance, [
        Problem(tuple(key.split(".")), "not_finite", f"{key}: expected a finite number, got {value}")
        for key, value in _not_finite(instance.model_dump(by_alias=True))
    ]


def _problems(model: type[BaseModel], raw: Mapping[str, Any], error: ValidationError) -> list[Problem]:
    """One problem per value: what no choice of a union takes is one, and nothing is told of what holds another one."""
    by_place: dict[tuple[str, ...], list[Any]] = {}
    for one in error.errors():
        by_place.setdefault(_place(raw, one), []).append(one)
    return [
        Problem(place, found[0]["type"], _text(model, place, found))
        for place, found in by_place.items()
        if not any(other[: len(place)] == place != other for other in by_place)
        or found[0]["type"] in ("missing", "value_error")
    ]


def _place(raw: Any, problem: Any) -> tuple[str, ...]:
    """The keys that lead to a problem, without the names that pydantic gives to the choices of a union."""
    place: list[str] = []
    value = raw
    for part in problem["loc"]:
        is_key = isinstance(value, Mapping) and part in value
        if not (is_key or isinstance(part, int) or part == "[key]" or problem["type"] == "missing"):
            continue
        place.append(str(part))
        is_entry = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        value = value[part] if is_key or is_entry else None
    return tuple(place)


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


def _text(model: type[BaseModel], place: tuple[str, ...], found: Sequence[Any]) -> str:
    """What is wrong with the value at a place, of which the choices of a union may each say something."""
    first = found[0]
    location = list(place)
    if location[-1:] == ["[key]"]:  # the message tells which key
        del location[-2:]
    if first["type"] == "extra_forbidden":
        *above, key = location
        prefix = f"{'.'.join(above)}: " if above else ""
        return prefix + unknown_name("key", key, _known_keys(model, above))
    message = _message(found)
    return f"{'.'.join(location)}: {message}" if location else message


def _message(found: Sequence[Any]) -> str:
    first = found[0]
    if first["type"] == "missing":
        return "this key is required"
    wanted = dict.fromkeys(
        EXPECTED[one["type"]].format_map(one.get("ctx", {})) for one in found if one["type"] in EXPECTED
    )
    if not wanted:
        message: str = first["msg"].removeprefix("Value error, ")
        return message if first["type"] == "value_error" else f"{message}, got {_shown(first['input'])}"
    return f"expected {' or '.join(wanted)}, got {_shown(first['input'])}{_advice(first)}"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _advice(problem: Any) -> str:
    """What to do, where it does not follow from what was expected."""
    value = problem["input"]
    if problem["type"] in ("string_type", "invalid_key") and isinstance(value, int | float):
        return "; write it in quotes"
    if problem["type"] == "literal_error" and isinstance(value, str):
        near = get_close_matches(value, re.findall("'([^']*)'", problem["ctx"]["expected"]), n=1)
        return f"; did you mean {near[0]}?" if near else ""
    return ""


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
