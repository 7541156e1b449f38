"""Peak memory of each stage on large photographs, whole processes of recipe `psa`, with CRF variants of two stages.

`python benchmarks/memory.py [--sizes 0.2 0.75 3 12] [--more] [--tree DIR] [--limit 10] [--longest N] [--networks DIR]`

SEEDBED_TEST_DATA names the folder that holds voc-animals, of which one photograph is enlarged (bicubic, with noise of 3
grey levels, as a camera's), beside another at its own size. Networks train for one step, once. To save time, CAMs and
predictions are taken at the largest of their recipe's scales alone, which decides, and without mirror images. `--tree`
runs another checkout's code on the same work, `--more` instead of `psa` what other methods do with whole photographs:
ISIM's labels, SEAM's refined CAMs, saliency.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
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
MORE = {
    "extends": "psa",
    "nodes": {
        **dict.fromkeys(("confident_regions", "affinitynet", "refined_cams", "pseudo_masks")),
        **dict.fromkeys(("segmenter", "predictions", "classification", "cams")),
        "classifier": {"with": {"method": "seam", "output_stride": 8}},
        "cams_pcm": {"stage": "dump_cams", "from": {"classifier": "classifier"}, "with": {"form": "pcm"}},
        "isim": {
            "stage": "train_classifier",
            "with": {"method": "isim", "epochs": 2, "first_labels": 1, "label_scales": [2.0]},
        },
        "saliency_network": {"stage": "train_saliency", "with": {"method": "c2am"}},
        "saliency": {"stage": "dump_saliency", "from": {"saliency_network": "saliency_network"}},
        "saliency_crf": {
            "stage": "dump_saliency",
            "from": {"saliency_network": "saliency_network"},
            "with": {"crf": "pnoc-c2am"},
        },
        "poolnet": {
            "stage": "train_saliency",
            "from": {"saliency": "saliency"},
            "with": {"method": "poolnet"},
        },
        "saliency_poolnet": {
            "stage": "dump_saliency",
            "from": {"saliency_network": "poolnet"},
            "with": {"scales": [1.0]},
        },
    },
    "scores": [],
}
CALLED = {
    "cams_pcm": "dump_cams, form pcm",
    "isim": "train_classifier, method isim",
    "saliency_poolnet": "dump_saliency of poolnet",
    "poolnet": "train_saliency, method poolnet",
}
"""Nodes whose rows are not called by their stage."""
TRAINING = {
    "epochs": 1,
    "batch_size": 2,
    "lr": 1e-4,
    "augmentation": {"resize_long": [160, 160], "crop": 160},
}
STAGES = ("train_classifier", "train_affinitynet", "train_segmenter", "train_saliency")
SETTINGS: dict[str, Any] = dict.fromkeys(STAGES, TRAINING) | {
    "dump_cams": {"scales": [2.0], "flip": False},
    "predict": {"splits": ["train"], "scales": [1.25], "flip": False},
    "classify": {"splits": ["train"]},
    "dump_saliency": {"scales": [2.0], "flip": False},
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


def make_work(work: Path, source: Path, tree: Path, megapixels: float, options: argparse.Namespace) -> None:
    """A checkout whose data set holds the two photographs."""
    make_data(source, work / "data", megapixels)
    shutil.copytree(tree / "recipes", work / "recipes")
    (work / "workflow_scripts").symlink_to(tree / "workflow_scripts")
    (work / "recipes" / "memory.yaml").write_text(yaml.safe_dump(MORE if options.more else RECIPE))
    declared: dict[str, Any] = {
        "kind": "voc",
        "root": "data",
        "splits": {"train": {}},
        "with": {"labels": "csv"},
    }
    declared |= {} if options.longest is None else {"longest": options.longest}
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


def peak(
    words: list[str], work: Path, environment: dict[str, str], options: argparse.Namespace
) -> tuple[int, float, float]:
    """Exit status, peak resident memory in GB and seconds of one command."""
    started = time.monotonic()
    bounds = [f"--data={int(options.limit * 1e9)}", f"--cpu={options.minutes * 60}"]
    bounded = ["prlimit", *bounds, *words]
    process = subprocess.Popen(bounded, cwd=work, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024 / 1e9, time.monotonic() - started


def name_of(words: list[str]) -> str:
    """What a command makes: stage, and node where a stage has several."""
    script = Path(next(w for w in words if "workflow_scripts/" in w)).stem
    output = Path(words[words.index("--output") + 1])
    if output.name in CALLED:
        return CALLED[output.name]
    if script == "judge":
        stage = words[words.index("workflow_scripts/judge.py") + 1]
        return f"{stage} ({re.sub('-train.*$', '', output.stem)})"
    return f"{script} with CRF" if output.name.endswith("_crf") else script


def cell(status: int, gigabytes: float, limit: float) -> str:
    """A command's peak, or why there is none: past the limit of memory, past that of time, or without its input."""
    if status == 0:
        return f"{gigabytes:.2f}"
    if status == -signal.SIGXCPU:
        return "time"
    return f"> {limit:g}" if gigabytes > limit / 2 else "–"


def measure(megapixels: float, options: argparse.Namespace, networks: Path) -> dict[str, str]:
    """Peak memory by command, as text; networks are trained only if `networks` has none."""
    source = Path(os.environ["SEEDBED_TEST_DATA"]) / "voc-animals"
    tree = options.tree.resolve()
    environment = os.environ | {"PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        make_work(work, source, tree, megapixels, options)
        for words in commands(work, environment):
            name, output = name_of(words), Path(words[words.index("--output") + 1])
            kept = networks / output.name
            if name in STAGES and kept.exists():
                shutil.copytree(kept, work / output)
                continue
            if options.stages and name not in (*options.stages, *STAGES, "prepare_dataset", "prepare_masks"):
                continue
            status, gigabytes, seconds = peak(words, work, environment, options)
            if name in STAGES and status == 0:
                shutil.copytree(work / output, kept)
            found[name] = cell(status, gigabytes, options.limit)
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
    parser.add_argument("--minutes", type=int, default=20, help="of one core that a command may take")
    parser.add_argument("--more", action="store_true", help="other methods instead of psa")
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
