"""The settings of data sets in `params.yaml`, checked where they are written.

A node's parameters are the settings of its stage with the recipe's values over them, so a recipe hides what it sets
itself, and no node reads the settings of a stage that no selected recipe has. Each value is therefore checked here, on
its own: whether values go together depends on the recipe, and is checked node by node.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from seedbed.errors import SeedbedError
from seedbed.methods.table import all_methods
from seedbed.runtime.contract import Stage
from seedbed.validation import Problem, problems

METHOD = "method"


def check_settings(stage: Stage, settings: Mapping[str, Any], where: str) -> None:
    """Check the values that a data set puts instead of a stage's defaults.

    Args:
        settings: without `inherited`.
        where: what to name in an error.

    Raises:
        SeedbedError: an unknown key or a wrong value.
    """
    if found := _own_problems(stage, settings):
        for other in _methods_beside(stage, settings):
            left = {
                problem.location: problem for problem in _own_problems(stage, {**settings, METHOD: other})
            }
            found = [_nearer(p, left[p.location]) for p in found if p.location in left]
    if found:
        told = "; ".join(problem.text for problem in found)
        raise SeedbedError(f"{where} (stage {stage.name}): {told}")


def _own_problems(stage: Stage, settings: Mapping[str, Any]) -> list[Problem]:
    """Problems of single values: not keys that are missing, nor mappings whose values do not go together."""
    try:
        model = stage.parameters(settings)
    except SeedbedError as error:
        return [Problem((METHOD,), "method", str(error))]
    return [
        problem
        for problem in problems(model, settings)
        if problem.kind == "extra_forbidden"
        or (problem.kind != "missing" and not isinstance(_value_at(settings, problem.location), Mapping))
    ]


def _value_at(settings: Mapping[str, Any], location: tuple[str, ...]) -> Any:
    """The value that a problem is about; pydantic puts the names of a union's members between the keys."""
    value: Any = settings
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
    return value


def _methods_beside(stage: Stage, settings: Mapping[str, Any]) -> Iterator[str]:
    """The methods that a recipe may train with where the settings name none; their parameters differ."""
    if METHOD not in settings:
        yield from (name for name, entry in all_methods().items() if entry.stage == stage.name)


def _nearer(one: Problem, other: Problem) -> Problem:
    """Of what two methods say of a value, what the one says that knows the key."""
    return other if one.kind == "extra_forbidden" else one
