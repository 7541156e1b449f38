"""How long planning looks at a data set of 10,582 photographs (VOC's train_aug) with as many masks, of both kinds.

`python benchmarks/data_look.py`

Photographs are tiny: none is opened unless its size or times changed, and then all of it is hashed.
"""

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from _harness import machine
from PIL import Image

from seedbed.artifacts.atomic import write_bytes
from seedbed.artifacts.manifest import MANIFEST, FileEntry, Manifest, Record, content_digest, sha256_bytes
from seedbed.datasets.index import Index, IndexRow, file_digest, index_csv
from seedbed.datasets.known_files import SETTLED_NS
from seedbed.datasets.mask_sums import mask_digest, masks_text
from seedbed.engines.data_state import look
from seedbed.engines.restored import masks_key
from seedbed.plan.commands import Workflow
from seedbed.runtime.paths import INDEX, MASKS

IMAGES = 10_582
IDS = [f"2007_{k:06d}" for k in range(IMAGES)]
KINDS: dict[str, dict[str, Any]] = {
    "folder": {"with": {"images": "JPEGImages", "masks": "SegmentationClass"}},
    "voc": {"with": {"labels": "annotations", "classes": ["cat", "dog"]}},
}
ROUNDS = 3


def write(root: Path) -> None:
    """A data set that is of both kinds."""
    for name in ("JPEGImages", "SegmentationClass", "Annotations", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    photograph, mask = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (4, 3)).save(photograph, "JPEG")
    Image.new("L", (4, 3)).save(mask, "PNG")
    for image_id in IDS:
        (root / f"JPEGImages/{image_id}.jpg").write_bytes(photograph.getvalue())
        (root / f"SegmentationClass/{image_id}.png").write_bytes(mask.getvalue())
        annotation(root, image_id, "cat")
    (root / "ImageSets/Segmentation/train.txt").write_text("\n".join(IDS))
    (root / "labels.csv").write_text("image_id,cat,dog\n" + "\n".join(f"{i},1,0" for i in IDS))


def annotation(root: Path, image_id: str, *names: str) -> None:
    """VOC's file of one image's objects."""
    objects = "".join(f"<object><name>{name}</name></object>" for name in names)
    text = f"<annotation>{objects}</annotation>"
    (root / f"Annotations/{image_id}.xml").write_text(text)


def mend_label(root: Path, back: bool = False) -> None:
    """One label of each kind; with `back` as it was."""
    path, before, after = root / "labels.csv", f"{IDS[7]},1,0", f"{IDS[7]},1,1"
    path.write_text(path.read_text().replace(*((after, before) if back else (before, after))))
    annotation(root, IDS[7], *(["cat"] if back else ["cat", "dog"]))


def touch_all(root: Path) -> None:
    """New times for all photographs and masks."""
    for folder in ("JPEGImages", "SegmentationClass"):
        for path in (root / folder).iterdir():
            os.utime(path)


EVENTS: dict[str, Callable[[Path], None]] = {
    "first look, all is read": lambda root: None,
    "nothing": lambda root: None,
    "one label mended": mend_label,
    "all photographs and masks touched": touch_all,
}


def timed(workflow: Workflow) -> tuple[float, float, str]:
    """Seconds of CPU and of the clock, and what is said."""
    cpu, wall = time.process_time(), time.monotonic()
    data = look(workflow.graph(), write=True)
    return time.process_time() - cpu, time.monotonic() - wall, data.line


def index(workflow: Workflow, root: Path) -> None:
    """The index of the data set and the checksums of its masks, as the stages would write them."""
    graph = workflow.graph()
    digest = file_digest(root / f"JPEGImages/{IDS[0]}.jpg")
    rows = tuple(IndexRow(image_id, "train", 4, 3, digest, (True, False)) for image_id in IDS)
    text = index_csv(Index(("cat", "dog"), rows)).encode()
    entry = FileEntry(size=len(text), sha256=sha256_bytes(text))
    record = Record(split="", image_id="", name=INDEX, sha256=entry.sha256)
    manifest = Manifest(
        stage="prepare_dataset",
        stage_version=1,
        dataset=graph.dataset,
        parameters=graph.index_slice(),
        inputs={},
        files={INDEX: entry},
        images={"train": IMAGES},
        facts={},
        ledger=[],
        content=content_digest([record]),
    )
    mask = mask_digest(np.zeros((3, 4), np.uint8))
    masks = masks_text([(image_id, "train", mask) for image_id in IDS], masks_key(graph, manifest.content))
    for name, content in {INDEX: text, MASKS: masks.encode(), MANIFEST: manifest.to_bytes()}.items():
        write_bytes(graph.index_folder / name, content)


def main() -> None:
    """Look at one data set, declared as either kind."""
    print(f"{machine()}\n\n| kind | what happened | CPU | clock | said |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        Path("recipes").mkdir()
        Path("recipes/one.yaml").write_text("nodes: {classifier: {stage: train_classifier}}")
        root = Path(scratch) / "photos"
        write(root)
        for kind, options in KINDS.items():
            declared = {"kind": kind, "root": str(root), "splits": {"train": {}}, **options}
            params = {"dataset": kind, "recipes": ["one"], "datasets": {kind: declared}}
            Path("params.yaml").write_text(yaml.safe_dump(params))
            time.sleep(SETTLED_NS / 1e9)
            workflow = Workflow.read()
            workflow.write_slices()
            index(workflow, root)
            for event, happen in EVENTS.items():
                happen(root)
                time.sleep(SETTLED_NS / 1e9)
                rounds = [timed(workflow) for _ in range(ROUNDS if event == "nothing" else 1)]
                cpu, clock, said = sorted(rounds)[len(rounds) // 2]
                print(f"| {kind} | {event} | {cpu:.2f} s | {clock:.2f} s | {said} |", flush=True)
            mend_label(root, back=True)


if __name__ == "__main__":
    main()
