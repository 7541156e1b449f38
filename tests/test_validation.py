"""What is said of a wrong value: what was expected and what came, never pydantic's own words."""

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from seedbed.datasets.table import DATASETS, dataset_kind
from seedbed.plan.config import RunConfig
from seedbed.recipes import RecipeFile
from seedbed.stages.registry import STAGES
from seedbed.validation import problems


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    share: float = Field(0.5, gt=0, lt=1)


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = Field(1, ge=1, le=9)
    mode: Literal["sum", "mean"] = "sum"
    name: str = Field("a", pattern="^[a-z]+$")
    on: bool = False
    many: tuple[Annotated[int, Field(ge=1)], ...] | Literal["all"] = ()
    inner: Inner = Inner()
    by_name: dict[str, Inner] = Field(default_factory=dict, min_length=1)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("count", "many", "count: expected a whole number, got 'many'"),
        ("count", 1.5, "count: expected a whole number, got 1.5"),
        ("count", 0, "count: expected at least 1, got 0"),
        ("count", 10, "count: expected at most 9, got 10"),
        ("count", None, "count: expected a whole number, got nothing"),
        ("mode", "maen", "mode: expected 'sum' or 'mean', got 'maen'; did you mean mean?"),
        ("mode", 3, "mode: expected 'sum' or 'mean', got 3"),
        ("name", 3, "name: expected text, got 3; write it in quotes"),
        ("name", "A", "name: expected text that matches ^[a-z]+$, got 'A'"),
        ("on", "maybe", "on: expected true or false, got 'maybe'"),
        ("many", 5, "many: expected a list or 'all', got 5"),
        ("many", [1, "x"], "many.1: expected a whole number, got 'x'"),
        ("inner", {3: 4}, "inner.3: expected keys that are text, got 3; write it in quotes"),
        ("inner", [], "inner: expected a mapping of keys, got []"),
        ("inner", {"share": 0}, "inner.share: expected a number above 0.0, got 0"),
        ("inner", {"share": "inf"}, "inner.share: expected a number below 1.0, got 'inf'"),
        ("inner", {"shar": 1}, "inner: unknown key 'shar'; did you mean share?"),
        ("by_name", {"a": {"share": "x"}}, "by_name.a.share: expected a number, got 'x'"),
        ("by_name", {}, "by_name: expected at least 1 of them, got {}"),
        ("name", "A" * 300, f"name: expected text that matches ^[a-z]+$, got '{'A' * 199}…"),
    ],
)
def test_one_line_for_one_value(key, value, told):
    assert [problem.text for problem in problems(Model, {key: value})] == [told]


WRONG: list[Any] = [None, True, -1, 1.5, 10**12, "x", "", [], [None], ["x", 3], {}, {"x": None}, {3: [4]}]
MODELS = {name: stage.parameters({}) for name, stage in STAGES.items()}
MODELS |= {f"kind {kind}": dataset_kind(kind).Options for kind in DATASETS}
MODELS |= {"params.yaml": RunConfig, "recipe": RecipeFile}


@pytest.mark.parametrize("name", MODELS)
def test_no_words_of_pydantic_about_any_value_of_a_user(name):
    """Every key of every model that validates what a user writes, with values of every sort."""
    model = MODELS[name]
    found = [
        problem.text
        for key, field in model.model_fields.items()
        for value in WRONG
        for problem in problems(model, {field.alias or key: value})
    ]
    assert found
    raw = re.compile(r"Input should|should (be|have|match)|valid (string|integer|tuple|dictionary)|\[type=")
    assert [text for text in found if raw.search(text) or "\n" in text] == []
