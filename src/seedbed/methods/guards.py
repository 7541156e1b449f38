"""Guards against collapse: a state that no method can learn from stops the run with one line."""

from jaxtyping import Float
from torch import Tensor

from seedbed.errors import SeedbedError
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
