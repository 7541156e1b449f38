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

import yaml
from _harness import machine
from PIL import Image

from seedbed.datasets.known_files import SETTLED_NS
from seedbed.engines.data_state import look
from seedbed.plan.commands import ALL_STAGES, Workflow, masks_command, prepare_command
from seedbed.runtime.options import main as run_stage

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


def annotation(root: Path, image_id: str, name: str) -> None:
    """VOC's file of one image's objects."""
    text = f"<annotation><object><name>{name}</name></object></annotation>"
    (root / f"Annotations/{image_id}.xml").write_text(text)


def mend_label(root: Path) -> None:
    """One label of each kind."""
    path = root / "labels.csv"
    path.write_text(path.read_text().replace(f"{IDS[7]},1,0", f"{IDS[7]},1,1"))
    annotation(root, IDS[7], "dog")


def touch_all(root: Path) -> None:
    """New times for all photographs and masks."""
    for folder in ("JPEGImages", "SegmentationClass"):
        for path in (root / folder).iterdir():
            os.utime(path)


def timed(workflow: Workflow) -> tuple[float, float, str]:
    """Seconds of CPU and of the clock, and what is said."""
    cpu, wall = time.process_time(), time.monotonic()
    data = look(workflow.graph(), write=True)
    return time.process_time() - cpu, time.monotonic() - wall, data.line


def main() -> None:
    """Index the data set as either kind, then look at it."""
    print(f"{machine()}\n\n| kind | what happened | CPU | clock | said |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        Path("recipes").mkdir()
        Path("recipes/one.yaml").write_text("nodes: {classifier: {stage: train_classifier}}")
        for kind, options in KINDS.items():
            root = Path(scratch) / kind
            write(root)
            declared = {"kind": kind, "root": str(root), "splits": {"train": {}}, **options}
            params = {"dataset": kind, "recipes": ["one"], "datasets": {kind: declared}}
            Path("params.yaml").write_text(yaml.safe_dump(params))
            time.sleep(SETTLED_NS / 1e9)
            workflow = Workflow.read()
            workflow.write_slices()
            with contextlib.redirect_stderr(io.StringIO()):
                for command in (prepare_command(workflow.graph()), masks_command(workflow.graph())):
                    stage = ALL_STAGES[Path(command.words[1]).stem]
                    assert run_stage(stage, command.words[2:]) == 0
            events: dict[str, Callable[[Path], None]] = {
                "first look after it was indexed": lambda root: None,
                "nothing": lambda root: None,
                "one label mended": mend_label,
                "all photographs and masks touched": touch_all,
            }
            for event, happen in events.items():
                happen(root)
                time.sleep(SETTLED_NS / 1e9)
                rounds = [timed(workflow) for _ in range(ROUNDS if event == "nothing" else 1)]
                cpu, clock, said = sorted(rounds)[len(rounds) // 2]
                print(f"| {kind} | {event} | {cpu:.2f} s | {clock:.2f} s | {said} |", flush=True)


if __name__ == "__main__":
    main()
