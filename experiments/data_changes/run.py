"""What each engine runs again after a data set has changed, counted: `python experiments/data_changes/run.py FOLDER`.

FOLDER, which must not exist, becomes a checkout of this repository with a small data set of kind `folder`: 12
photographs of 64 pixels with labels and masks. The recipe trains a classifier on the labels and, as a baseline, a
segmenter on the masks; CAMs and predictions are evaluated. After one run every change is made alone, and counted are
the jobs of `snakemake -n` and, once DVC has indexed the data set anew, the stages of `dvc status` with all that depends
on them. FOLDER-kept holds the finished tree, for another call.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
DATA = ("index", "masks")
FEW = 9
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
    rows(photos, lambda lines: [line for line in lines if not line.startswith("p06")])


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
    """A tree in which everything was made by Snakemake and handed to DVC."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.kept = folder, folder.with_name(f"{folder.name}-kept")
        if self.kept.exists():
            return
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS))
        (folder / "recipes/both.yaml").write_text(yaml.safe_dump(RECIPE))
        make(folder / "photos")
        self.run("git", "init", "-q")
        self.run("dvc", "init", "-q")
        self.run("seedbed", "dvc")
        self.run("snakemake", "--cores", "2", "--quiet", "all")
        self.run("seedbed", "sync-dvc")
        self.run("dvc", "repro", "--quiet")
        self.run("seedbed", "plan")
        shutil.copytree(folder, self.kept, symlinks=True)

    def restore(self) -> None:
        """As it was before any change."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.kept, self.folder, symlinks=True)
        self.run("seedbed", "plan")

    def told(self) -> str:
        """What planning says of the data set."""
        said = self.run("seedbed", "plan").splitlines()
        return next((line for line in said if line.startswith("data set changed")), "")

    def by_snakemake(self) -> list[str]:
        """Rules of the jobs that Snakemake would run."""
        said = self.run("snakemake", "-n", "--cores", "1")
        table = said.rpartition("Job stats:")[2].partition("total")[0]
        counts = re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
        return [rule for rule, count in counts if rule != "all" for _ in range(int(count))]

    def by_dvc(self) -> list[str]:
        """Stages that DVC would run: it runs those of the data set, then says what has changed."""
        calls = self.folder / "calls"
        calls.unlink(missing_ok=True)
        self.run("dvc", "repro", "--quiet", *(f"squares--{name}" for name in DATA), SEEDBED_CALLS=str(calls))
        ran = [line.split()[0] for line in calls.read_text().splitlines()] if calls.exists() else []
        stages = yaml.safe_load((self.folder / "dvc.yaml").read_text())["stages"]
        stale = {name for name in json.loads(self.run("dvc", "status", "--json")) if name in stages} - {
            "resolve"
        }
        for name, stage in stages.items():
            made = {out for other in stale for out in _outs(stages[other])}
            if name != "resolve" and made & set(stage["deps"]):
                stale.add(name)
        return ran + [stages[name]["cmd"].split()[1].rpartition("/")[2][:-3] for name in sorted(stale)]

    def run(self, *words: str, **environment: str) -> str:
        """Output of a command in the tree."""
        program = Path(sys.executable).with_name(words[0])
        command = [str(program) if program.exists() else words[0], *words[1:]]
        mine = os.environ | {"PYTHONPATH": str(ROOT / "src"), "DVC_NO_ANALYTICS": "1"} | environment
        done = subprocess.run(command, cwd=self.folder, env=mine, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout


def _outs(stage: dict[str, Any]) -> Iterator[str]:
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind, []):
            yield from [out] if isinstance(out, str) else out


def main(folder: Path) -> None:
    """Make every change in the finished tree and print the table."""
    tree = Checkout(folder)
    print("| change made | planning says | Snakemake runs | DVC runs |\n|---|---|---|---|", flush=True)
    for change, make_change in CHANGES.items():
        tree.restore()
        make_change(tree.folder / "photos")
        cells = [tree.told(), counted(tree.by_snakemake()), counted(tree.by_dvc())]
        print(f"| {change} | {' | '.join(cells)} |", flush=True)


def counted(stages: list[str]) -> str:
    """Their number and, if they are few, their names."""
    return f"{len(stages)}" + (f": {', '.join(sorted(stages))}" if 0 < len(stages) < FEW else "")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
