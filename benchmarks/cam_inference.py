"""CAM inference: scales ½, 1, 1½, 2, each with its mirror image, of one photograph.

Peers, in float32:

- one call of the network per view, with the weights as they were trained, in torch's default memory order: what
  `dump_cams` did up to its version 1;
- the order of IRN's `make_cam`: image and mirror image as one batch, the maps added up at stride 4 and at image size,
  normalised, and saved by numpy.

Ours are what `dump_cams` does: batch norm folded into the convolutions, channels-last memory, maps at their native
resolution, encoded for the store, in a process that keeps freed memory (`kept_memory.py`); in float32 and, where the
processor has instructions for it, under bf16 autocast. Peers run in processes of their own, with glibc as it comes.
The weights are random: neither time nor agreement depends on training.

    python benchmarks/cam_inference.py [--rounds 3] [--backbone resnet50] [--device cuda]
"""

import argparse
import copy
import io
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from _harness import Row, photographs, print_table, seconds_of_processes
from PIL import Image
from torch.nn.functional import conv2d, interpolate

from seedbed.artifacts.maps import Maps, pack_maps
from seedbed.cam.inference import SCALES, Precision, multi_scale_cams
from seedbed.cam.rebuild import full_resolution
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.folding import fold_batch_norm
from seedbed.networks.memory_format import channels_last
from seedbed.runtime.process import prepare_process

CLASSES = 20
PRESENT = (3, 7)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Size = tuple[int, int]
CALLS, IRN, OURS, BF16 = "one-call-per-view", "irn", "ours", "ours-bf16"


def build(backbone: str) -> CamNetwork:
    """A network at output stride 16 with random weights; batch norm's statistics come from the photographs."""
    network = CamNetwork(build_backbone(backbone, 16), CLASSES, generator=torch.Generator().manual_seed(0))
    batch = np.stack(photographs((128, 128))).transpose(0, 3, 1, 2).astype(np.float32) / 255
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all passes
    with torch.no_grad():
        network((torch.from_numpy(batch) - 0.45) / 0.225)
    return network.eval()


def scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """The image resized and normalised, as numpy floats, channels first."""
    height, width = image.shape[:2]
    size = round(width * scale), round(height * scale)
    pixels = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) / 255.0
    return ((pixels - MEAN) / STD).transpose(2, 0, 1).astype(np.float32)


@torch.no_grad()
def one_call_per_view(network: CamNetwork, image: np.ndarray, device: str) -> list[np.ndarray]:
    """CAMs at native resolution: one call per view."""
    found = []
    for scale in SCALES:
        values = scaled(image, scale)
        views = []
        for view in (values, np.ascontiguousarray(values[:, :, ::-1])):
            features = network.backbone(torch.from_numpy(view)[None].to(device))[-1]
            maps = conv2d(features, network.head.weight).relu()[0, list(PRESENT)]
            views.append(maps.cpu().numpy())
        found.append(views[0] + views[1][:, :, ::-1])
    return found


