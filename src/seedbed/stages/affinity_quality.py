"""`affinity_quality`: what confident regions teach AffinityNet: labelled pixels by class, and pairs at its radius.

Pixels are counted as background, as a class, or as neutral. Pairs are counted on the AffinityNet's grid, at the image's
own size: foreground (both of one class), background (both background) and negative (the labels differ). With true masks
it also says how much of each is right: a pixel that has its true class, a pair whose true labels are of the same kind.
Pixels whose truth is 255 are left out of that.

The plan adds this stage for each AffinityNet of the selected recipes if one of them trains an AffinityNet on salient
affinity labels (P-NOC paper, §5), so that regions with and without saliency stand side by side.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import UInt8

from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE
from seedbed.metrics.confusion import confusion_counts
from seedbed.runtime.contract import Input, Job, Parameters, Stage
from seedbed.runtime.judging import judgement_json

KINDS = ("foreground", "background", "negative")
"""Of pairs."""


class Grid(NamedTuple):
    """Where an AffinityNet compares pixels, as the slice says."""

    stride: int
    """Pixels per cell."""
    radius: int
    """In cells."""
    pairs: Literal["all", "published"]


def run(job: Job) -> bytes:
    """The counts of one split.

    Raises:
        SeedbedError: a label map of another size than the image's mask.
    """
    import torch

    torch.set_num_threads(1)
    grid = Grid(int(job.slice["stride"]), int(job.slice["radius"]), job.slice["pairs"])
    names = ("background", *job.dataset.mask_classes)
    label_maps = job.artifact("target").open(job.split)
    pixels = np.zeros(len(names) + 1, np.int64)
    confusion = np.zeros((len(names), len(names) + 1), np.int64)
    pairs = {name: np.zeros(len(KINDS), np.int64) for name in ("all", "known", "right")}
    image_ids = job.dataset.image_ids(job.split)
    for image_id in job.progress(image_ids, len(image_ids), "affinity_quality"):
        label_map = label_maps[image_id]
        found = np.bincount(label_map.ravel(), minlength=IGNORE + 1)
        pixels += np.append(found[: len(names)], found[IGNORE])
        truth = job.true_mask(image_id) if job.slice["masks"] else None
        if truth is not None:
            if truth.shape != label_map.shape:
                raise SeedbedError(
                    f"{job.artifact('target').folder}: expected a label map of {image_id!r} of its mask's size "
                    f"{truth.shape[1]}x{truth.shape[0]}, but it is {label_map.shape[1]}x{label_map.shape[0]}; "
                    "run its stage again"
                )
            confusion += confusion_counts(truth, label_map, len(names))
        for name, counts in pair_counts(label_map, truth, grid).items():
            pairs[name] += counts
    shares = pixels / max(pixels.sum(), 1)
    hits, predicted = confusion.diagonal(), confusion[:, :-1].sum(0)
    right = {
        "background": _ratio(hits[0], predicted[0]),
        "foreground": _ratio(hits[1:].sum(), predicted[1:].sum()),
    }
    pairs_right = {kind: _ratio(pairs["right"][k], pairs["known"][k]) for k, kind in enumerate(KINDS)}
    scores: dict[str, Any] = {
        "pixels": {
            "background": float(shares[0]),
            "foreground": float(shares[1:-1].sum()),
            "neutral": float(shares[-1]),
        },
        "pixels_right": right,
        "pairs": {kind: _ratio(pairs["all"][k], len(image_ids)) for k, kind in enumerate(KINDS)},
        "pairs_right": pairs_right,
        "per_class": {
            name: {
                "pixels": int(pixels[k]),
                "share": float(shares[k]),
                "right": _ratio(hits[k], predicted[k]),
            }
            for k, name in enumerate(names)
        },
    }
    result = {
        "scores": scores,
        "images": len(image_ids),
        "saliency": bool(job.slice["saliency"]),
        **grid._asdict(),
    }
    return judgement_json(STAGE, job, "affinity_labels", result)


def pair_counts(
    label_map: UInt8[np.ndarray, "H W"], truth: UInt8[np.ndarray, "H W"] | None, grid: Grid
) -> dict[str, np.ndarray]:
    """Pairs of each of `KINDS`: `all`; those whose true labels are `known`; those that are `right`.

    Args:
        truth: no pair is known without it.

    Returns:
        Three int64 numbers by each name; without truth only `all`.
    """
    import torch

    from seedbed.refine.affinity_labels import affinity_labels, nearest_labels, pair_offsets

    cells = tuple(-(-side // grid.stride) for side in label_map.shape)
    offsets = pair_offsets(grid.radius)

    def pairs_of(labels: np.ndarray) -> dict[str, torch.Tensor]:
        small = nearest_labels(torch.from_numpy(labels.astype(np.int64))[None], (cells[0], cells[1]))
        found = affinity_labels(small, offsets, grid.pairs)
        return {kind: getattr(found, kind) for kind in KINDS}

    found = pairs_of(label_map)
    counts = {"all": np.array([int(found[kind].sum()) for kind in KINDS])}
    if truth is None:
        return counts
    true = pairs_of(truth)
    known = true["foreground"] | true["background"] | true["negative"]
    counts["known"] = np.array([int((found[kind] & known).sum()) for kind in KINDS])
    counts["right"] = np.array([int((found[kind] & true[kind]).sum()) for kind in KINDS])
    return counts


def _ratio(part: np.integer, whole: np.integer | int) -> float | None:
    return float(part / whole) if whole else None


STAGE = Stage(
    name="affinity_quality",
    version=1,
    summary="Judge what confident regions teach AffinityNet: pixels by class, and pairs.",
    parameters=lambda raw: Parameters,
    inputs={"target": Input(("label_maps",))},
    resources="counts",
    run=run,
    reads_masks=True,
    writes_file=True,
)
