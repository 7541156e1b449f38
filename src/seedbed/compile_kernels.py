"""Compile numba's kernels once, at installation: `python -m seedbed.compile_kernels`.

Numba compiles a kernel where it is first called, and keeps it in `__pycache__` beside its source. On a new checkout
the first jobs would each compile the same kernels at the same time. Here each is called once on a few pixels, with the
types and the numbers of labels that stages have.
"""

from pathlib import Path

import numpy as np

from seedbed.cam.rebuild import full_resolution
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.threshold_tables import ThresholdTable
from seedbed.metrics.transition_table import TransitionTable
from seedbed.networks.depthwise import kernel_gradient
from seedbed.refine.crf.dense_crf import CRF_PRESETS, DenseCrf, unary_from_labels
from seedbed.refine.random_walk import walk

SIDE = 32
LABELS = (2, 3, 4)
"""Labels of the CRF, with background: most photographs show up to three classes, and each number is compiled alone."""
THRESHOLDS = (0.25, 0.5)


def compile_kernels() -> None:
    """Call every kernel that the stages of `psa` and its judges call."""
    scores = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(1, SIDE, SIDE)
    mask = (scores[0] > 0.5).astype(np.uint8)
    full_resolution([scores], (SIDE, SIDE))
    for labels in LABELS:
        crf = DenseCrf(np.full((SIDE, SIDE, 3), mask[..., None] * 255, np.uint8), CRF_PRESETS["irn"])
        crf.labels(unary_from_labels(mask[None], labels, 0.7))
    walk(scores, np.ones((2, SIDE, SIDE), np.float32), [(0, 1), (1, 0)], steps=4, products=2)
    maps = scores[..., None]
    kernel_gradient(maps, maps, np.zeros((1, 1, 1), np.float32), (1, 1), (0, 0), (1, 1))
    confusion_counts(mask, mask, 2)
    ThresholdTable.empty(THRESHOLDS, 2).add(scores, np.array([0]), mask)
    TransitionTable.empty(THRESHOLDS).add(scores, scores)


def remove_compiled() -> None:
    """Remove what numba keeps: it sees a change of a kernel's own file, but not of a file that the kernel calls."""
    for pattern in ("*.nbi", "*.nbc"):
        for kept in Path(__file__).parent.rglob(pattern):
            kept.unlink(missing_ok=True)


if __name__ == "__main__":
    remove_compiled()
    compile_kernels()
