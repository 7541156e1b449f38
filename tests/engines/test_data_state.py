"""A data set of files that changes after it was indexed: what planning says, and what it makes stale."""

import json
import os
import shutil
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from seedbed.datasets import known_files
from seedbed.datasets.content import Changes, Content, MaskRow, Row, changes
from seedbed.datasets.folder import FolderDataset
from seedbed.datasets.labels import read_annotations
from seedbed.engines.data_state import DataState, look
from seedbed.engines.mtimes import newer_inputs, settle
from seedbed.engines.soundness import CACHED, Examiner
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow, masks_command, prepare_command
from seedbed.runtime.opening import open_inputs
from seedbed.stages.evaluate import STAGE
from seedbed.verbs.doctor import examine
from seedbed.verbs.show import plan_text
from stages_in_process import run_command

PARAMS: dict[str, Any] = {
    "dataset": "pets",
    "recipes": ["one"],
    "datasets": {
        "pets": {
            "kind": "folder",
            "root": "photos",
            "splits": {"train": {}, "val": {"masks": False}},
            "with": {"images": "images", "masks": "masks"},
        }
    },
}
RECIPE = {"nodes": {"classifier": {"stage": "train_classifier"}}}
LABELS = ["image_id,cat,dog,split", "a,1,0,train", "b,0,1,train", "c,1,1,val"]
PHOTOS, DATA, MASKS = (
    Path("photos"),
    Path("results/.params/pets/data.json"),
    Path("results/pets/index/masks.csv"),
)


def paint(name: str, value: int) -> None:
    pixels = np.full((4, 6), value, np.uint8)
    Image.fromarray(np.stack([pixels] * 3, -1)).save(PHOTOS / "images" / f"{name}.png")


def paint_mask(name: str, *indices: int) -> None:
    Image.fromarray(np.resize(np.uint8(indices), (4, 6))).save(PHOTOS / "masks" / f"{name}.png")


