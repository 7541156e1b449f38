"""The table of meanings: each has a form, and inputs name meanings or forms."""

import pytest

from seedbed.artifacts.forms import FORMS
from seedbed.artifacts.meanings import MEANINGS, TRUE_MASKS, takes
from seedbed.plan.commands import ALL_STAGES
from seedbed.stages.registry import STAGES


def test_no_meaning_is_named_like_a_form_or_the_true_masks() -> None:
    assert not {*MEANINGS} & {*FORMS, TRUE_MASKS}


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_a_form_is_whole_or_sharded(form) -> None:
    assert bool(form.files) != bool(form.sharding)
    assert set(form.shown) <= set(form.files)


@pytest.mark.parametrize("stage", ALL_STAGES.values(), ids=lambda stage: stage.name)
def test_every_input_names_what_there_is(stage) -> None:
    for spec in stage.inputs.values():
        assert set(spec.takes) <= {*MEANINGS, *FORMS, TRUE_MASKS}


def test_every_meaning_is_made_by_a_stage() -> None:
    assert {stage.makes for stage in STAGES.values()} == set(MEANINGS)


def test_an_input_takes_meanings_and_forms() -> None:
    assert takes(("cams",), MEANINGS["cams"])
    assert takes(("maps",), MEANINGS["cams"])
    assert not takes(("cams", "label_maps"), MEANINGS["refined_cams"])
