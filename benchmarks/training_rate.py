"""Training of a CAM classifier as the stage does it: images per second, and the share of time spent waiting for data.

JPEG photographs of 375×500 are decoded, resized, jittered and cropped by worker processes, as in `train_classifier`.
Weights are random. On a CPU only EfficientNet-Lite0 at crop 192 is timed.

    python benchmarks/training_rate.py [--steps 30] [--device cuda]
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from _harness import machine, photographs
from PIL import Image

from seedbed.input.augmentation import Augmentation
from seedbed.input.batch import Batch
from seedbed.input.loaders import TrainingLoader
from seedbed.methods.table import build_method, method_entry
from seedbed.runtime.fit import NormalisedLoader
from seedbed.training.loop import fit
from seedbed.training.parameters import TrainingParameters

CLASSES, BATCH, WARM = 20, 16, 5
ON_GPU = (
    ("tf_efficientnet_lite0", 448),
    ("tf_efficientnet_lite0", 512),
    ("resnet50", 448),
    ("resnet50", 512),
    ("resnest101e", 448),
    ("resnest101e", 512),
)
ON_CPU = (("tf_efficientnet_lite0", 192),)


class Photographs:
    """Four JPEG files in memory under many ids."""

    def __init__(self, count: int) -> None:
        """Encode them."""
        self.ids = [f"{number:04d}" for number in range(count)]
        self._files = []
        for pixels in photographs():
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "JPEG", quality=90)
            self._files.append(stream.getvalue())

    def image(self, image_id: str) -> Image.Image:
        """Decode one."""
        return Image.open(io.BytesIO(self._files[int(image_id) % 4])).convert("RGB")

    def labels(self, image_id: str) -> np.ndarray:
        """One class of each image."""
        return np.arange(CLASSES) == int(image_id) % CLASSES

    def fields(self, image_id: str) -> dict[str, np.ndarray]:
        """None."""
        return {}


class Timed:
    """A loader that adds up how long it is waited for after the first batches."""

    def __init__(self, loader: NormalisedLoader) -> None:
        """Nothing is timed yet."""
        self.loader, self.waited, self.started = loader, 0.0, 0.0

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.loader)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches; the clock starts after WARM of them."""
        batches = iter(self.loader.epoch(epoch, start))
        for number in range(len(self)):
            if number == WARM:
                self.started, self.waited = time.perf_counter(), 0.0
            before = time.perf_counter()
            batch = next(batches)
            self.waited += time.perf_counter() - before
            yield batch


def measure(
    backbone: str, crop: int, precision: str, device: str, steps: int, workers: int
) -> tuple[float, float]:
    """Images per second and the share of waiting."""
    own = method_entry("cam").parameters(backbone=backbone, weights="none")
    method = build_method("cam", own, classes=CLASSES, rng=0)
    augmentation = Augmentation(resize_long=(320, 640), crop=crop)
    examples = Photographs((steps + WARM) * BATCH)
    loader = TrainingLoader(examples, augmentation, BATCH, 0, workers)
    timed = Timed(NormalisedLoader(loader, method, device))
    parameters = TrainingParameters(epochs=1, batch_size=BATCH, precision=precision, lr=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        fit(method, timed, parameters, rng=0, key="benchmark", work=Path(folder), accelerator=device)
        seconds = time.perf_counter() - timed.started
    return steps * BATCH / seconds, timed.waited / seconds


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=30, help=f"timed steps of {BATCH} images, after {WARM}")
    parser.add_argument("--workers", type=int, help="processes that read; default 8 beside a GPU, else 0")
    options = parser.parse_args(arguments)
    on_gpu = options.device == "cuda"
    workers = (8 if on_gpu else 0) if options.workers is None else options.workers
    place = torch.cuda.get_device_name() if on_gpu else "CPU"
    print(f"## Training rate\n\n{machine()}; {place}; torch {torch.__version__}.\n")
    print("| backbone | crop | precision | images per second | waiting for data |")
    print("| --- | --- | --- | --- | --- |")
    for backbone, crop in ON_GPU if on_gpu else ON_CPU:
        for precision in ("32", "bf16") if on_gpu else ("32",):
            rate, waiting = measure(backbone, crop, precision, options.device, options.steps, workers)
            print(f"| {backbone} | {crop} | {precision} | {rate:,.1f} | {waiting:.0%} |", flush=True)
    print(
        f"\nBatches of {BATCH}, {options.steps} timed steps after {WARM}, {workers} reading processes, wall time."
    )


if __name__ == "__main__":
    main()
