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


KINDS_OF_PAIRS = {
    "background": "two pixels of background: the background threshold of `regions` is too low, or, where saliency "
    "decides, the whole set is salient",
    "foreground": "two pixels of one class: the foreground threshold of `regions` is too high",
    "negative": "two pixels that differ: no image has background beside a class, or two classes",
}
"""Kinds of pairs that an AffinityNet learns from → what none of them means, and why it may be."""


def missing_pairs(label_maps: Iterable[Integer[np.ndarray, "H W"]]) -> list[str]:
    """The kinds of pairs that no image has; each has a term in the loss, which is 0 throughout where none exists.

    Maps are drawn until every kind was seen.

    Args:
        label_maps: confident regions of all images: 0 background, c + 1 for class c, 255 neutral.
    """
    missing = list(KINDS_OF_PAIRS)
    for label_map in label_maps:
        labels, counts = np.unique(label_map[label_map != IGNORE], return_counts=True)
        seen = {
            "background": (counts[labels == 0] > 1).any(),
            "foreground": (counts[labels > 0] > 1).any(),
            "negative": len(labels) > 1,
        }
        missing = [kind for kind in missing if not seen[kind]]
        if not missing:
            break
    return missing
