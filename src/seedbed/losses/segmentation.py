"""Losses of pixels, some of which have no label."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from seedbed.labels import IGNORE


def pixel_cross_entropy(
    logits: Float[Tensor, "batch outputs H W"],
    label_maps: Int64[Tensor, "batch H W"],
    label_smoothing: float = 0.0,
    robustness: float = 0.0,
) -> Float[Tensor, ""]:
    """Mean cross-entropy over the labelled pixels of the whole batch, or its generalised form.

    0, with a gradient of 0, if no pixel is labelled (a plain mean would be NaN).

    Args:
        logits: channel 0 is background.
        label_maps: 0 to K - 1, or 255 for no label.
        label_smoothing: a in (1 - a) y + a / K.
        robustness: q of the generalised cross-entropy (1 - p^q) / q of the label's probability p (Zhang & Sabuncu 2018,
            eq. 6), which trusts labels less that the network doubts: at 1 it is 1 - p; 0 is the cross-entropy. There is
            no label smoothing with it.

    Raises:
        ValueError: a label that is neither below K nor 255.
    """
    labelled = label_maps != IGNORE
    outputs = logits.shape[1]
    if bool((labelled & ((label_maps < 0) | (label_maps >= outputs))).any()):
        found = sorted(set(label_maps[labelled].tolist()) - set(range(outputs)))
        raise ValueError(
            f"expected labels from 0 to {outputs - 1}, or {IGNORE} for none, got {found[:5]}; check the classes"
        )
    if robustness:
        log_probabilities = functional.log_softmax(logits, 1)
        of_labels = log_probabilities.gather(1, label_maps.where(labelled, 0).unsqueeze(1)).squeeze(1)
        losses = -torch.expm1(robustness * of_labels) / robustness
        return (losses * labelled).sum() / labelled.sum().clamp(min=1)
    total = functional.cross_entropy(
        logits, label_maps, ignore_index=IGNORE, reduction="sum", label_smoothing=label_smoothing
    )
    return total / labelled.sum().clamp(min=1)
