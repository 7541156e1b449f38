"""`seedbed init`: what it makes of folders as people have them, and that `doctor` finds no fault in it."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from seedbed import cli
from seedbed.errors import SeedbedError
from seedbed.plan.commands import Workflow
from seedbed.runtime.machine import GB, Machine
from seedbed.verbs.doctor import examine
from seedbed.verbs.init import Initialised, initialise
from seedbed.verbs.init_folder import Layout, look, negatives

RECIPES = Path(__file__).parents[2] / "recipes"
pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
MACHINE = Machine(2, 24 * GB)
PARAMS = """\
# What to run.
dataset: toy  # for now
recipes: [psa]
datasets:
  toy: {kind: composites, splits: {train: {}, val: {}}}  # ours
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "checkout"
    (folder / "recipes").mkdir(parents=True)
    shutil.copy(RECIPES / "psa.yaml", folder / "recipes")
    (folder / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "my birds").mkdir()
    return tmp_path / "my birds"


def photographs(folder: Path, names: Iterable[str], size: tuple[int, int] = (48, 36)) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (9, 99, 199)).save(folder / name)


def masks(folder: Path, names: Iterable[str], index: int = 1) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 36), index).save(folder / name)


def table(folder: Path, header: str, rows: Iterable[str], name: str = "labels.csv") -> None:
    (folder / name).write_text("\n".join([header, *rows]) + "\n")


def flat(folder: Path, count: int = 6) -> None:
    """Photographs beside a CSV, of which every second shows a robin, the others a wren."""
    photographs(folder, [f"{k}.jpg" for k in range(count)])
    table(folder, "image_id,robin,wren", [f"{k}.jpg,{k % 2},{1 - k % 2}" for k in range(count)])


def init(folder: Path, **options: Any) -> Initialised:
    return initialise(folder, machine=MACHINE, **options)


def declared(checkout: Path, name: str) -> dict[str, Any]:
    """The block that was written, after `doctor` found nothing wrong with it and the recipes could be planned."""
    workflow = Workflow.read(checkout)
    assert workflow.config.dataset == name
    assert examine(workflow).faults == []
    assert workflow.commands()
    found: dict[str, Any] = yaml.safe_load((checkout / "params.yaml").read_text())["datasets"][name]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_csv(checkout: Path, photos: Path) -> None:
    flat(photos)
    before = contents(photos)
    told = init(photos)
    assert told.faults == []
    assert declared(checkout, "my-birds") == {
        "kind": "folder",
        "root": str(photos),
        "splits": {"train": {"masks": False}},
    }
    text = (checkout / "params.yaml").read_text()
    assert text.startswith("# What to run.\ndataset: my-birds  # for now\n")
    assert contents(photos) == before
    lines = "\n".join(told.lines)
    for line in (
        f"folder: {photos}, 6 photographs, the largest 48 × 36",
        "splits: labels.csv has no column `split`; all photographs are trained on",
        "class 'robin': train 3",
        "crop 32, resize_long 32 to 64  the median photograph is 48 × 36",
        "-dataset: toy  # for now\n+dataset: my-birds  # for now\n datasets:\n+  my-birds:",
        "+    predict: {splits: [train]}",
        "  seedbed doctor ",
        "  seedbed export psa.predictions --out masks ",
    ):
        assert line in lines


def test_sub_folders_as_classes(checkout: Path, photos: Path) -> None:
    photographs(photos, [f"{c}/{k}.jpg" for c in ("robin", "wren") for k in range(3)])
    assert init(photos, name="birds").faults == []
    assert declared(checkout, "birds")["with"] == {"labels": "folders"}


def test_one_class_needs_photographs_without_it(checkout: Path, photos: Path) -> None:
    photographs(photos, [f"robin/{k}.jpg" for k in range(4)])
    before = (checkout / "params.yaml").read_bytes()
    assert init(photos) == Initialised(
        [],
        [
            "data set 'my-birds': all 4 images of split 'train' have the label 'robin', from which recipe psa, node"
            " classifier learns nothing; add about as many images without it (rows of zeros in a CSV, or a sub-folder"
            " `background`)"
        ],
    )
    assert (checkout / "params.yaml").read_bytes() == before
    photographs(photos, [f"background/{k}.jpg" for k in range(3)])
    assert "class 'robin': train 4" in init(photos).lines
    assert declared(checkout, "my-birds")["with"] == {"labels": "folders"}


