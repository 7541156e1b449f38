"""The report page with many images: its size, how soon it is interactive, and how long moves of its sliders take.

Photographs and masks of voc-animals (`SEEDBED_TEST_DATA`); the CAMs are the blurred masks with noise, in the real
files. It needs `chromium` on the path.

    python benchmarks/report_page.py [--images 200] [--keep FILE]
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from _harness import machine
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browser import Tab, browser, find
from report.conftest import Maker
from seedbed.artifacts.label_maps import encode_label_map, pack_label_maps
from seedbed.artifacts.maps import Maps, pack_maps
from seedbed.report.page import run

SCALES = ((10, 14), (20, 28))
MOVES = 21


class Photographs:
    """The first photographs of voc-animals, labelled by their masks."""

    name = "squares"

    def __init__(self, root: Path, number: int) -> None:
        self.root = root
        self.classes = self.mask_classes = tuple((root / "class_names.txt").read_text().split()[1:])
        self.ids = sorted(path.stem for path in (root / "SegmentationClass").glob("*.png"))[:number]

    def image_ids(self, split: str) -> list[str]:
        return self.ids

    def image(self, image_id: str) -> Image.Image:
        return Image.open(self.root / "JPEGImages" / f"{image_id}.jpg").convert("RGB")

    def size(self, image_id: str) -> tuple[int, int]:
        return Image.open(self.root / "JPEGImages" / f"{image_id}.jpg").size

    def mask(self, image_id: str) -> np.ndarray:
        return np.asarray(Image.open(self.root / "SegmentationClass" / f"{image_id}.png"))

    def labels(self, image_id: str) -> np.ndarray:
        return np.isin(np.arange(len(self.classes)) + 1, self.mask(image_id))

    def in_mask_classes(self, label_map: np.ndarray) -> np.ndarray:
        return label_map


def results(maker: Maker, dataset: Photographs) -> None:
    """CAMs, regions, refined CAMs and pseudo masks of all images in one shard."""
    draw = np.random.default_rng(0)
    cams, masks = {}, {}
    for image_id in dataset.ids:
        mask, present = dataset.mask(image_id), np.flatnonzero(dataset.labels(image_id))
        maps = tuple(
            np.stack([_blurred(mask == k + 1, size, draw) for k in present])
            for size in SCALES
            if len(present)
        )
        cams[image_id] = Maps(tuple(map(int, present)), mask.shape, maps)
        masks[image_id] = encode_label_map(mask)[1]
    scores, labels = {"train-0.safetensors": pack_maps(cams)}, {"train-0.zip": pack_label_maps(masks)}
    axes, splits, facts = "rng0/bg0.20-fg0.60", ("train",), {"classes": list(dataset.classes)}
    first = maker.node("rng0", "cams", "cams", scores, splits=splits, facts=facts)
    maker.node(axes, "confident_regions", "regions", labels, {"cams": first}, splits, facts=facts)
    refined = maker.node(axes, "refined_cams", "refined_cams", scores, {"cams": first}, splits, facts=facts)
    maker.node(axes, "pseudo_masks", "pseudo_masks", labels, {"cams": refined}, splits, facts=facts)


def _blurred(mask: np.ndarray, size: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
    small = Image.fromarray(mask.astype(np.uint8) * 255).resize(size[::-1], Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32) / 255 + 0.2 * draw.random(size, np.float32)


def seconds_to_interactive(tab: Tab, page: Path) -> tuple[float, float]:
    """From the request until scripts have run and the explorer shows its first image: by the clock, and of CPU."""
    tab.open(Path(os.devnull))
    start, busy = time.perf_counter(), tab.busy()
    tab.open(page)
    tab.run("document.querySelector('.explorer').scrollIntoView()")
    tab.run(
        "new Promise(done => {const wait = () => document.querySelector('.explorer tbody tr') ? done() "
        ": setTimeout(wait, 5); wait()})"
    )
    return time.perf_counter() - start, tab.busy() - busy


def milliseconds_of_moves(tab: Tab, slider: str) -> tuple[float, float]:
    """Moves of a slider, until the next frame was drawn: the median by the clock, and the mean of CPU."""
    tab.run(f"document.querySelector('{slider}').scrollIntoView()")
    took, busy = [], tab.busy()
    for place in range(MOVES):
        took.append(
            tab.run(
                f"""new Promise(done => {{
                  const slider = document.querySelector("{slider}");
                  slider.value = slider.min * {1 - place / (MOVES - 1)} + slider.max * {place / (MOVES - 1)};
                  const before = performance.now();
                  slider.dispatchEvent(new Event("input"));
                  requestAnimationFrame(() => setTimeout(() => done(performance.now() - before)));
                }})"""
            )
        )
    return median(took), (tab.busy() - busy) * 1000 / MOVES


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--keep", type=Path, help="write the page here, too")
    options = parser.parse_args(arguments)
    data, command = os.environ.get("SEEDBED_TEST_DATA"), find()
    if not data or command is None:
        print("expected SEEDBED_TEST_DATA, a folder with voc-animals, and chromium on the path")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        maker = Maker(Path(folder) / "results")
        maker.dataset = Photographs(Path(data) / "voc-animals", options.images)
        results(maker, maker.dataset)
        number = options.images
        job = maker.job(samples=number, sample_rows=number, explorer_images=number)
        start = time.process_time()
        html = run(job).files["index.html"]
        made = time.process_time() - start
        page = options.keep or Path(folder) / "index.html"
        page.write_bytes(html)
        with browser(command) as tab:
            loads = [seconds_to_interactive(tab, page) for _ in range(3)]
            move = milliseconds_of_moves(tab, ".explorer input[type=range]")
            fade = milliseconds_of_moves(tab, ".gallery input[type=range]")
            assert not tab.faults, tab.faults
    print(f"## Report page\n\n{machine()}.\n")
    clock, busy = (median(one[k] for one in loads) for k in range(2))
    rows = (
        ("size", f"{len(html) / 1e6:.1f} MB", "", "≤ 25 MB"),
        ("until the explorer shows its first image", f"{clock:.2f} s", f"{busy:.2f} s", "≤ 2 s"),
        ("move of a threshold", f"{move[0]:.0f} ms", f"{move[1]:.1f} ms", "≤ 50 ms"),
        ("move of the pictures' opacity", f"{fade[0]:.0f} ms", f"{fade[1]:.1f} ms", "≤ 50 ms"),
        ("making the page", "", f"{made:.1f} s", ""),
    )
    print(f"| {number} images | by the clock | CPU of the main thread | aim |\n| --- | --- | --- | --- |")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
