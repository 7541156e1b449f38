"""What is compiled at installation is what stages call: they call no kernel with other types.

In a process of its own, since other tests call the same kernels.
"""

import subprocess
import sys

import numpy as np
from numba.core.dispatcher import Dispatcher

from seedbed.cam import rebuild
from seedbed.cam.rebuild import full_resolution
from seedbed.compile_kernels import LABELS, compile_kernels
from seedbed.metrics import _kernels
from seedbed.metrics.confusion import confusion_counts
from seedbed.metrics.threshold_tables import ThresholdTable
from seedbed.metrics.transition_table import TransitionTable
from seedbed.refine import stencil_kernels
from seedbed.refine.affinity_labels import pair_offsets
from seedbed.refine.confident_regions import threshold_regions
from seedbed.refine.crf import dense_crf, lattice, mean_field
from seedbed.refine.crf.parameters import CRF_PRESETS
from seedbed.refine.crf.refiners import label_refiner
from seedbed.refine.random_walk import walk

MODULES = (rebuild, _kernels, stencil_kernels, dense_crf, lattice, mean_field)


def compiled() -> dict:
    """Types of the arguments that each kernel has been called with in this process, compiled or read from the cache."""
    kernels = {f"{module.__name__}.{name}": f for module in MODULES for name, f in vars(module).items()}
    return {name: list(f.signatures) for name, f in kernels.items() if isinstance(f, Dispatcher)}


def test_stages_call_kernels_with_no_other_types():
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def call_as_stages_do(classes: int) -> None:
    """Fails where a kernel is called with types that it has not been called with before."""
    draw = np.random.default_rng(0).random
    photograph = (255 * draw((24, 40, 3))).astype(np.uint8)
    maps = [draw((classes, side, side), dtype=np.float32) for side in (4, 8)]
    before = compiled()
    assert sum(map(len, before.values())) >= 10
    scores = full_resolution(maps, (24, 40))
    refine = label_refiner(photograph, CRF_PRESETS["irn"], "permutohedral")
    regions = threshold_regions(scores, list(range(classes)), 0.3, 0.6, refine)
    offsets = pair_offsets(5)
    walk(scores, draw((len(offsets), 24, 40), dtype=np.float32), offsets)
    confusion_counts(regions, regions, classes + 1)
    ThresholdTable.empty((0.2, 0.4, 0.8), classes + 1).add(scores, np.arange(classes), regions)
    TransitionTable.empty((0.2, 0.4, 0.8)).add(scores, scores)
    assert compiled() == before


if __name__ == "__main__":
    assert not sum(map(len, compiled().values()))
    compile_kernels()
    for labels in LABELS:
        call_as_stages_do(labels - 1)