def test_masks_that_mirror_the_photographs_are_declared(checkout: Path, photos: Path) -> None:
    photographs(photos, [f"images/{k}.jpg" for k in range(6)])
    table(
        photos,
        "image_id,split,robin",
        [f"{k}.jpg,{'val' if k > 3 else 'train'},{int(k != 1)}" for k in range(6)],
    )
    masks(photos, [f"masks/{k}.png" for k in (3, 4, 5)])
    told = init(photos)
    assert "masks: masks: train 1 of 4, val 2 of 2; they are used for scores only" in told.lines
    written = yaml.safe_load((checkout / "params.yaml").read_text())["settings"]["my-birds"]
    assert "evaluate" not in written
    assert "pseudo_masks" not in written
    assert declared(checkout, "my-birds") == {
        "kind": "folder",
        "root": str(photos),
        "splits": {"train": {"masks": False}, "val": {}},
        "with": {"images": "images", "masks": "masks"},
    }


def test_masks_with_faults_are_left_out_and_it_says_why(checkout: Path, photos: Path) -> None:
    flat(photos)
    masks(photos, [f"masks/{k}.png" for k in range(6)], index=77)
    told = init(photos)
    assert told.faults == []
    (line,) = [line for line in told.lines if line.startswith("masks: ")]
    assert line.startswith("masks: masks is not used: ")
    assert "unknown index 77" in line
    assert declared(checkout, "my-birds")["splits"] == {"train": {"masks": False}}


def test_masks_with_other_indices_name_mask_indices(checkout: Path, photos: Path) -> None:
    """The labels tell which index is whose, and what the line says can be pasted."""
    flat(photos)
    for k in range(6):
        masks(photos, [f"masks/{k}.png"], index=30 if k % 2 else 10)
    (line,) = [line for line in init(photos).lines if line.startswith("mask_indices: ")]
    assert line == (
        "mask_indices: the masks hold the indices 10, 30; to use them, write `mask_indices: {robin: 30, wren: 10}` "
        "below `with`, and leave `masks: false` out"
    )
    text = (checkout / "params.yaml").read_text()
    text = text.replace("masks: masks", "masks: masks, mask_indices: {robin: 30, wren: 10}")
    (checkout / "params.yaml").write_text(text.replace("train: {masks: false}", "train: {}"))
    assert declared(checkout, "my-birds")["with"]["mask_indices"] == {"robin": 30, "wren": 10}


def test_an_index_that_labels_do_not_tell_is_left_open(checkout: Path, photos: Path) -> None:
    flat(photos)
    masks(photos, [f"masks/{k}.png" for k in range(6)], index=77)
    (line,) = [line for line in init(photos).lines if line.startswith("mask_indices: ")]
    assert "write `mask_indices: {robin: …, wren: …}` below `with`" in line


def test_large_photographs_with_other_indices(checkout: Path, photos: Path) -> None:
    photographs(photos, [f"{k}.jpg" for k in range(6)], (2000, 1500))
    table(photos, "image_id,robin,wren", [f"{k}.jpg,{k % 2},{1 - k % 2}" for k in range(6)])
    for k in range(6):
        (photos / "masks").mkdir(exist_ok=True)
        Image.new("L", (2000, 1500), 30 if k % 2 else 10).save(photos / f"masks/{k}.png")
    told = init(photos)
    assert declared(checkout, "my-birds")["longest"] < 2000
    assert any("write `mask_indices: {robin: 30, wren: 10}`" in line for line in told.lines)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("by", ["table", "folders"])
def test_masks_of_a_wrong_kind_are_neither_photographs_nor_a_class(
    checkout: Path, photos: Path, by: str, suffix: str
) -> None:
    if by == "table":
        flat(photos, 4)
    else:
        photographs(photos, [f"{name}/{k}.jpg" for name in ("robin", "wren") for k in range(2)])
    names = [p.relative_to(photos).with_suffix(suffix) for p in photos.rglob("*.jpg")]
    photographs(photos / "masks", map(str, names))
    lines, faults = init(photos)
    assert faults == []
    assert any(line.startswith("masks: ") and "not used" in line for line in lines)
    assert not any(line.startswith("left out") for line in lines)
    assert "data set 'my-birds': 2 classes; images: train 4" in lines
    assert declared(checkout, "my-birds")["splits"] == {"train": {"masks": False}}


def test_a_class_that_is_called_like_masks_stays_a_class(photos: Path) -> None:
    photographs(photos, [f"{name}/{k}.png" for name in ("masked", "bare") for k in range(2)])
    assert look(photos).masks is None


