"""Planning's looks at COCO: masks are drawn where the JSON changed, and nowhere else."""

import os
from pathlib import Path

import pytest
import yaml

from coco_files import write_coco
from seedbed.datasets import coco, known_files
from seedbed.engines.data_state import look
from seedbed.plan.commands import Workflow, masks_command, prepare_command
from stages_in_process import run_command

SIZES = {"a.jpg": (6, 4), "b.jpg": (5, 5)}
CAT = {"image_id": "a.jpg", "category_id": 3, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]]}
PARAMS = {
    "dataset": "mine",
    "recipes": ["one"],
    "datasets": {"mine": {"kind": "coco", "root": "photos", "splits": {"train": {}}}},
}


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry per mask that is drawn; the data set is indexed in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(known_files, "SETTLED_NS", -(10**15))
    Path("recipes").mkdir()
    Path("recipes/one.yaml").write_text("nodes: {classifier: {stage: train_classifier}}")
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
    write_coco(Path("photos"), "train", SIZES, [CAT], {3: "cat"})
    count: list[int] = []
    draw = coco.class_mask

    def counted(*arguments, **options):
        count.append(1)
        return draw(*arguments, **options)

    monkeypatch.setattr(coco, "class_mask", counted)
    workflow = Workflow.read()
    workflow.write_slices()
    run_command(prepare_command(workflow.graph()))
    run_command(masks_command(workflow.graph()))
    count.clear()
    return count


def line() -> str:
    return look(Workflow.read().graph(), write=True).line


def test_masks_are_drawn_where_the_json_changed(drawn: list[int]) -> None:
    assert line() == ""
    assert drawn == [], "prepare_masks left what it drew"
    os.utime("photos/train/a.jpg", ns=(1, 1))
    assert line() == ""
    assert drawn == []
    cow = CAT | {"segmentation": [[0, 0, 3, 0, 3, 3, 0, 3]]}
    write_coco(Path("photos"), "train", SIZES, [cow], {3: "cat"})
    assert line() == "data set changed: 1 mask"
    assert len(drawn) == len(SIZES)
    assert line() == "data set changed: 1 mask"
    assert len(drawn) == len(SIZES)


def test_the_size_of_a_mask_may_be_that_of_its_photograph(drawn: list[int]) -> None:
    """Where the JSON does not tell it, the JSON alone does not say what the mask is."""
    path = Path("photos/annotations/instances_train.json")
    path.write_text(path.read_text().replace(', "width": 6, "height": 4', ""))
    assert line() == ""
    os.utime("photos/train/b.jpg", ns=(1, 1))
    drawn.clear()
    assert line() == ""
    assert len(drawn) == 1
