"""CAM inference: scales ½, 1, 1½, 2, each with its mirror image, of one 375×500 photograph by ResNet-50 at stride 16.

The peer is the published order (PSA, IRN): one float32 call of the network a view, class maps by a 1×1 convolution,
ReLU, flipped back and added, a scale at a time. Ours are `multi_scale_cams` in float32 and under bf16 autocast. The
weights are random: neither time nor agreement depends on training.

    python benchmarks/cam_inference.py [--rounds 1] [--device cuda]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from _harness import compare, photographs, print_table
from PIL import Image

from seedbed.cam.inference import SCALES, Precision, multi_scale_cams
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork

CLASSES = 20
PRESENT = (3, 7)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build(device: str) -> CamNetwork:
    """ResNet-50 at output stride 16 with random weights; batch norm's statistics come from the photographs."""
    network = CamNetwork(build_backbone("resnet50", 16), CLASSES, generator=torch.Generator().manual_seed(0))
    batch = np.stack(photographs((128, 128))).transpose(0, 3, 1, 2).astype(np.float32) / 255
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all passes
    with torch.no_grad():
        network((torch.from_numpy(batch) - 0.45) / 0.225)
    return network.eval().to(device)


@torch.no_grad()
def one_call_a_view(network: CamNetwork, image: np.ndarray, device: str) -> list[np.ndarray]:
    """The published way: numpy floats, one call a view, the 1×1 convolution by the classifier's weights."""
    backbone, weight = network.backbone, network.head.weight
    height, width = image.shape[:2]
    found = []
    for scale in SCALES:
        size = round(width * scale), round(height * scale)
        pixels = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) / 255.0
        values = ((pixels - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)
        views = []
        for view in (values, np.ascontiguousarray(values[:, :, ::-1])):
            features = backbone(torch.from_numpy(view)[None].to(device))[-1]
            maps = torch.nn.functional.conv2d(features, weight).relu()[0, list(PRESENT)]
            views.append(maps.cpu().numpy())
        found.append(views[0] + views[1][:, :, ::-1])
    return found


def distance(peer: Sequence[np.ndarray], ours: Sequence[np.ndarray]) -> str:
    """Largest difference over all scales, each by the peer's maximum of that scale."""
    shares = [np.abs(p - o).max() / p.max() for p, o in zip(peer, ours, strict=True)]
    return f"at most {max(shares):.1e} of the maximum apart"


def bf16_kernels() -> str:
    """What the processor has for bf16, by the names of its flags; empty where there is nothing."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.is_file() else []
    return ", ".join(name for name in ("amx_bf16", "avx512_bf16") if name in flags)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1, help="timed runs of each, after one for warmth")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    network, image = build(options.device), photographs()[0]
    on_cpu = options.device == "cpu"

    def ours(precision: Precision) -> Callable[[], Sequence[np.ndarray]]:
        return lambda: (
            multi_scale_cams(
                network,
                image,
                PRESENT,
                mean=MEAN,
                std=STD,
                precision=precision,
                device=options.device,
            ).maps
        )

    kernels = bf16_kernels() if on_cpu else "GPU"
    aims: tuple[tuple[Precision, str], ...] = (
        ("32", "parity"),
        ("bf16", "≥ 3×" if kernels else "no bf16 here"),
    )
    rows = [
        compare(
            f"8 views, {'float32' if precision == '32' else 'bf16'}",
            lambda: one_call_a_view(network, image, options.device),
            ours(precision),
            distance,
            aim=aim,
            rounds=options.rounds,
            clock=time.process_time if on_cpu else time.perf_counter,
        )
        for precision, aim in aims
    ]
    clock = "process time" if on_cpu else "wall time"
    notes = [
        f"On {options.device}, {clock}, {options.rounds} timed round(s) after one for warmth; peer: float32.",
        f"bf16 instructions: {kernels or 'none'}.",
    ]
    if kernels == "avx512_bf16":
        notes.append("AVX-512's bf16 products have twice the peak of float32's, so 3× needs AMX or a GPU.")
    print_table("CAM inference", rows, ("numpy", "pillow", "timm", "torch"), notes)


if __name__ == "__main__":
    main()
