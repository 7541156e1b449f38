"""The table of segmentation networks. Planning reads it, so torch is imported where a network is built.

DeepLabV3 (arXiv:1706.05587), DeepLabV3+ (arXiv:1802.02611) and U-Net (arXiv:1505.04597) come from
segmentation-models-pytorch; DeepLabV2 and the U-Net with transposed convolutions are our own. Another package adds one
with an entry point in the group `seedbed.segmenters` that names an `Architecture`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from seedbed.errors import SeedbedError, unknown_name
from seedbed.installed import with_installed

if TYPE_CHECKING:
    from torch import nn

    from seedbed.networks.backbones import Backbone

GROUP = "seedbed.segmenters"


@dataclass(frozen=True)
class Architecture:
    """One row of `SEGMENTERS`."""

    build: Callable[[str, Backbone, int, int], tuple[nn.Module, nn.Module]]
    """(backbone's name, backbone, output stride, outputs) → (network, the part of it that is the backbone)."""
    output_strides: tuple[int, ...]
    """The usual one comes first."""
    smallest_batch: int = 1
    """In training: batch norm on a pooled map (one cell per image) needs two images."""


def _encode(network: Any, backbone: Backbone) -> tuple[nn.Module, nn.Module]:
    network.encoder.model.load_state_dict(backbone.body.state_dict())
    return network, network.encoder


def _unet(name: str, backbone: Backbone, output_stride: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    import segmentation_models_pytorch as smp

    return _encode(smp.Unet(f"tu-{name}", encoder_weights=None, classes=outputs), backbone)


def _atrous(model: str) -> Callable[[str, Backbone, int, int], tuple[nn.Module, nn.Module]]:
    def build(name: str, backbone: Backbone, output_stride: int, outputs: int) -> tuple[nn.Module, nn.Module]:
        import segmentation_models_pytorch as smp

        from seedbed.networks.deeplabv3plus import DeepLabV3Plus

        network = {"DeepLabV3": smp.DeepLabV3, "DeepLabV3Plus": DeepLabV3Plus}[model](
            f"tu-{name}",
            encoder_weights=None,
            encoder_output_stride=output_stride,
            decoder_atrous_rates=tuple(rate * 16 // output_stride for rate in (6, 12, 18)),  # V3 §4.2
            classes=outputs,
        )
        return _encode(network, backbone)

    return build


def _deeplabv2(
    name: str, backbone: Backbone, output_stride: int, outputs: int
) -> tuple[nn.Module, nn.Module]:
    from seedbed.networks.deeplabv2 import DeepLabV2

    return DeepLabV2(backbone, outputs), backbone


def _unet_transposed(
    name: str, backbone: Backbone, output_stride: int, outputs: int
) -> tuple[nn.Module, nn.Module]:
    from seedbed.networks.unet import TransposedUNet

    return TransposedUNet(backbone, outputs), backbone


SEGMENTERS: dict[str, Architecture] = {
    "deeplabv2": Architecture(_deeplabv2, (8, 16, 32)),
    "deeplabv3": Architecture(_atrous("DeepLabV3"), (8, 16), smallest_batch=2),
    "deeplabv3plus": Architecture(_atrous("DeepLabV3Plus"), (16, 8), smallest_batch=2),
    "unet": Architecture(_unet, (32,)),
    "unet_transposed": Architecture(_unet_transposed, (32,)),
}


@cache
def all_segmenters() -> Mapping[str, Architecture]:
    """`SEGMENTERS` and the architectures of installed packages.

    Raises:
        SeedbedError: an entry point cannot be imported, is not an `Architecture`, or takes one of our names.
    """
    return with_installed(
        SEGMENTERS, GROUP, "segmenter", "an Architecture", lambda entry: isinstance(entry, Architecture)
    )


def architecture_of(name: str) -> Architecture:
    """The row of an architecture.

    Raises:
        SeedbedError: there is none of that name.
    """
    if name not in all_segmenters():
        raise SeedbedError(unknown_name("segmenter", name, all_segmenters()))
    return all_segmenters()[name]


def architecture_fault(name: str, output_stride: int | None = None, batch_size: int | None = None) -> str:
    """What is wrong with a segmentation network, in one line; empty if nothing is.

    Args:
        output_stride: None for the architecture's usual one.
        batch_size: of the training; None if it is not known.
    """
    known = all_segmenters()
    if name not in known:
        return unknown_name("segmenter", name, known)
    row = known[name]
    if output_stride is not None and output_stride not in row.output_strides:
        can = " or ".join(map(str, sorted(row.output_strides)))
        return f"expected output stride {can} for {name}, got {output_stride}"
    if batch_size is not None and batch_size < row.smallest_batch:
        return (
            f"expected a batch_size of at least {row.smallest_batch} for {name}, whose batch norm on a pooled map "
            f"has one value per image, got {batch_size}"
        )
    return ""
