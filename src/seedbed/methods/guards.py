"""Guards against collapse: a state that no method can learn from stops the run with one line."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Integer
from torch import Tensor

from seedbed.errors import SeedbedError
from seedbed.labels import IGNORE
from seedbed.methods.base import Progress

FLAT = 1e-7
"""Largest spread of a constant map, as a share of its largest value: float32 rounding."""


def check_cams_vary(
    cam_logits: Float[Tensor, "batch classes h w"], labels: Float[Tensor, "batch classes"], progress: Progress
) -> None:
    """Stop if every present class's map is constant, as when all features have died.

    Maps of a single cell and batches without a class are not judged, nor are maps that are not finite, which
    the loop reports.

    Raises:
        SeedbedError: names the epoch and the step.
    """
    present = cam_logits.detach()[labels > 0.5].flatten(1)
    if not present.numel() or present.shape[1] == 1 or not bool(present.isfinite().all()):
        return
    spread = present.amax(1) - present.amin(1)
    if bool((spread <= FLAT * present.abs().amax(1)).all()):
        per_epoch = max(progress.steps // progress.epochs, 1)
        raise SeedbedError(
            f"epoch {progress.epoch + 1}, step {progress.step - progress.epoch * per_epoch + 1}: the class maps of "
            f"all {len(present)} present classes are constant; most likely the features have died: lower lr, or "
            "raise warmup_steps. The last good checkpoint is kept"
        )


def check_pairs_exist(label_maps: Iterable[Integer[np.ndarray, "H W"]]) -> None:
    """Stop if no image has a pair of background pixels, of pixels of one class, or of pixels that differ.

    An AffinityNet learns from all three; without one of them it says the same of every pair, or of half of them.
    Maps are drawn until each kind was seen.

    Args:
        label_maps: confident regions of all images: 0 background, c + 1 for class c, 255 neutral.

    Raises:
        SeedbedError: names the kinds that are missing, and why that may be.
    """
    reasons = {
        "of background pixels": "the background threshold of `regions` is too low, or, where saliency decides, the "
        "whole set is salient",
        "of pixels of one class": "the foreground threshold of `regions` is too high",
        "of pixels that differ": "no image has background beside a class, or two classes",
    }
    missing = dict(reasons)
    images = 0
    for label_map in label_maps:
        images += 1
        labels, counts = np.unique(label_map[label_map != IGNORE], return_counts=True)
        seen = ((counts[labels == 0] > 1).any(), (counts[labels > 0] > 1).any(), len(labels) > 1)
        for kind, is_there in zip(reasons, seen, strict=True):
            if is_there:
                missing.pop(kind, None)
        if not missing:
            return
    raise SeedbedError(
        f"none of {images} images has a pair {' and no pair '.join(missing)} in its confident regions, from which an "
        f"AffinityNet learns ({'; '.join(missing.values())}); change `regions`, or look at what made them"
    )
