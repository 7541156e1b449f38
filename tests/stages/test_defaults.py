"""Defaults are pinned: none changes without a new version of its stage (`record_defaults` keeps the record)."""

import copy
import json
from pathlib import Path

import pytest

from stages import record_defaults
from stages.record_defaults import RECORD, Record, current, lowered_versions, unversioned_changes

RECORDED: Record = json.loads(RECORD.read_text())


def test_no_default_changed_without_a_new_version() -> None:
    refused = unversioned_changes(RECORDED, current()) + lowered_versions(RECORDED, current())
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("key", current())
def test_the_record_is_up_to_date(key: str) -> None:
    assert RECORDED.get(key) == current()[key], (
        f"{key} is recorded otherwise: run `{record_defaults.COMMAND}`"
    )


def test_the_record_holds_no_stage_that_is_gone() -> None:
    assert RECORDED.keys() <= current().keys(), f"run `{record_defaults.COMMAND}`"


def changed(key: str, version: int = 0, **defaults: object) -> Record:
    record = copy.deepcopy(RECORDED)
    record[key]["stage_version"] += version
    record[key]["defaults"] |= defaults
    return record


def test_a_changed_default_is_told_with_what_to_do() -> None:
    assert unversioned_changes(RECORDED, changed("dump_cams", flip=False)) == [
        "dump_cams: default of flip was True, is False: raise stage_version of dump_cams and run `make generate`"
    ]


def test_a_removed_default_is_told() -> None:
    record = copy.deepcopy(RECORDED)
    del record["train_classifier/cam"]["defaults"]["lr"]
    (line,) = unversioned_changes(RECORDED, record)
    assert "default of lr was 0.01, is 'removed': raise stage_version of train_classifier" in line


def test_defaults_of_models_inside_are_recorded_even_where_they_are_unused() -> None:
    defaults = RECORDED["train_classifier/cam"]["defaults"]
    assert defaults["augmentation.randaugment"] is None
    assert "augmentation.randaugment.n" in defaults


def test_a_changed_default_with_a_new_version_is_fine() -> None:
    assert unversioned_changes(RECORDED, changed("dump_cams", version=1, flip=False)) == []


def test_an_added_option_needs_recording_only() -> None:
    assert unversioned_changes(RECORDED, changed("dump_cams", brightness=1.0)) == []


@pytest.mark.parametrize("value", [None, 1.0])
def test_an_option_added_inside_a_model_is_neutral_at_its_own_default_only(value: float | None) -> None:
    inside = RECORDED["train_classifier/cam"]["defaults"]["augmentation"] | {"blur": value}
    record = changed("train_classifier/cam", **{"augmentation": inside, "augmentation.blur": None})
    lines = unversioned_changes(RECORDED, record)
    assert [line.partition(" was ")[0] for line in lines] == (
        [] if value is None else ["train_classifier/cam: default of augmentation"]
    )


def test_a_lowered_version_is_told() -> None:
    assert lowered_versions(changed("dump_cams", version=1), RECORDED) == [
        f"dump_cams: stage_version was {RECORDED['dump_cams']['stage_version'] + 1}, "
        f"is {RECORDED['dump_cams']['stage_version']}: never lower it"
    ]


def test_the_command_refuses_to_record_an_unversioned_change(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = RECORD.read_bytes()
    monkeypatch.setattr(record_defaults, "current", lambda: changed("dump_cams", flip=False))
    assert record_defaults.main() == 1
    assert "raise stage_version of dump_cams" in capsys.readouterr().err
    assert RECORD.read_bytes() == before


def test_the_command_records_what_is_new(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "defaults.json"
    monkeypatch.setattr(record_defaults, "RECORD", path)
    assert record_defaults.main() == 0
    assert json.loads(path.read_text()) == current()
