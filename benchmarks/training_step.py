"""A training step: forward, backward and SGD on one batch, of a CAM network and of DeepLabV3+.

The peer has its weights in torch's default memory order, its images in channels-first memory, as torch's own collation
of images gives them, and torch's own gradients of depthwise convolutions, in float32. Ours are in channels-last memory
and have `seedbed.networks.depthwise`, as `seedbed.training.loop` trains, in float32 and in bf16. The last rows compare
ours with and without that module alone.

    python benchmarks/training_step.py [--rounds 3] [--backbone resnet50] [--crop 448] [--device cuda]
"""

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from itertools import product

import torch
from _harness import compare, print_table
from torch.nn.functional import cross_entropy

from seedbed.losses.multilabel import multilabel_soft_margin
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.depthwise import FastDepthwise
from seedbed.networks.memory_format import channels_last
from seedbed.networks.segmenters import build_segmenter

CLASSES = 20
BACKBONE, CROP, BATCH = "tf_efficientnet_lite0", 192, 16
CAM_NETWORK, SEGMENTER = "CAM network", "DeepLabV3+"


def stepper(
    backbone: str,
    images: torch.Tensor,
    ours: bool,
    bf16: bool,
    kind: str = CAM_NETWORK,
    depthwise: bool | None = None,
) -> Callable[[], list[float]]:
    """A function that does one step and returns the loss and the norm of the gradient.

    Args:
        depthwise: whether with the gradients of `seedbed.networks.depthwise`; None: if it is ours.
    """
    device = images.device
    generator = torch.Generator().manual_seed(0)
    network: torch.nn.Module
    if kind == CAM_NETWORK:
        network = CamNetwork(build_backbone(backbone, 16), CLASSES, batch_norm="frozen", generator=generator)
    else:
        network = build_segmenter("deeplabv3plus", backbone, CLASSES + 1)
    network.to(device)
    labels = (torch.arange(CLASSES, device=device) < 2).float().expand(len(images), -1)
    masks = torch.randint(CLASSES + 1, (len(images), *images.shape[2:]), generator=generator).to(device)
    if ours:
        channels_last(network)
    else:
        images = images.contiguous()
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 1e-4, momentum=0.9)

    def step() -> list[float]:
        torch.manual_seed(0)
        optimiser.zero_grad()
        with (
            FastDepthwise() if (ours if depthwise is None else depthwise) else contextlib.nullcontext(),
            torch.autocast(device.type, torch.bfloat16, enabled=bf16),
        ):
            if kind == CAM_NETWORK:
                loss = multilabel_soft_margin(network(images).class_logits.float(), labels)
            else:
                loss = cross_entropy(network(images).float(), masks)
        loss.backward()
        optimiser.step()
        norms = [p.grad.norm() for p in network.parameters() if p.grad is not None]
        return [float(loss.detach()), float(torch.stack(norms).norm())]

    return step


def apart(peer: Sequence[float], ours: Sequence[float]) -> str:
    loss, gradient = (abs(of_peer - of_ours) / of_peer for of_peer, of_ours in zip(peer, ours, strict=True))
    return f"losses {loss:.1e}, gradients' norms {gradient:.1e} of theirs apart"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="timed steps of each, after one for warmth")
    parser.add_argument("--backbone", default=BACKBONE)
    parser.add_argument("--crop", type=int, default=CROP)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((options.batch, options.crop, options.crop, 3), generator=generator) - 0.5
    images = images.permute(0, 3, 1, 2).to(options.device)
    on_cpu = options.device == "cpu"
    asked = options.backbone, options.crop, options.batch
    settings = {"rounds": options.rounds, "clock": time.process_time if on_cpu else time.perf_counter}
    rows, alone = [], []
    for kind, (name, bf16) in product((CAM_NETWORK, SEGMENTER), (("float32", False), ("bf16", True))):
        peer = stepper(options.backbone, images, False, False, kind)
        ours = stepper(options.backbone, images, True, bf16, kind)
        aim = "≥ 1.4×" if on_cpu and not bf16 and asked == (BACKBONE, CROP, BATCH) else ""
        rows.append(compare(f"{kind}, {name}", peer, ours, apart, aim=aim, **settings))
        if on_cpu:
            without = stepper(options.backbone, images, True, bf16, kind, depthwise=False)
            again = stepper(options.backbone, images, True, bf16, kind)
            alone.append(compare(f"{kind}, {name}: depthwise gradients", without, again, apart, **settings))
    notes = [
        f"{options.backbone}, crop {options.crop}, batch {options.batch}, on {options.device}, "
        f"{'process' if on_cpu else 'wall'} time, {options.rounds} timed step(s) after one for warmth; the CAM "
        "network's batch norm is frozen. The peer of the first four rows is float32."
    ]
    print_table("Training step", rows + alone, ("timm", "torch"), notes)


if __name__ == "__main__":
    main()
