"""Declarations, the table of kinds, and roots."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from seedbed.datasets import DATASETS, DatasetDeclaration, dataset_options, open_dataset
from seedbed.datasets.table import dataset_kind
from seedbed.errors import SeedbedError


def declare(**content: object) -> DatasetDeclaration:
    return DatasetDeclaration.model_validate({"kind": "voc", "splits": {"train": {}}} | content)


def test_with_is_the_key_of_options():
    declaration = declare(**{"with": {"labels": "image_labels.csv"}})
    assert dataset_options("mine", declaration).labels == "image_labels.csv"
    assert declaration.splits["train"].masks is True
    assert declaration.shards == 1


@pytest.mark.parametrize(
    "content", [{"splits": {}}, {"splits": {"a-b": {}}}, {"splits": {"a/b": {}}}, {"shards": 0}, {"rot": "x"}]
)
def test_declarations_that_are_refused(content):
    with pytest.raises(ValidationError):
        declare(**content)


def test_unknown_kind_is_answered_with_near_names(tmp_path):
    with pytest.raises(SeedbedError, match="unknown kind of data set 'vocc'; did you mean voc"):
        open_dataset("mine", declare(kind="vocc"), tmp_path)


def test_unknown_option_is_answered_with_near_names(tmp_path):
    with pytest.raises(SeedbedError, match=r"'label'; did you mean labels") as caught:
        open_dataset("mine", declare(**{"with": {"label": "x.csv"}}), tmp_path)
    assert "datasets.mine.with" in str(caught.value)


def test_wrong_value_of_an_option_is_one_line(tmp_path):
    with pytest.raises(SeedbedError, match=r"datasets\.mine\.with\.labels: .*got 'x\.xls'") as caught:
        open_dataset("mine", declare(**{"with": {"labels": "x.xls"}}), tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (None, "needs the folder of its files"),
        ("/no/such/folder", "expected a folder at /no/such/folder"),
        ("$NO_SUCH_VARIABLE/x", "uses \\$NO_SUCH_VARIABLE, which is not set"),
    ],
)
def test_missing_roots_say_what_to_set(root, message):
    with pytest.raises(SeedbedError, match=message) as caught:
        open_dataset("mine", declare(root=root))
    assert "set --data-root, or datasets.mine.root in params.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_roots_expand_variables_and_are_overridden(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.setenv("PHOTOS", str(tmp_path))
    assert open_dataset("mine", declare(root="$PHOTOS/photos")).root == tmp_path / "photos"
    assert (
        open_dataset("mine", declare(root="/no/such/folder"), tmp_path / "photos").root == tmp_path / "photos"
    )


@pytest.mark.parametrize("kind", DATASETS)
def test_every_kind_has_what_the_table_needs(kind):
    found = dataset_kind(kind)
    assert isinstance(found.needs_root, bool)
    assert found.Options.model_config["extra"] == "forbid"
    assert all(field.is_required() is False for field in found.Options.model_fields.values())


def test_opening_imports_no_torch():
    code = (
        "import sys; from seedbed.datasets.table import *; [dataset_kind(k) for k in DATASETS];"
        "assert not {'torch', 'timm', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