def test_a_block_is_replaced_only_when_asked(checkout: Path, photos: Path) -> None:
    flat(photos)
    init(photos, name="birds")
    before = (checkout / "params.yaml").read_bytes()
    with pytest.raises(
        SeedbedError, match="declares a data set 'birds' already; choose another --name, or replace"
    ):
        init(photos, name="birds")
    assert (checkout / "params.yaml").read_bytes() == before
    photographs(photos, ["6.jpg", "7.jpg"])
    told = init(photos, name="birds", force=True)
    assert "left out: 2 photographs, which no row names" in told.lines
    assert (checkout / "params.yaml").read_bytes() == before


def test_the_command(
    checkout: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flat(photos)
    monkeypatch.setattr(sys, "argv", ["seedbed", "init", str(photos), "--name", "birds"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    assert "\n+dataset: birds" in capsys.readouterr().out
    (photos / "0.jpg").unlink()
    monkeypatch.setattr(sys, "argv", ["seedbed", "init", str(photos), "--name", "birds", "--force"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    told = capsys.readouterr()
    assert told.out == ""
    missing = f"{photos}: expected a photograph for '0.jpg', but there is no such file"
    assert told.err == f"seedbed: error: {missing} ({photos}/labels.csv, line 2)\n"


def test_a_path_that_params_yaml_would_read_otherwise(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "a$HOME").mkdir()
    flat(tmp_path / "a$HOME")
    before = (checkout / "params.yaml").read_bytes()
    with pytest.raises(SeedbedError, match=r"would read the \$ as a variable; rename the folder"):
        init(tmp_path / "a$HOME", name="birds")
    assert (checkout / "params.yaml").read_bytes() == before


def test_every_fault_is_told_and_nothing_is_written(checkout: Path, photos: Path) -> None:
    flat(photos)
    for name in ("2.jpg", "4.jpg"):
        (photos / name).unlink()
    before = (checkout / "params.yaml").read_bytes()
    missing = f"{photos}: expected a photograph for '{{}}.jpg', but there is no such file"
    lines = [f"{missing.format(k)} ({photos}/labels.csv, line {k + 2})" for k in (2, 4)]
    assert init(photos) == Initialised([], lines)
    assert (checkout / "params.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("files", "csv", "told"),
    [
        ([], "", "expected photographs (JPEG, PNG, WEBP, BMP, TIFF, GIF), but there are none"),
        (["a.heic"], "", "but there are none; convert files such as a.heic to JPEG"),
        (["a.txt"], "", "but there are none, only files such as a.txt"),
        (["a.jpg"], "", "nothing says what the photographs show; add labels.csv"),
        (
            ["train/a.jpg"],
            "",
            "the sub-folders train are splits, and nothing says what the photographs in them show",
        ),
        (["val/cat/a.jpg"], "", "expected a sub-folder `train`, but the splits are val; rename one"),
        (["a.jpg"], "file,cat\na.jpg,1\n", "expected a column 'image_id', but the columns are file, cat"),
        (["a.jpg"], "image_id;cat\na.jpg;1\n", "expected commas between the columns, got the separator ';'"),
        (
            ["a.jpg"],
            "image_id,split,cat\na.jpg,val,1\n",
            "expected a split `train`, but the splits are val; write train",
        ),
        (["a.jpg"], "image_id,cat\na.jpg,1\n", "expected at least 4 photographs to train on, got 1"),
        (
            ["a.jpg"],
            "image_id,name\na.jpg,x\n",
            "column 'name' is not a class: expected 0 or 1, got 'x' in line 2",
        ),
        (["JPEGImages/a.jpg", "ImageSets/x.txt"], "", "this is VOC's layout; declare it with `kind: voc`"),
        (
            ["train/a.jpg", "x.csv", "y.csv"],
            "",
            "which of x.csv, y.csv holds the labels? Name it with --labels",
        ),
    ],
)
def test_what_nothing_can_be_made_of_is_one_line(
    checkout: Path, photos: Path, files: list[str], csv: str, told: str
) -> None:
    for name in files:
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".jpg"):
            photographs(photos, [name])
        else:
            (photos / name).write_text("x")
    if csv:
        (photos / "labels.csv").write_text(csv)
    with pytest.raises(SeedbedError) as error:
        init(photos)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert (checkout / "params.yaml").read_text() == PARAMS


def test_a_folder_that_is_not_one(checkout: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SeedbedError, match="expected a folder of photographs, but there is none"):
        init(photos / "gone")
    flat(photos)
    (photos / "file").write_text("x")
    with pytest.raises(SeedbedError, match="expected a folder of photographs, but that is a file"):
        init(photos / "file")
    photographs(checkout.parent, ["cat/a.jpg"])
    with pytest.raises(SeedbedError, match="contains this checkout; name the folder of the photographs"):
        init(checkout.parent)
    with pytest.raises(SeedbedError, match="--name: data set name 'a b' does not match"):
        init(photos, name="a b")
    monkeypatch.setattr(
        "os.scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied", path))
    )
    with pytest.raises(SeedbedError, match="not readable \\(Permission denied\\); change its mode"):
        init(photos)


@pytest.mark.parametrize(
    ("files", "layout"),
    [
        (
            ["train/cat/a.jpg", "train/dog/b.jpg", "valid/dog/c.jpg"],
            Layout({"train": {}, "val": {"list": "valid"}}, {"labels": "folders"}),
        ),
        (["train/a.jpg", "bus/b.jpg"], Layout({"train": {}}, {"labels": "folders"})),
        (
            ["photos/cat/a.jpg", "photos/dog/a.jpg"],
            Layout({"train": {}}, {"labels": "folders", "images": "photos"}),
        ),
        (["cat/a.jpg", "no_cat/b.jpg"], Layout({"train": {}}, {"labels": "folders", "classes": ["cat"]})),
    ],
)
def test_layouts_of_sub_folders(photos: Path, files: list[str], layout: Layout) -> None:
    photographs(photos, files)
    found = look(photos)
    assert (found.splits, found.options) == (layout.splits, layout.options)


@pytest.mark.parametrize(
    ("tables", "lists", "layout"),
    [
        ({"labels.csv": "image_id,split,cat\na,training,1\nb,Val,0\nc,test,1\nd,vall,0\n"}, [],
         Layout({"train": {"list": "training"}, "val": {"list": "Val"}, "test": {}}, {})),
        ({"birds.csv": "image_id,cat\na,1\n"}, [], Layout({"train": {}}, {"labels": "birds.csv"})),
        ({"train.csv": "image_id,cat\na,1\n", "val.csv": "image_id,cat\nb,1\n"}, [],
         Layout({"train": {"list": "train.csv"}, "val": {"list": "val.csv"}}, {})),
        ({"labels.csv": "image_id,cat\na,1\nb,0\n"}, ["train", "val"],
         Layout({"train": {"list": "train.txt"}, "val": {"list": "val.txt"}}, {})),
    ],
)  # fmt: skip
def test_layouts_of_tables(photos: Path, tables: dict[str, str], lists: list[str], layout: Layout) -> None:
    photographs(photos, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    for name, text in tables.items():
        (photos / name).write_text(text)
    for name in lists:
        (photos / f"{name}.txt").write_text("a\n")
    found = look(photos)
    assert (found.splits, found.options) == (layout.splits, layout.options)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["cat", "others"], ["others"]),
        (["cat", "not-cat"], ["not-cat"]),
        (["no_parking", "stop"], []),
        (["negatives"], []),
        (["cat", "nothing", "rest"], ["nothing", "rest"]),
    ],
)
def test_folders_of_photographs_that_show_no_class(names: list[str], found: list[str]) -> None:
    assert negatives(names) == found


