"""What each engine runs again after a data set has changed, counted: `python experiments/data_changes/run.py FOLDER`.

In FOLDER, which must not exist, two checkouts of this repository get a small data set of files each, kind `folder`:
12 photographs of 64 pixels with labels and masks. The recipe trains a classifier on the labels and, as a baseline, a
segmenter on the masks; CAMs and predictions are evaluated. Every change is made in both checkouts and followed by a run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "rules", "recipes", "report", "envs", "workflow_scripts")
TRAINING = {"epochs": 1, "batch_size": 4, "augmentation": {"resize_long": [64, 72], "crop": 64}}
PARAMS = {
    "dataset": "squares",
    "recipes": ["both"],
    "datasets": {
        "squares": {
            "kind": "folder",
            "root": "photos",
            "splits": {"train": {}, "val": {}},
            "with": {"images": "images", "masks": "masks"},
        }
    },
    "settings": {
        "squares": {
            "train_classifier": TRAINING,
            "train_segmenter": TRAINING,
            "dump_cams": {"scales": [1.0]},
        }
    },
}
RECIPE = {
    "nodes": {
        "classifier": {"stage": "train_classifier", "with": {"method": "cam", "weights": "embedded"}},
        "cams": {"stage": "dump_cams", "from": {"classifier": "classifier"}},
        "segmenter": {"stage": "train_segmenter", "from": {"labels": "masks"}},
        "predictions": {"stage": "predict", "from": {"segmenter": "segmenter"}, "with": {"splits": ["val"]}},
    },
    "scores": ["cams", "predictions"],
}
CLASSES = {"red": (220, 40, 40), "blue": (40, 40, 220)}


def draw(photos: Path, name: str, number: int) -> None:
    """A photograph of one square on noise, and its mask."""
    random = np.random.default_rng(number)
    pixels = random.integers(60, 120, (64, 64, 3)).astype(np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    colour = number % 2
    top, left = random.integers(4, 28, 2)
    pixels[top : top + 30, left : left + 30] = list(CLASSES.values())[colour]
    mask[top : top + 30, left : left + 30] = colour + 1
    Image.fromarray(pixels).save(photos / f"images/{name}.png")
    Image.fromarray(mask).save(photos / f"masks/{name}.png")


def rows(photos: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the rows of the labels."""
    path = photos / "labels.csv"
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def make(photos: Path) -> None:
    """Eight images to train on, four to validate on."""
    (photos / "images").mkdir(parents=True)
    (photos / "masks").mkdir()
    lines = ["image_id,red,blue,split"]
    for number in range(12):
        draw(photos, f"p{number:02}", number)
        split = "train" if number < 8 else "val"
        lines.append(f"p{number:02},{(number + 1) % 2},{number % 2},{split}")
    (photos / "labels.csv").write_text("\n".join(lines) + "\n")


def mend_label(photos: Path) -> None:
    rows(photos, lambda lines: [line.replace("p02,1,0", "p02,1,1") for line in lines])


def add_photograph(photos: Path) -> None:
    draw(photos, "p12", 12)
    rows(photos, lambda lines: [*lines, "p12,1,0,train"])


def drop_photograph(photos: Path) -> None:
    rows(photos, lambda lines: [line for line in lines if not line.startswith("p12")])


def replace_photograph(photos: Path) -> None:
    path = photos / "images/p03.png"
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)


def repaint_mask(photos: Path) -> None:
    path = photos / "masks/p09.png"
    mask = np.array(Image.open(path))
    mask[:4, :4] = 2
    Image.fromarray(mask).save(path)


def add_class(photos: Path) -> None:
    rows(photos, lambda lines: [lines[0] + ",green", *(line + ",0" for line in lines[1:])])
    rows(photos, lambda lines: [lines[0], lines[1][:-1] + "1", *lines[2:]])


def touch_files(photos: Path) -> None:
    for path in (photos / "images/p00.png", photos / "masks/p00.png", photos / "labels.csv"):
        path.touch()


def rename_file(photos: Path) -> None:
    for folder in ("images", "masks"):
        (photos / folder / "p01.png").rename(photos / folder / "q01.png")
    rows(photos, lambda lines: [line.replace("p01", "q01") for line in lines])


def move_file(photos: Path) -> None:
    for folder in ("images", "masks"):
        (photos / folder / "more").mkdir()
        (photos / folder / "p05.png").rename(photos / folder / "more/p05.png")


CHANGES: dict[str, Callable[[Path], None]] = {
    "nothing": lambda photos: None,
    "files touched: a photograph, a mask, `labels.csv`": touch_files,
    "file moved to a sub-folder, same id": move_file,
    "mask repainted": repaint_mask,
    "one 0/1 mended in `labels.csv`": mend_label,
    "photograph added": add_photograph,
    "photograph dropped": drop_photograph,
    "photograph replaced": replace_photograph,
    "class added": add_class,
    "file and id renamed": rename_file,
}


class Checkout:
    """A tree in which one engine runs."""

    def __init__(self, folder: Path, engine: list[str]) -> None:
        self.folder, self.engine = folder, engine
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        (folder / "recipes/both.yaml").write_text(yaml.safe_dump(RECIPE))
        make(folder / "photos")
        self._run("git", "init", "-q")
        self._run("dvc", "init", "-q")
        self._run(sys.executable, "-c", "from seedbed.cli import main; main()", "dvc")

    def run(self) -> list[str]:
        """Stage commands that the engine ran."""
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        self._run(*self.engine, SEEDBED_CALLS=str(calls))
        return calls.read_text().splitlines() if calls.exists() else []

    def told(self) -> str:
        """What planning says of the data set."""
        said = self._run(sys.executable, "-c", "from seedbed.cli import main; main()", "plan")
        return next((line for line in said.splitlines() if line.startswith("data set changed")), "")

    def _run(self, *words: str, **environment: str) -> str:
        program = Path(sys.executable).with_name(words[0])
        command = [str(program) if program.exists() else words[0], *words[1:]]
        mine = os.environ | {"PYTHONPATH": str(ROOT / "src"), "DVC_NO_ANALYTICS": "1"} | environment
        done = subprocess.run(command, cwd=self.folder, env=mine, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout


def main(folder: Path) -> None:
    """Make every change in both trees and print the table."""
    trees = {
        "snakemake": Checkout(folder / "snakemake", ["snakemake", "--cores", "2", "--quiet", "all"]),
        "dvc": Checkout(folder / "dvc", ["dvc", "repro", "--quiet"]),
    }
    jobs = {name: len(tree.run()) for name, tree in trees.items()}
    print(f"| change made | planning says | Snakemake, of {jobs['snakemake']} jobs | DVC, of {jobs['dvc']} |")
    print("|---|---|---|---|", flush=True)
    for change, make_change in CHANGES.items():
        for tree in trees.values():
            make_change(tree.folder / "photos")
        told = trees["snakemake"].told()
        calls = {name: tree.run() for name, tree in trees.items()}
        cells = [f"{len(ran)}{_stages(ran)}" for ran in calls.values()]
        print(f"| {change} | {told} | {cells[0]} | {cells[1]} |", flush=True)


def _stages(calls: list[str]) -> str:
    """Names of the stages, if there are few."""
    names = dict.fromkeys(call.split()[0] for call in calls)
    return f": {', '.join(names)}" if calls and "train_classifier" not in names else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