def write_labels(lines: list[str]) -> None:
    (PHOTOS / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose data set is indexed."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("photos/images", "photos/masks", "recipes"):
            Path(name).mkdir(parents=True)
        Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
        Path("recipes/one.yaml").write_text(yaml.safe_dump(RECIPE))
        for value, name in enumerate("abc"):
            paint(name, value)
        paint_mask("a", 0, 1)
        paint_mask("b", 0, 2)
        write_labels(LABELS)
        workflow = Workflow.read()
        workflow.write_slices()
        run_command(prepare_command(workflow.graph()))
        run_command(masks_command(workflow.graph()))
    return folder


@pytest.fixture
def workflow(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    """A copy of it that planning has looked at once, long after its files were written."""
    shutil.copytree(made, tmp_path / "tree")
    monkeypatch.chdir(tmp_path / "tree")
    monkeypatch.setattr(known_files, "SETTLED_NS", -(10**15))
    found = Workflow.read()
    found.write_slices()
    assert look(found.graph(), write=True) == look(found.graph(), write=True)
    return found


def planned() -> tuple[DataState, Examiner]:
    """What a new planning sees."""
    workflow = Workflow.read()
    data = look(workflow.graph(), write=True)
    return data, Examiner(workflow.graph(), "hash", data)


def index_anew() -> None:
    """Run what is stale of the two commands."""
    graph = Workflow.read().graph()
    if Examiner(graph).index() != CACHED:
        run_command(prepare_command(graph))
    if Examiner(graph).masks() != CACHED:
        run_command(masks_command(graph))


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        pytest.fail("a photograph or a mask was opened")

    monkeypatch.setattr("seedbed.datasets.index.file_digest", refuse)
    monkeypatch.setattr("PIL.Image.open", refuse)


def relabel(**lines: str) -> Callable[[], None]:
    """Other rows of `labels.csv`, by id; an empty one is left out."""

    def change() -> None:
        rows = {line.split(",")[0]: line for line in LABELS} | lines
        write_labels([line for line in rows.values() if line])

    return change


def add() -> None:
    paint("d", 9)
    paint_mask("d", 0, 2)
    relabel(d="d,0,1,train")()


def replace_and_label() -> None:
    paint("b", 77)
    relabel(b="b,1,1,train")()


def overwrite() -> None:
    (PHOTOS / "images/c.png").write_text("not an image")


def add_class() -> None:
    write_labels([f"{line},{'cow' if k == 0 else int(k == 1)}" for k, line in enumerate(LABELS)])


def reorder_classes() -> None:
    write_labels(["image_id,dog,cat,split", "a,0,1,train", "b,1,0,train", "c,1,1,val"])


def rename() -> None:
    for folder in ("images", "masks"):
        (PHOTOS / folder / "b.png").rename(PHOTOS / folder / "e.png")
    write_labels([line.replace("b,", "e,") for line in LABELS])


CHANGES: dict[str, tuple[Callable[[], None], str]] = {
    "label": (relabel(a="a,1,1,train"), "1 label"),
    "labels": (relabel(a="a,1,1,train", c="c,0,1,val"), "2 labels"),
    "added": (add, "1 photograph"),
    "dropped": (relabel(b=""), "1 photograph"),
    "replaced": (lambda: paint("b", 77), "1 photograph"),
    "replaced and labelled": (replace_and_label, "1 photograph, 1 label"),
    "deleted": ((PHOTOS / "images/c.png").unlink, "1 photograph"),
    "overwritten": (overwrite, "1 photograph"),
    "class added": (add_class, "1 class"),
    "classes in another order": (reorder_classes, "order of images or classes"),
    "renamed": (rename, "2 photographs"),
    "rows in another order": (
        lambda: write_labels([LABELS[0], *LABELS[:0:-1]]),
        "order of images or classes",
    ),
    "moved to another split": (relabel(b="b,0,1,val"), "1 image in another split"),
}


FAULTY = ("deleted", "overwritten", "classes in another order")
"""Changes that `prepare_dataset` refuses: in another order, the classes contradict the masks."""


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_told_and_makes_the_index_stale(workflow: Workflow, change: str) -> None:
    make, told = CHANGES[change]
    before = DATA.read_bytes()
    make()
    data, examiner = planned()
    assert data.line == f"data set changed: {told}"
    assert data.index_fault == examiner.index().why == data.line
    assert examiner.masks().status == "stale"
    assert DATA.read_bytes() != before
    assert DATA in newer_inputs(prepare_command(workflow.graph()))


@pytest.mark.parametrize("change", [c for c in CHANGES if c not in FAULTY])
def test_once_indexed_it_is_no_change_any_more(workflow: Workflow, change: str) -> None:
    CHANGES[change][0]()
    planned()
    told = DATA.read_bytes()
    index_anew()
    data, examiner = planned()
    assert data.notes == []
    assert (examiner.index(), examiner.masks()) == (CACHED, CACHED)
    assert DATA.read_bytes() == told
    assert newer_inputs(prepare_command(workflow.graph())) == []


def test_a_change_taken_back_is_none(workflow: Workflow) -> None:
    labels, told = (PHOTOS / "labels.csv").read_bytes(), DATA.read_bytes()
    relabel(a="a,1,1,train")()
    assert planned()[0].line
    (PHOTOS / "labels.csv").write_bytes(labels)
    assert planned()[0].line == ""
    assert DATA.read_bytes() == told
    assert newer_inputs(prepare_command(workflow.graph())) == []
    assert settle(Workflow.read()) == []


@pytest.mark.parametrize("indices", [(0, 2, 1), (255,), (0,)], ids=["repainted", "blank", "background"])
def test_a_repainted_mask_concerns_the_masks_alone(workflow: Workflow, indices: tuple[int, ...]) -> None:
    index = (MASKS.with_name("manifest.json").read_bytes(), DATA.read_bytes())
    paint_mask("a", *indices)
    data, examiner = planned()
    assert data.line == "data set changed: 1 mask"
    assert examiner.index() == CACHED
    assert examiner.masks().why == data.line
    assert newer_inputs(prepare_command(workflow.graph())) == []
    assert newer_inputs(masks_command(workflow.graph())) == [DATA.with_name("masks-data.json")]
    index_anew()
    assert planned()[1].masks() == CACHED
    assert (MASKS.with_name("manifest.json").read_bytes(), DATA.read_bytes()) == index


def test_a_mask_of_a_split_without_masks_is_nobodys(workflow: Workflow) -> None:
    paint_mask("c", 0)
    assert planned()[0].line == ""


def test_a_deleted_mask_is_named_when_masks_are_indexed(workflow: Workflow) -> None:
    (PHOTOS / "masks/a.png").unlink()
    assert planned()[0].line == "data set changed: 1 mask"
    with pytest.raises(AssertionError, match="prepare_masks"):
        index_anew()


def touch(path: str) -> None:
    os.utime(PHOTOS / path, (1, 1))


def save_mask_again() -> None:
    path = PHOTOS / "masks/a.png"
    Image.open(path).save(path, compress_level=0)


def put_a_file_beside() -> None:
    (PHOTOS / "images/notes.txt").write_text("beside")


def move_to_sub_folder() -> None:
    for folder in (PHOTOS / "images", PHOTOS / "masks"):
        (folder / "sub").mkdir()
        (folder / "a.png").rename(folder / "sub/a.png")


EQUAL: dict[str, Callable[[], None]] = {
    "photograph touched": partial(touch, "images/a.png"),
    "mask touched": partial(touch, "masks/a.png"),
    "labels touched": partial(touch, "labels.csv"),
    "mask saved again": save_mask_again,
    "another file": put_a_file_beside,
    "moved, same id": move_to_sub_folder,
}


@pytest.mark.parametrize("change", EQUAL)
def test_equal_content_is_no_change(workflow: Workflow, change: str) -> None:
    EQUAL[change]()
    data, examiner = planned()
    assert data.notes == []
    assert (examiner.index(), examiner.masks()) == (CACHED, CACHED)
    assert newer_inputs(prepare_command(workflow.graph())) == []
    assert newer_inputs(masks_command(workflow.graph())) == []


def test_nothing_is_opened_where_nothing_changed(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    no_reading(monkeypatch)
    monkeypatch.setattr("seedbed.engines.data_state.open_dataset", lambda *a: pytest.fail("opened"))
    assert planned()[0].line == ""


def test_only_what_has_new_times_is_opened(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    relabel(a="a,1,1,train")()
    no_reading(monkeypatch)
    assert planned()[0].line == "data set changed: 1 label"


def test_no_photograph_is_looked_for_where_only_labels_changed(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    relabel(a="a,1,1,train")()
    with monkeypatch.context() as patch:
        patch.setattr(FolderDataset, "source", lambda *a: pytest.fail("looked for"))
        assert planned()[0].line == "data set changed: 1 label"
    relabel(c="c,0,1,val")()
    with monkeypatch.context() as patch:
        patch.setattr(FolderDataset, "source", lambda *a: pytest.fail("looked for"))
        assert planned()[0].line == "data set changed: 1 label"


def test_pixels_that_change_after_a_label_are_seen(workflow: Workflow) -> None:
    """What is known of photographs and masks does not outlive a look that saw only labels."""
    relabel(a="a,1,1,train")()
    assert planned()[0].line == "data set changed: 1 label"
    paint("b", 77)
    paint_mask("a", 0, 2)
    assert planned()[0].line == "data set changed: 1 photograph, 1 label, 1 mask"
    relabel()()
    assert planned()[0].line == "data set changed: 1 photograph, 1 mask"
    paint("b", 1)
    paint_mask("a", 0, 1)
    assert planned()[0].line == ""
    (PHOTOS / "images/sub").mkdir()
    shutil.copy(PHOTOS / "images/b.png", PHOTOS / "images/b.jpg")
    relabel(a="a,1,1,train")()
    assert "photograph" in planned()[0].line


def test_a_long_look_is_counted_at_a_terminal(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seedbed.engines.progress_line.FIRST_S", 0.0)
    monkeypatch.setattr("seedbed.engines.progress_line.PAUSE_S", 0.0)
    paint("a", 8)
    planned()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    paint("b", 8)
    planned()
    assert capsys.readouterr() == ("", "\rreading data set pets: 1 files read\r\x1b[K")


def test_annotations_are_read_where_they_are_new(tmp_path: Path) -> None:
    """What is remembered of one file is the set of its names, whichever classes are asked for."""
    known: dict[str, str] = {}
    asked: list[str] = []

    def remember(path: Path | str, compute: Callable[[], str]) -> str:
        if str(path) not in known:
            asked.append(Path(path).name)
            known[str(path)] = compute()
        return known[str(path)]

    bodies = {"a": ["cat", "cat", "dog"], "b": [], "c": [" dog "]}
    for name, names in bodies.items():
        objects = "".join(f"<object><name>{one}</name></object>" for one in names)
        (tmp_path / f"{name}.xml").write_text(f"<annotation>{objects}</annotation>")
    (tmp_path / "d.xml").write_text("<annotation>")
    rows = {"a": [True, True], "b": [False, False], "c": [False, True]}
    for expected in (["a.xml", "b.xml", "c.xml", "d.xml", "e.xml"], ["d.xml", "e.xml"]):
        asked.clear()
        table = read_annotations(tmp_path, ["cat", "dog"], ["cat", "dog"], list("abcde"), remember)
        assert {name: row.tolist() for name, row in table.rows.items()} == rows
        assert list(table.refused) == ["d"]
        assert asked == expected


def test_what_changed_just_now_is_not_believed(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second change in the same tick of a coarse clock has the same size and times."""
    monkeypatch.setattr(known_files, "SETTLED_NS", 2_000_000_000)
    paint("a", 50)
    planned()
    known = json.loads(DATA.with_name("known.json").read_bytes())
    assert known["look"] is None
    assert not any(path.endswith("images/a.png") for path in known["photographs"])


def test_without_what_is_known_everything_is_read_once(workflow: Workflow) -> None:
    for name in ("known.json", "data.json"):
        DATA.with_name(name).unlink()
    paint_mask("b", 0)
    paint("b", 5)
    assert planned()[0].line == "data set changed: 1 photograph, 1 mask"


@pytest.mark.parametrize("known", ["", "[]", "{", '{"photographs": 3, "masks": [], "look": {"places": 4}}'])
def test_a_damaged_file_of_what_is_known_is_read_over(workflow: Workflow, known: str) -> None:
    DATA.with_name("known.json").write_text(known)
    assert planned()[0].line == ""
    paint("a", 8)
    assert planned()[0].line == "data set changed: 1 photograph"


@pytest.mark.parametrize(
    ("old", "new"), [('"changes": [0', '"changes": [7'), ('"content": "', '"content": "0')]
)
def test_what_is_known_vouches_for_itself(workflow: Workflow, old: str, new: str) -> None:
    planned()
    path = DATA.with_name("known.json")
    told, text = DATA.read_bytes(), path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    assert planned()[0].line == ""
    assert DATA.read_bytes() == told


def test_nothing_is_said_where_the_data_set_is_not(workflow: Workflow) -> None:
    told = DATA.read_bytes()
    PHOTOS.rename("elsewhere")
    data, examiner = planned()
    assert data.line == ""
    assert (examiner.index(), examiner.masks()) == (CACHED, CACHED)
    assert DATA.read_bytes() == told
    assert newer_inputs(prepare_command(workflow.graph())) == []


def test_dvc_is_told_the_same_before_and_after(workflow: Workflow) -> None:
    """`resolve` reads a data set that is not indexed; DVC would index it again if that told something else."""
    told = [path.read_bytes() for path in (DATA, DATA.with_name("masks-data.json"))]
    shutil.rmtree("results")
    fresh = Workflow.read()
    fresh.write_slices()
    look(fresh.graph(), write=True, whole=True)
    assert [path.read_bytes() for path in (DATA, DATA.with_name("masks-data.json"))] == told


def test_what_cannot_be_read_makes_the_index_stale(workflow: Workflow) -> None:
    (PHOTOS / "labels.csv").unlink()
    data, examiner = planned()
    assert "labels.csv" in data.line
    assert examiner.index().why == data.line


def test_generated_images_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    declared = {"kind": "composites", "splits": {"train": {}}, "with": {"images": {"train": 1}, "size": 32}}
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | {"datasets": {"pets": declared}}))
    Path("recipes").mkdir()
    Path("recipes/one.yaml").write_text(yaml.safe_dump(RECIPE))
    workflow = Workflow.read()
    workflow.write_slices()
    told = DATA.read_bytes()
    assert look(workflow.graph(), write=True, whole=True) == DataState()
    run_command(prepare_command(workflow.graph()))
    assert look(workflow.graph(), write=True, whole=True) == DataState()
    assert DATA.read_bytes() == told
    assert newer_inputs(prepare_command(workflow.graph())) == []


@pytest.mark.parametrize("name", ["index.csv", "manifest.json", "masks.csv"])
def test_a_damaged_index_is_put_back(workflow: Workflow, name: str) -> None:
    path = MASKS.with_name(name)
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b"a", b"b", 1))
    data, examiner = planned()
    assert data.notes == [f"{path} was damaged and is restored"]
    assert path.read_bytes() == sound
    assert (examiner.index(), examiner.masks()) == (CACHED, CACHED)
    assert settle(Workflow.read()) == []
    for command in (prepare_command(workflow.graph()), masks_command(workflow.graph())):
        assert newer_inputs(command) == []


@pytest.mark.parametrize("name", ["index.csv", "manifest.json", "masks.csv"])
def test_a_link_to_itself_is_replaced(workflow: Workflow, name: str) -> None:
    path = MASKS.with_name(name)
    sound = path.read_bytes()
    path.unlink()
    path.symlink_to(name)
    assert planned()[0].notes == [f"{path} was damaged and is restored"]
    assert not path.is_symlink()
    assert path.read_bytes() == sound


@pytest.mark.parametrize("name", ["index.csv", "manifest.json", "masks.csv"])
def test_what_cannot_be_put_back_stays_stale(workflow: Workflow, name: str) -> None:
    path = MASKS.with_name(name)
    path.unlink()
    path.mkdir()
    data, examiner = planned()
    assert data.notes == []
    assert name in (examiner.masks() if name == "masks.csv" else examiner.index()).why


@pytest.mark.parametrize("name", ["index.csv", "manifest.json"])
def test_what_was_deleted_stays_deleted(workflow: Workflow, name: str) -> None:
    MASKS.with_name(name).unlink()
    assert planned()[0].notes == []
    assert not MASKS.with_name(name).exists()


def test_a_look_without_writing_writes_nothing(workflow: Workflow) -> None:
    def files() -> dict[Path, tuple[bytes, int]]:
        found = (path for path in Path("results").rglob("*") if path.is_file())
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    relabel(a="a,1,1,train")()
    MASKS.write_bytes(b"damaged")
    before = files()
    assert look(Workflow.read().graph()).line == "data set changed: 1 label"
    assert files() == before


def test_plan_and_doctor_say_it(workflow: Workflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedbed.verbs.doctor.selected_tasks", lambda workflow, name: ({}, []))
    relabel(a="a,1,1,train")()
    assert "data set changed: 1 label" in plan_text(Workflow.read(), ("all",)).splitlines()
    assert "data set changed: 1 label" in examine(Workflow.read()).notes


def test_masks_are_verified_where_they_are_read(workflow: Workflow) -> None:
    paint_mask("a", 0)
    slice_ = {"stage": STAGE.name, "stage_version": STAGE.version, "dataset": "pets", "parameters": {}}
    Path("results/.params/pets/x.json").write_text(json.dumps(slice_))
    options = Namespace(
        params=Path("results/.params/pets/x.json"),
        index=MASKS.with_name("manifest.json"),
        target=None,
        data_root=None,
    )
    dataset = open_inputs(STAGE, options).dataset
    assert dataset.mask("b").tolist()[0] == [0, 2, 0, 2, 0, 2]
    with pytest.raises(SeedbedError, match="the mask of image 'a' has changed since the masks were indexed"):
        dataset.mask("a")


def content(classes: tuple[str, ...], rows: list[str], masks: list[str]) -> Content:
    """Rows as `id split digest labels`, masks as `id split digest`."""
    pictures = tuple(Row(*row.split(" ")) for row in rows)
    return Content(classes, pictures, tuple(MaskRow(*row.split(" ")) for row in masks))


def test_changes_are_counted() -> None:
    """Photographs a, d; labels cat of a, and of c, whose were not understood; classes cow, dog; split of b; mask a."""
    old = content(
        ("cat", "dog"), ["a train 1 10", "b train 2 01", "b val 2 01", "c val 3 "], ["a train m", "b val n"]
    )
    new = content(
        ("cow", "cat"), ["a train 9 00", "b train 2 00", "c val 3 00", "d val 4 00"], ["a train x", "d val o"]
    )
    assert changes(old, old) == Changes()
    found = changes(old, new)
    assert found == Changes(photographs=2, labels=2, classes=2, splits=1, order=0, masks=1)
    assert str(found) == "2 photographs, 2 labels, 2 classes, 1 image in another split, 1 mask"
