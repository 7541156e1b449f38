"""Milliseconds an image for training input: ours against PIL and numpy floats, as the published codes do it.

    python benchmarks/input_pipeline.py [--photograph FILE] [--crop 512] [--repeats 100]

Both decode a JPEG, resize its longer side to an integer of [320, 640], flip, and crop or pad. What differs:
both resample antialiased bicubic, PIL's by PIL and ours by torch on uint8 (they differ by one grey level at
most); ours ends in uint8 and leaves normalisation to the device, whose cost on this CPU is listed apart.
"""

import argparse
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from PIL import Image

from seedbed.datasets.cutouts import photograph
from seedbed.input.augmentation import Augmentation
from seedbed.input.loaders import normalise
from seedbed.input.transforms import augment, draw_size, place

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def peers(jpeg: bytes, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Decode, PIL bicubic, float normalisation, flip, crop into zeros, channels first."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    image = image.resize(draw_size(image.size, augmentation, rng), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    values = np.empty(pixels.shape, np.float32)
    for c in range(3):
        values[..., c] = (pixels[..., c] / 255.0 - MEAN[c]) / STD[c]
    if rng.random() < augmentation.flip:
        values = np.fliplr(values)
    crop = augmentation.crop
    (top, to_top, rows), (left, to_left, columns) = (place(s, crop, rng) for s in values.shape[:2])
    canvas = np.zeros((crop, crop, 3), np.float32)
    canvas[to_top : to_top + rows, to_left : to_left + columns] = values[
        top : top + rows, left : left + columns
    ]
    return np.ascontiguousarray(canvas.transpose(2, 0, 1))


def ours(jpeg: bytes, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Decode, then `augment`."""
    return augment(Image.open(io.BytesIO(jpeg)).convert("RGB"), None, augmentation, rng).image


def milliseconds(run: Callable[[], object], repeats: int) -> float:
    """CPU time an image, the best of five series."""
    run()
    series = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(max(1, repeats // 5)):
            run()
        series.append((time.process_time() - start) / max(1, repeats // 5))
    return 1000 * min(series)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--photograph", type=Path, help="a JPEG; without it, one that ships with scikit-learn"
    )
    parser.add_argument("--crop", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.photograph:
        jpeg = arguments.photograph.read_bytes()
    else:
        file = io.BytesIO()
        photograph("sklearn", "china.jpg").resize((500, 334)).save(file, "JPEG", quality=90)
        jpeg = file.getvalue()
    size = Image.open(io.BytesIO(jpeg)).size
    augmentation = Augmentation(crop=arguments.crop)
    print(f"```\nJPEG {size[0]}x{size[1]}, {len(jpeg) / 1000:.0f} kB, crop {arguments.crop}, one thread")

    def timed(step: Callable[[bytes, Augmentation, np.random.Generator], np.ndarray]) -> float:
        rng = np.random.default_rng(0)
        return milliseconds(lambda: step(jpeg, augmentation, rng), arguments.repeats)

    theirs, mine = timed(peers), timed(ours)
    batch = torch.from_numpy(ours(jpeg, augmentation, np.random.default_rng(0)))[None]
    valid = torch.ones(batch.shape[:3], dtype=torch.bool)
    device = milliseconds(lambda: normalise(batch, valid, MEAN, STD), arguments.repeats)
    decode = milliseconds(lambda: Image.open(io.BytesIO(jpeg)).convert("RGB"), arguments.repeats)
    print(f"decoding alone, in both               {decode:6.2f} ms")
    print(f"PIL bicubic and numpy floats (peers)  {theirs:6.2f} ms")
    print(f"ours, to uint8                        {mine:6.2f} ms, {theirs / mine:.1f} times faster")
    print(f"normalise, were this CPU the device   {device:6.2f} ms\n```")


if __name__ == "__main__":
    main()
