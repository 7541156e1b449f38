"""Classification with several classes per image: multi-label soft margin, and label smoothing.

Loss as in CAM, IRN, Puzzle-CAM and P-NOC; smoothing as in P-NOC: each label is moved towards 1/2.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def multilabel_soft_margin(
    class_logits: Float[Tensor, "batch classes"], labels: Float[Tensor, "batch classes"]
) -> Float[Tensor, ""]:
    """Mean binary cross-entropy between logits and labels, over images and classes.

    -y log σ(x) - (1 - y) log(1 - σ(x)), computed from the logits, so that it stays finite for large ones.

    Args:
        class_logits: x.
        labels: y in [0, 1].
    """
    return functional.binary_cross_entropy_with_logits(class_logits, labels)


def smooth_labels(labels: Float[Tensor, "*shape"], amount: float) -> Float[Tensor, "*shape"]:
    """(1 - a) y + a / 2: a label of 1 becomes 1 - a/2, a label of 0 becomes a/2.

    Raises:
        ValueError: `amount` outside [0, 1).
    """
    if not 0 <= amount < 1:
        raise ValueError(f"expected label smoothing in [0, 1), got {amount}; 0 leaves it out")
    return (1 - amount) * labels + amount / 2
