"""Cross-entropy of saliency, summed over the pixels of an image (PoolNet's code; Liu et al. 2019, §4.1)."""

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

ROUNDING = 1e-3
"""How far a target that was resized may lie outside [0, 1]."""


def summed_cross_entropy(
    saliency_logits: Float[Tensor, "batch 1 H W"],
    saliency: Float[Tensor, "batch 1 H W"],
    valid: Bool[Tensor, "batch H W"],
) -> Float[Tensor, ""]:
    """Binary cross-entropy summed over the pixels of each image, averaged over the images; padding does not count.

    Args:
        saliency_logits: before the sigmoid.
        saliency: target, in [0, 1].
        valid: False on padding.

    Raises:
        ValueError: a target outside [0, 1].
    """
    if bool(((saliency < -ROUNDING) | (saliency > 1 + ROUNDING)).any()):
        raise ValueError(
            f"expected saliency in [0, 1], got {float(saliency.min()):g} to {float(saliency.max()):g}; divide it by "
            "its largest possible value"
        )
    each = binary_cross_entropy_with_logits(saliency_logits, saliency.clamp(0, 1), reduction="none")
    return (each * valid[:, None]).sum() / len(saliency_logits)
