"""Inference without torch's compiler: not loaded by timm and segmentation networks, and there for whoever asks."""

import subprocess
import sys

START = """\
import sys
from seedbed.runtime.quick_imports import without_compiler
with without_compiler():
    import segmentation_models_pytorch as smp
    network = smp.DeepLabV3("tu-test_resnet", encoder_weights=None)
    assert type(sys.modules["torch._dynamo"]).__name__ == "_Placeholder"
    {inside}
assert ("torch._dynamo" in sys.modules) == {loaded}
import torch
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2)).tolist() == [2, 2]
"""


def test_inference_does_not_load_the_compiler_which_works_afterwards() -> None:
    _run(START.format(inside="", loaded=False))


def test_the_placeholder_gives_way_to_the_compiler() -> None:
    inside = "from torch._dynamo import OptimizedModule; import torch; assert torch._dynamo.__file__"
    _run(START.format(inside=inside, loaded=True))


def _run(text: str) -> None:
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
