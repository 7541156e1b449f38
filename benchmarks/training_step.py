"""A training step of a CAM network: forward, backward and SGD on one batch, batch norm frozen.

The peer has its weights in torch's default memory order, and its images in channels-first memory, as torch's own
collation of images gives them; ours are in channels-last memory, as `seedbed.training.loop` trains.

    python benchmarks/training_step.py [--rounds 3] [--backbone resnet50] [--crop 448] [--device cuda] [--bf16]
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from _harness import compare, print_table

from seedbed.losses.multilabel import multilabel_soft_margin
from seedbed.networks.backbones import build_backbone
from seedbed.networks.cam_network import CamNetwork
from seedbed.networks.memory_format import channels_last

CLASSES = 20


def stepper(backbone: str, images: torch.Tensor, ours: bool, bf16: bool) -> Callable[[], list[float]]:
    """A function that does one step and returns the loss."""
    device = images.device
    network = CamNetwork(
        build_backbone(backbone, 16),
        CLASSES,
        batch_norm="frozen",
        generator=torch.Generator().manual_seed(0),
    ).to(device)
    labels = (torch.arange(CLASSES, device=device) < 2).float().expand(len(images), -1)
    if ours:
        channels_last(network)
    else:
        images = images.contiguous()
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 1e-4, momentum=0.9)

    def step() -> list[float]:
        optimiser.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = multilabel_soft_margin(network(images).class_logits.float(), labels)
        loss.backward()
        optimiser.step()
        return [float(loss.detach())]

    return step


def apart(peer: Sequence[float], ours: Sequence[float]) -> str:
    return f"losses {abs(peer[0] - ours[0]):.1e} apart"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="timed steps of each, after one for warmth")
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--crop", type=int, default=192)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--bf16", action="store_true", help="under autocast, peer and ours")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand((options.batch, options.crop, options.crop, 3), generator=generator) - 0.5
    images = images.permute(0, 3, 1, 2).to(options.device)
    on_cpu = options.device == "cpu"
    row = compare(
        f"{options.backbone}, crop {options.crop}, batch {options.batch}",
        stepper(options.backbone, images, False, options.bf16),
        stepper(options.backbone, images, True, options.bf16),
        apart,
        aim="≥ 1.4×",
        rounds=options.rounds,
        clock=time.process_time if on_cpu else time.perf_counter,
    )
    notes = [
        f"On {options.device}, {'process' if on_cpu else 'wall'} time, {options.rounds} timed step(s) after one for "
        f"warmth, batch norm frozen, {'bf16 autocast' if options.bf16 else 'float32'}."
    ]
    print_table("Training step", [row], ("timm", "torch"), notes)


if __name__ == "__main__":
    main()
