"""Start-up of stages that run networks: timm and a segmentation network, with torch's compiler and without it.

`python benchmarks/start_up.py`. CPU seconds of a new process, which has already imported torch.
"""

import subprocess
import sys

from _harness import compare, print_table

TEXT = """\
import sys, time, torch
from contextlib import nullcontext
from seedbed.runtime.quick_imports import without_compiler
start = time.process_time()
with {context}:
    import segmentation_models_pytorch as smp
    smp.DeepLabV3("tu-test_resnet", encoder_weights=None)
print(time.process_time() - start, "torch._dynamo" in sys.modules)
"""


class Starts:
    """New processes, whose CPU time is the clock."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def start(self, context: str) -> str:
        """Whether the compiler was loaded within `context`."""
        words = [sys.executable, "-c", TEXT.format(context=context)]
        seconds, loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
        self.seconds += float(seconds)
        return loaded


def main() -> None:
    """Print the table."""
    starts = Starts()
    row = compare(
        "timm and a DeepLabV3",
        lambda: starts.start("nullcontext()"),
        lambda: starts.start("without_compiler()"),
        lambda peer, ours: f"compiler loaded: {peer}, {ours}",
        clock=lambda: starts.seconds,
    )
    note = "Peer: everything as it imports itself. Each is a new process that has imported torch."
    print_table("Start-up of stages that run networks", [row], ("torch", "torchvision", "timm"), [note])


if __name__ == "__main__":
    main()
