"""Planning does not grow with images: `snakemake -n` with an index of 40 and of 10,582 images (VOC's train_aug).

`python benchmarks/planning.py`
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from _harness import machine

from seedbed.artifacts.manifest import FileEntry, Manifest, sha256_bytes
from seedbed.datasets.mask_sums import masks_text
from seedbed.engines.restored import masks_key
from seedbed.plan.commands import Workflow
from seedbed.plan.config import parse_config
from seedbed.recipes import RecipeBook
from seedbed.runtime.paths import INDEX, MASKS

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("Snakefile", "rules", "recipes", "workflow_scripts", "profiles", "report", "envs")
DATASET = {"kind": "voc", "root": "voc", "shards": 16, "splits": {"train": {}, "val": {}}}
IMAGES = (40, 10_582)
ROUNDS = 3
DRY_RUN = ("snakemake", "-n", "--quiet", "all")


def checkout(folder: Path, images: int, **settings: Any) -> None:
    """A checkout whose data set `voc` is indexed already, with that many images.

    Args:
        folder: where it goes.
        images: how many.
        settings: what `params.yaml` holds besides the data set.
    """
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
    raw = {"dataset": "voc", "datasets": {"voc": DATASET}} | settings
    (folder / "params.yaml").write_text(yaml.safe_dump(raw))
    workflow = Workflow(parse_config(raw), RecipeBook(folder / "recipes"), folder / "results")
    workflow.write_slices()
    graph = workflow.graph()
    rows = [
        f"2007_{k:06d},{'val' if k % 8 == 0 else 'train'},500,375,{sha256_bytes(str(k).encode())},1,0"
        for k in range(images)
    ]
    index = ("image_id,split,width,height,sha256,cat,dog\n" + "\n".join(rows) + "\n").encode()
    entry = FileEntry(size=len(index), sha256=sha256_bytes(index))
    manifest = Manifest(
        stage="prepare_dataset",
        stage_version=1,
        dataset="voc",
        parameters=graph.index_slice(),
        inputs={},
        files={INDEX: entry},
        images={"train": images},
        facts={},
        ledger=[],
        content=entry.sha256,
    )
    masks = masks_text([], masks_key(graph, entry.sha256)).encode()
    graph.index_folder.mkdir(parents=True)
    for name, content in {
        INDEX: index,
        MASKS: masks,
        "manifest.json": manifest.to_bytes(),
    }.items():
        (graph.index_folder / name).write_bytes(content)


def cpu_seconds(folder: Path, program: str, *arguments: str) -> float:
    """CPU seconds in a folder of a program that lies beside Python, with its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def main() -> None:
    """Alternate the two sizes and print their medians."""
    times: dict[int, list[float]] = {images: [] for images in IMAGES}
    with tempfile.TemporaryDirectory() as scratch:
        for images in IMAGES:
            checkout(Path(scratch) / str(images), images, recipes=["psa"])
        for _ in range(ROUNDS):
            for images in IMAGES:
                times[images].append(cpu_seconds(Path(scratch) / str(images), *DRY_RUN))
    few, many = (statistics.median(times[images]) for images in IMAGES)
    print(f"{machine()}\n")
    print("| `snakemake -n`, CPU time | 40 images | 10,582 images | ratio | aim |\n|---|---|---|---|---|")
    print(f"| recipe psa, 16 shards | {few:.2f} s | {many:.2f} s | {many / few:.2f} | 1.0, at most 4 s |")


if __name__ == "__main__":
    main()
