"""Inference on images of ever new sizes, as data sets have them: memory formats, convolutions with and without cuDNN.

On a GPU, cuDNN plans each convolution anew for each size that it has not seen, which takes longer than the network.
Random weights, one image and its mirror image per call.

    python benchmarks/image_sizes.py [--backbones tf_efficientnet_lite0 resnet50] [--device cuda]
"""

import argparse
import time
from collections.abc import Sequence
from statistics import median

import numpy as np
import torch
from _harness import duration, machine

from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork

WARM, SIZES, REPEATS = 2, 8, 5


def seconds(network: CamNetwork, images: torch.Tensor) -> float:
    """Of one call, by the clock."""
    synchronise = torch.cuda.synchronize if images.is_cuda else lambda: None
    synchronise()
    start = time.perf_counter()
    with torch.no_grad():
        network(images)
    synchronise()
    return time.perf_counter() - start


def measure(network: CamNetwork, device: str, memory_format: torch.memory_format) -> tuple[float, float]:
    """Medians: the first call with a new size, and further calls with the last one."""
    draw = np.random.default_rng(0)
    first = []
    for _ in range(WARM + SIZES):
        height, width = draw.integers(200, 320, 2).tolist()
        images = torch.rand(2, 3, height, width, device=device).contiguous(memory_format=memory_format)
        first.append(seconds(network, images))
    return median(first[WARM:]), median(seconds(network, images) for _ in range(REPEATS))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--backbones", nargs="+", default=["tf_efficientnet_lite0"])
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    on_gpu = options.device == "cuda"
    place = torch.cuda.get_device_name() if on_gpu else "CPU"
    print(f"## Images of new sizes\n\n{machine()}; {place}; torch {torch.__version__}.\n")
    print(
        "| backbone | memory format | convolutions | new size | same size |\n| --- | --- | --- | --- | --- |"
    )
    for backbone in options.backbones:
        network = CamNetwork(build_backbone(backbone, 16), 6, generator=torch.Generator().manual_seed(0))
        network.eval().to(options.device)
        for name in ("contiguous", "channels-last"):
            memory_format = torch.channels_last if name == "channels-last" else torch.contiguous_format
            for cudnn in (True, False) if on_gpu else (False,):
                with torch.backends.cudnn.flags(enabled=cudnn):
                    new, same = measure(network, options.device, memory_format)
                convolutions = "cuDNN" if cudnn else "torch's own"
                cells = backbone, name, convolutions, duration(new), duration(same)
                print(f"| {' | '.join(cells)} |", flush=True)
    print(
        f"\nImage and mirror image of 200 to 320 pixels a side; medians of {SIZES} sizes and {REPEATS} repeats."
    )


if __name__ == "__main__":
    main()
