"""C²AM: saliency without labels, by a contrast of foreground and background (Xie et al. 2022; P-NOC paper, eq. 7).

    L = L_pos-f + L_pos-b + L_neg

Which half of the division is salient is decided once, when the training is done: the one that the border of the
training images shows less of. The manifest's facts say which, and `dump_saliency` goes by that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from seedbed.methods.base import POLARITY, Method, MethodEntry, MethodParameters, Objective, Progress
from seedbed.methods.cam import build_cam_backbone

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from seedbed.input.batch import Batch
    from seedbed.input.examples import Examples
    from seedbed.networks.disentangling import DisentanglingOutput
    from seedbed.networks.weights import InitialWeights


class C2amParameters(MethodParameters):
    """C²AM: a division of the cells in two."""

    output_stride: Literal[8, 16, 32] = 16
    """Input pixels per cell of the last feature map."""
    dilated: bool = True
    """Dilate the layers after a stride that the output stride removes."""
    conv_head: bool | None = None
    """Use the 1x1 convolution at the end of EfficientNets; null: if the family has one."""
    rank_alpha: float = Field(0.25, ge=0)
    """α: the weight of a pair of images is e^(-α rank) by similarity; 0 gives all pairs the same weight."""
    polarity_images: int = Field(1000, ge=1)
    """Most training images, spread evenly, whose borders say which half is salient."""

    def faults(self) -> Iterator[str]:
        """What is wrong with parameters that are complete."""
        yield from super().faults()
        if getattr(self, "batch_size", 2) < 2:
            yield "images are compared with each other, but batch_size is 1; raise it to 2 or more"


def joint(parts: Mapping[str, Tensor]) -> Tensor:
    """The sum of the three terms."""
    return parts["foreground"] + parts["background"] + parts["contrast"]


class C2amMethod(Method):
    """One player, `saliency_network`, a `DisentanglingNetwork`."""

    def __init__(
        self, parameters: C2amParameters, *, classes: int, rng: int, weights: InitialWeights | None = None
    ):
        import torch

        from seedbed.networks.disentangling import DisentanglingNetwork

        backbone = build_cam_backbone(parameters, rng, weights)
        self.mean, self.std, self.provenance = backbone.mean, backbone.std, backbone.provenance
        self.rank_alpha, self.polarity_images = parameters.rank_alpha, parameters.polarity_images
        self.saliency_network: Any = DisentanglingNetwork(
            backbone, batch_norm=parameters.batch_norm, generator=torch.Generator().manual_seed(rng)
        )

    def networks(self) -> dict[str, torch.nn.Module]:
        """The one network."""
        return {"saliency_network": self.saliency_network}

    def contrast(self, output: DisentanglingOutput) -> dict[str, Tensor]:
        """The three terms by name."""
        from seedbed.losses.disentangling import attraction, repulsion

        return {
            "foreground": attraction(output.foreground, self.rank_alpha),
            "background": attraction(output.background, self.rank_alpha),
            "contrast": repulsion(output.foreground, output.background),
        }

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """The sum of the three terms; padding takes no part.

        Raises:
            ValueError: a batch of one image.
        """
        parts = self.contrast(self.saliency_network(batch.images, batch.valid))
        yield Objective("saliency_network", joint(parts), parts)

    def facts(self, examples: Examples, device: str) -> Mapping[str, Any]:
        """Which half is salient, by the border of the training images."""
        from seedbed.cam.saliency import mean_border

        count = min(self.polarity_images, len(examples.ids))
        chosen = [examples.ids[k * len(examples.ids) // count] for k in range(count)]
        images = (np.array(examples.image(image_id)) for image_id in chosen)
        border = mean_border(self.saliency_network, images, self.mean, self.std, device)
        return {
            POLARITY: {
                "inverted": border > 0.5,
                "rule": "border mean",
                "border_mean": border,
                "images": count,
            }
        }


ENTRY = MethodEntry(C2amParameters, C2amMethod, "train_saliency")