def test_rows_that_deny_the_folder_of_their_photograph_are_told(photos: Path) -> None:
    photographs(photos, ["cat/a.jpg", "cat/b.jpg", "dog/c.jpg", "other/d.jpg"])
    (photos / "labels.csv").write_text("image_id,cat,dog\ncat/a.jpg,1,0\nb,0,1\nc.jpg,1,0\nd,1,0\n")
    told = look(photos).notes["sub-folders"]
    assert told == (
        "2 photographs are in a folder of a class that the row says is not shown, first cat/b.jpg; the CSV counts"
    )
    (photos / "labels.csv").write_text("image_id,cat,dog\ncat/a.jpg,1,0\nb,1,1\nc.jpg,1,1\nd,1,0\n")
    assert "sub-folders" not in look(photos).notes


def test_the_chosen_folders_own_name_is_no_class(photos: Path) -> None:
    chosen = photos / "cat"
    photographs(photos, ["cat/a.jpg", "cat/b.jpg"])
    (chosen / "labels.csv").write_text("image_id,cat,dog\na,1,0\nb,0,1\n")
    assert "sub-folders" not in look(chosen).notes


def test_a_folder_around_the_classes_is_told(photos: Path) -> None:
    photographs(photos, ["all of it/cat/a.jpg", "all of it/dog/b.jpg"])
    with pytest.raises(
        SeedbedError, match=r"in its sub-folders cat, dog; .* `seedbed init '.*my birds/all of it'`"
    ):
        look(photos)
    assert look(photos / "all of it").options == {"labels": "folders"}
