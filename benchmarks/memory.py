"""Peak memory of each stage on large photographs, whole processes of recipe `psa`, with CRF variants of two stages.

`python benchmarks/memory.py [--sizes 0.2 0.75 3 12] [--tree DIR] [--limit 10] [--longest N] [--networks DIR]`

SEEDBED_TEST_DATA names the folder that holds voc-animals, of which one photograph is enlarged (bicubic, with noise of 3
grey levels, as a camera's), beside another at its own size. Networks train for one step, once. To save time, CAMs and
predictions are taken at the largest of their recipe's scales alone, which decides, and without mirror images. `--tree`
runs another checkout's code on the same work.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _harness import machine
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IDS = ("2007_000392", "2007_000504")
"""Horse and person, cow and person; the first is enlarged."""
NOISE = 3.0
RECIPE = {
    "extends": "psa",
    "nodes": {
        "pseudo_masks_crf": {
            "stage": "pseudo_masks",
            "from": {"cams": "refined_cams"},
            "with": {"crf": "irn"},
        },
        "predictions_crf": {
            "stage": "predict",
            "from": {"segmenter": "segmenter"},
            "with": {"crf": "deeplab-v2"},
        },
    },
    "scores": ["cams", "predictions"],
}
TRAINING = {
    "epochs": 1,
    "batch_size": 2,
    "lr": 1e-4,
    "augmentation": {"resize_long": [160, 160], "crop": 160},
}
STAGES = ("train_classifier", "train_affinitynet", "train_segmenter")
SETTINGS: dict[str, Any] = dict.fromkeys(STAGES, TRAINING) | {
    "dump_cams": {"scales": [2.0], "flip": False},
    "predict": {"splits": ["train"], "scales": [1.25], "flip": False},
    "classify": {"splits": ["train"]},
}


def enlarged(path: Path, megapixels: float | None, resampling: Image.Resampling) -> Image.Image:
    """An image of a data set at about that many megapixels, or at its own size."""
    with Image.open(path) as image:
        if megapixels is None:
            return image.copy()
        factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        return image.resize((round(image.width * factor), round(image.height * factor)), resampling)


def make_data(source: Path, folder: Path, megapixels: float) -> None:
    """Two photographs with masks and labels, in VOC's layout."""
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / part).mkdir(parents=True)
    for name in ("class_names.txt", "image_labels.csv"):
        shutil.copy(source / name, folder / name)
    header, *rows = (folder / "image_labels.csv").read_text().splitlines()
    used = [row for row in rows if row.split(",")[0] in IDS]
    (folder / "image_labels.csv").write_text("\n".join([header, *used]) + "\n")
    (folder / "ImageSets/Segmentation/train.txt").write_text("\n".join(IDS) + "\n")
    rng = np.random.default_rng(0)
    for image_id, size in zip(IDS, (megapixels, None), strict=True):
        image = enlarged(source / f"JPEGImages/{image_id}.jpg", size, Image.Resampling.BICUBIC)
        noise = rng.normal(0, NOISE, (image.height, image.width, 3)).astype(np.float32)
        pixels = np.clip(np.asarray(image.convert("RGB")) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"JPEGImages/{image_id}.jpg", quality=95)
        mask = enlarged(source / f"SegmentationClass/{image_id}.png", size, Image.Resampling.NEAREST)
        mask.save(folder / f"SegmentationClass/{image_id}.png")


def make_work(work: Path, source: Path, tree: Path, megapixels: float, longest: int | None) -> None:
    """A checkout whose data set holds the two photographs."""
    make_data(source, work / "data", megapixels)
    shutil.copytree(tree / "recipes", work / "recipes")
    (work / "workflow_scripts").symlink_to(tree / "workflow_scripts")
    (work / "recipes" / "memory.yaml").write_text(yaml.safe_dump(RECIPE))
    declared: dict[str, Any] = {
        "kind": "voc",
        "root": "data",
        "splits": {"train": {}},
        "with": {"labels": "csv"},
    }
    declared |= {} if longest is None else {"longest": longest}
    raw = {
        "dataset": "large",
        "recipes": ["memory"],
        "datasets": {"large": declared},
        "settings": {"large": SETTINGS},
    }
    (work / "params.yaml").write_text(yaml.safe_dump(raw))