@torch.no_grad()
def make_cam(network: CamNetwork, image: np.ndarray, device: str) -> list[np.ndarray]:
    """The maps at stride 4 and at image size, summed over scales, as they are saved; returns the latter."""
    height, width = image.shape[:2]
    stride4 = (-(-height // 4), -(-width // 4))
    multiple = (-(-height // 16) * 16, -(-width // 16) * 16)
    sums: dict[Size, torch.Tensor] = {}
    for scale in SCALES:
        values = scaled(image, scale)
        pair = torch.from_numpy(np.stack([values, values[:, :, ::-1]])).to(device)
        maps = conv2d(network.backbone(pair)[-1], network.head.weight).relu()
        joined = (maps[0] + maps[1].flip(-1))[None]
        for size in (stride4, multiple):
            enlarged = interpolate(joined, size, mode="bilinear", align_corners=False)[0]
            sums[size] = sums[size] + enlarged if size in sums else enlarged
    present = list(PRESENT)
    found = [sums[stride4][present], sums[multiple][present, :height, :width]]
    arrays = [(one / (one.amax((1, 2), keepdim=True) + 1e-5)).cpu().numpy() for one in found]
    np.save(io.BytesIO(), np.array({"keys": present, "cam": arrays[0], "high_res": arrays[1]}, dtype=object))
    return arrays[1:]


def distance(peer: Sequence[np.ndarray], ours: Sequence[np.ndarray]) -> str:
    """Largest difference over all scales, each by the peer's maximum of that scale."""
    shares = [np.abs(p - o).max() / p.max() for p, o in zip(peer, ours, strict=True)]
    return f"at most {max(shares):.1e} of the maximum apart"


def at_image_size(peer: Sequence[np.ndarray], ours: Sequence[np.ndarray]) -> str:
    """The peer's sum at image size against the one that is rebuilt from our maps."""
    height, width = peer[0].shape[1:]
    rebuilt = full_resolution(ours, (height, width))
    apart = np.abs(peer[0] - rebuilt / rebuilt.max((1, 2), keepdims=True))
    return f"at most {apart.max():.1e} of the maximum apart at image size"


def bf16_kernels() -> str:
    """What the processor has for bf16, by the names of its flags; empty where there is nothing."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.is_file() else []
    return ", ".join(name for name in ("amx_bf16", "avx512_bf16") if name in flags)


def sides(backbone: str, image: np.ndarray, device: str) -> dict[str, Callable[[], Sequence[np.ndarray]]]:
    """Everything that is timed, by name."""
    published = build(backbone)
    folded = copy.deepcopy(published)
    fold_batch_norm(folded)
    published, network = published.to(device), channels_last(folded).to(device)

    def ours(precision: Precision) -> Sequence[np.ndarray]:
        maps = multi_scale_cams(
            network, image, PRESENT, mean=MEAN, std=STD, precision=precision, device=device
        ).maps
        pack_maps({"image": Maps(PRESENT, image.shape[:2], maps)})
        return maps

    return {
        CALLS: lambda: one_call_per_view(published, image, device),
        IRN: lambda: make_cam(published, image, device),
        OURS: lambda: ours("32"),
        BF16: lambda: ours("bf16"),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="processes of each, with one timed run after one for warmth"
    )
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, nargs=2, default=(240, 320), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--as", dest="side", choices=(CALLS, IRN, OURS, BF16), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    on_cpu = options.device == "cpu"
    image = photographs(tuple(options.size))[0]
    if options.side in (OURS, BF16):
        prepare_process()
    torch.set_num_threads(1)
    works = sides(options.backbone, image, options.device)
    if options.side:
        works[options.side]()
        clock = time.process_time if on_cpu else time.perf_counter
        start = clock()
        works[options.side]()
        print(json.dumps({"seconds": clock() - start}))
        return
    kernels = bf16_kernels() if on_cpu else "GPU"
    rows = [
        (CALLS, OURS, "float32, against one call per view", distance, "≥ 1.4×"),
        (IRN, OURS, "float32, against IRN's order", at_image_size, "≥ 1.67×"),
        (CALLS, BF16, "bf16, against one call per view", distance, "≥ 2.8×"),
    ][: 3 if kernels else 2]
    names = list(dict.fromkeys(name for peer, ours, *_ in rows for name in (peer, ours)))
    size = [str(side) for side in options.size]
    timed = seconds_of_processes(
        names, options.rounds, ("--backbone", options.backbone, "--size", *size, "--device", options.device)
    )
    median = {name: statistics.median(run["seconds"] for run in runs) for name, runs in timed.items()}
    height, width = image.shape[:2]
    notes = [
        f"{options.backbone} at stride 16, 8 views of {height}×{width}, on {options.device}, "
        f"{'process' if on_cpu else 'wall'} time of one run after one for warmth, medians of {options.rounds} "
        "processes of each, in turn.",
        f"bf16 instructions: {kernels or 'none, so bf16 was not run'}.",
    ]
    table = [
        Row(what, median[peer], median[ours], agreement(works[peer](), works[ours]()), aim)
        for peer, ours, what, agreement, aim in rows
    ]
    print_table("CAM inference", table, ("numpy", "pillow", "timm", "torch"), notes)


if __name__ == "__main__":
    main()
