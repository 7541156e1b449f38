"""The contract of a stage: parameters are checked in one line, slices hold what differs from the defaults."""

from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from seedbed.artifacts.forms import FORMS
from seedbed.errors import SeedbedError
from seedbed.runtime.contract import Input, Parameters, ShardedParameters, Stage
from seedbed.validation import validate_model


class Inner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    crop: int = 320
    colour_jitter: float = 0.0


class Toy(ShardedParameters):
    scales: tuple[float, ...] = (0.5, 1.0)
    mode: Literal["argmax", "same_pair"] = "argmax"
    inner: Inner = Inner()
    named: dict[str, Inner | None] = Field(default_factory=dict)
    threshold: str = "0.30"

    @field_validator("threshold")
    @classmethod
    def _decimals(cls, value: str) -> str:
        if float(value) > 1:
            raise ValueError("expected a threshold of at most 1; write it like 0.30")
        return f"{float(value):.2f}"


def toy_model(raw: Any) -> type[Parameters]:
    if raw.get("mode") == "nothing":
        raise SeedbedError("unknown method 'nothing'; known: argmax")
    return Toy


TOY = Stage(
    name="toy",
    version=1,
    summary="",
    parameters=toy_model,
    inputs={"cams": Input(("cams",))},
    resources="pixels",
    makes="regions",
)


def refusal(raw: dict[str, Any]) -> str:
    with pytest.raises(SeedbedError) as caught:
        TOY.validate(raw, "recipe r, node n")
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("recipe r, node n (stage toy): ")
    return text.removeprefix("recipe r, node n (stage toy): ")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"scale": [1]}, "unknown key 'scale'; did you mean scales?"),
        (
            {"qqq": 1},
            "unknown key 'qqq'; known: inner, mode, named, scales, splits, threshold, torch_threads.",
        ),
        ({"inner": {"crops": 3}}, "inner: unknown key 'crops'; did you mean crop?"),
        (
            {"named": {"x": {"colour_jiter": 3}}},
            "named.x: unknown key 'colour_jiter'; did you mean colour_jitter?",
        ),
        ({"mode": "argmx"}, "mode: expected 'argmax' or 'same_pair', got 'argmx'; did you mean argmax?"),
        ({"torch_threads": 0}, "torch_threads: expected at least 1, got 0"),
        ({"inner": {"crop": "wide"}}, "inner.crop: expected a whole number, got 'wide'"),
        ({"threshold": "1.5"}, "threshold: expected a threshold of at most 1; write it like 0.30"),
        ({"mode": "nothing"}, "unknown method 'nothing'; known: argmax"),
    ],
)
def test_a_wrong_parameter_is_one_line_that_names_the_key(raw: dict[str, Any], problem: str) -> None:
    assert refusal(raw).startswith(problem)


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = refusal({"scale": [1], "mode": "argmx"})
    assert "'scale'" in text
    assert "'argmx'" in text


def test_the_slice_holds_only_what_differs_from_the_defaults() -> None:
    parameters = TOY.validate(
        {"scales": [0.5, 1], "inner": {"crop": 96, "colour_jitter": 0}, "threshold": "0.3"}, ""
    )
    assert parameters.slice() == {"inner": {"crop": 96}}
    assert TOY.validate({}, "").slice() == {}


def test_equal_values_written_in_other_ways_give_one_slice() -> None:
    written = [{"scales": [1, 2]}, {"scales": (1.0, 2.0)}, {"scales": [1.0, 2.0], "mode": "argmax"}]
    slices = [TOY.validate(raw, "").slice() for raw in written]
    assert slices == [{"scales": [1.0, 2.0]}] * 3


def test_a_stage_writes_as_its_meanings_form_says() -> None:
    assert TOY.sharded
    assert (TOY.suffix, TOY.files) == (".zip", ())
    network = Stage("t", 1, "", toy_model, {}, "training", makes="classifier")
    assert not network.sharded
    assert (network.suffix, network.files) == ("", FORMS["networks"].files)
    index = Stage("t", 1, "", toy_model, {}, "counts", own_files=("index.csv",))
    assert (index.sharded, index.suffix, index.files) == (False, "", ("index.csv",))


@pytest.mark.parametrize(
    ("resources", "gpu"), [("training", True), ("inference", True), ("pixels", False), ("counts", False)]
)
def test_the_resource_class_says_whether_a_job_wants_a_gpu(resources: Any, gpu: bool) -> None:
    assert Stage("t", 1, "", toy_model, {}, resources).gpu is gpu


def test_a_stage_uses_the_regions_axis_only_where_it_says_so() -> None:
    class WithRegions(Parameters):
        REGIONS = True

    assert WithRegions().uses_regions()
    assert not Parameters().uses_regions()


def test_other_models_are_checked_in_the_same_way() -> None:
    with pytest.raises(SeedbedError, match=r"^data set voc: unknown key 'crp'; did you mean crop\?$"):
        validate_model(Inner, {"crp": 1}, "data set voc")