def commands(work: Path, environment: dict[str, str]) -> list[list[str]]:
    """Commands of the whole chain, in order, without the page."""
    call = [sys.executable, "-c", "from seedbed.cli import main; main()", "plan", "--shell"]
    shell = subprocess.run(
        call, cwd=work, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    lines = [shlex.split(line) for line in shell.splitlines() if "workflow_scripts/" in line]
    return [words for words in lines if not any(w.endswith("report.py") for w in words)]


def peak(words: list[str], work: Path, environment: dict[str, str], limit: float) -> tuple[int, float, float]:
    """Exit status, peak resident memory in GB and seconds of one command."""
    started = time.monotonic()
    bounded = ["prlimit", f"--data={int(limit * 1e9)}", *words]
    process = subprocess.Popen(bounded, cwd=work, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024 / 1e9, time.monotonic() - started


def name_of(words: list[str]) -> str:
    """What a command makes: stage, and node where a stage has several."""
    script = Path(next(w for w in words if "workflow_scripts/" in w)).stem
    output = Path(words[words.index("--output") + 1])
    judged = f"evaluate ({re.sub('-train$', '', output.stem)})" if script == "judge" else script
    return f"{script} with CRF" if output.name.endswith("_crf") else judged


def measure(megapixels: float, options: argparse.Namespace, networks: Path) -> dict[str, str]:
    """Peak memory by command, as text; networks are trained only if `networks` has none."""
    source = Path(os.environ["SEEDBED_TEST_DATA"]) / "voc-animals"
    tree = options.tree.resolve()
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        make_work(work, source, tree, megapixels, options.longest)
        for words in commands(work, environment):
            name, output = name_of(words), Path(words[words.index("--output") + 1])
            kept = networks / output.name
            if name in STAGES and kept.exists():
                shutil.copytree(kept, work / output)
                continue
            if options.stages and name not in (*options.stages, *STAGES, "prepare_dataset", "prepare_masks"):
                continue
            status, gigabytes, seconds = peak(words, work, environment, options.limit)
            if name in STAGES and status == 0:
                shutil.copytree(work / output, kept)
            found[name] = (
                f"{gigabytes:.2f}" if status == 0 else ("> " if gigabytes > options.limit / 2 else "– ")
            )
            print(
                f"{megapixels} MP, {name}: {gigabytes:.2f} GB, {seconds:.0f} s, status {status}",
                file=sys.stderr,
            )
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=float, nargs="+", default=[0.2, 0.75, 3.0], help="megapixels")
    parser.add_argument("--tree", type=Path, default=ROOT, help="checkout whose code runs")
    parser.add_argument("--limit", type=float, default=10.0, help="GB that a command may allocate")
    parser.add_argument("--longest", type=int, help="`longest` of the data set")
    parser.add_argument("--networks", type=Path, help="folder that keeps the networks for the next call")
    parser.add_argument("--stages", nargs="+", default=[], help="rows of the table, instead of all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        networks = options.networks or Path(folder)
        columns = {size: measure(size, options, networks) for size in options.sizes}
    print(f"{machine()}. Peak memory of a command in GB, by megapixels of the photographs:\n")
    print(f"| stage | {' | '.join(f'{size:g} MP' for size in columns)} |")
    print(f"|---|{'---|' * len(columns)}")
    for name in dict.fromkeys(n for found in columns.values() for n in found):
        print(f"| `{name}` | {' | '.join(found.get(name, '–') for found in columns.values())} |")


if __name__ == "__main__":
    main()
