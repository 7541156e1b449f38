"""What stages need of main memory for a photograph, what is free, and what to say when it does not suffice.

The figures are those of `python benchmarks/memory.py`, for EfficientNet-Lite0; a wider backbone needs more.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from seedbed.errors import SeedbedError

GB = 1e9
MEGAPIXEL = 1e6


class Need(NamedTuple):
    """Gigabytes of a stage: `base` + `per_view` · megapixels of the largest view + `per_photograph` · megapixels."""

    base: float
    per_view: float = 0.0
    per_photograph: float = 0.0


NEEDS: Mapping[str, Need] = {
    "dump_cams": Need(1.45, per_view=0.063),
    "classify": Need(1.1, per_view=0.08),
    "random_walk": Need(1.3, per_view=0.075),
    "predict": Need(1.35, per_view=0.13),
    "confident_regions": Need(0.3, per_photograph=0.16),
    "pseudo_masks": Need(0.2, per_photograph=0.03),
}
VARIANTS: Mapping[tuple[str, str, object], str] = {
    ("dump_cams", "form", "pcm"): "dump_cams, pcm",
    ("train_classifier", "method", "isim"): "train_classifier, isim",
}
"""Rows of `NEEDS` for a stage with a certain value of a parameter, instead of the stage's."""
CRF = 0.2
"""More gigabytes per megapixel where a stage ends with a dense CRF."""
CRF_OF = {
    "predict": "crf",
    "pseudo_masks": "crf",
    "dump_saliency": "crf",
    "train_classifier, isim": "label_crf",
}
"""Parameter that names the CRF's preset, by row of `NEEDS`; the row of `confident_regions` has the CRF in it."""


def needed(stage: str, parameters: Mapping[str, Any], megapixels: float) -> float:
    """Estimated gigabytes of a stage at its peak; 0 for a stage whose memory hardly depends on the photographs' sizes.

    Args:
        stage: its name.
        parameters: of its model; method or form, scales of the views and the CRF count.
        megapixels: of the largest photograph.
    """
    variants = (
        row for (of, key, value), row in VARIANTS.items() if of == stage and parameters.get(key) == value
    )
    row = next(variants, stage)
    if row not in NEEDS:
        return 0.0
    need = NEEDS[row]
    sizes = parameters.get("sizes") or ()
    scales = (
        parameters.get("label_scales") or parameters.get("scales") or (parameters.get("image_scale", 1.0),)
    )
    view = max(sizes) ** 2 / MEGAPIXEL if sizes else megapixels * max(scales) ** 2
    crf = CRF if parameters.get(CRF_OF.get(row, ""), "none") != "none" else 0.0
    return float(need.base + need.per_view * view + (need.per_photograph + crf) * megapixels)


def available() -> float | None:
    """Gigabytes that are free on this machine, or left to this process's group; None where that is not known."""
    free: list[float] = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        free.append(float(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024)
    with suppress(OSError, ValueError):  # no such limit, or "max"
        group = Path("/sys/fs/cgroup")
        used = int((group / "memory.current").read_text())
        free.append(float(int((group / "memory.max").read_text()) - used))
    return max(0.0, min(free)) / GB if free else None


def out_of_memory(dataset: str, image_id: str, size: tuple[int, int] | None) -> SeedbedError:
    """The one line about a stage that ran out of memory.

    Args:
        dataset: name of the data set.
        image_id: the image that it worked on; empty if that is not known.
        size: width and height of the image.
    """
    setting = f"datasets.{dataset}.longest in params.yaml"
    if not image_id or size is None:
        return SeedbedError(f"out of memory; close other programs, or shrink the photographs: set {setting}")
    told = f"image {image_id!r} ({size_text(size)}): out of memory"
    return SeedbedError(f"{told}; shrink the photographs: set {setting}, for instance to {max(size) // 2}")


def training_out_of_memory(parameters: Mapping[str, Any]) -> SeedbedError:
    """The one line about a training that ran out of memory, which its batches decide and not the photographs."""
    crop = parameters.get("augmentation", {}).get("crop")
    told = f"out of memory at batch_size {parameters.get('batch_size')} and crop {crop}"
    return SeedbedError(f"{told}; lower batch_size and raise accumulate, or lower augmentation.crop")


def size_text(size: tuple[int, int]) -> str:
    """`4000 × 3000, 12.0 MP`."""
    return f"{size[0]} × {size[1]}, {size[0] * size[1] / MEGAPIXEL:.1f} MP"
