"""What the forms of AffinityNet share: training on the pairs of confident regions, and an image's pairs for the walk.

A form says how the affinities follow from its network's output; everything else is here (Ahn & Kwak 2018, §3.2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from pydantic import Field

from seedbed.methods.base import EpochContext, Method, MethodParameters, Objective, Progress

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from seedbed.input.batch import Batch
    from seedbed.input.examples import Examples
    from seedbed.networks.backbones import Backbone
    from seedbed.networks.weights import InitialWeights

REGIONS = "regions"
"""Input and field: the confident regions that a form trains on."""
MISSING = "missing_pairs"
"""Key in an AffinityNet's facts: kinds of pairs that no image of its training set has."""
Offsets = Sequence[tuple[int, int]]


class PairParameters(MethodParameters):
    """What the forms of AffinityNet share."""

    output_stride: Literal[8, 16, 32] = 16
    """Input pixels per cell of the backbone's last map; the affinity's own grid is finer."""
    radius: int = Field(5, ge=2)
    """Pairs nearer than this are trained on, in cells of the grid."""
    pairs: Literal["all", "published"] = "all"
    """`published` leaves out the pairs near the border that the published code leaves out of training."""


class PixelPairs(NamedTuple):
    """How strongly the grid points of one image are connected."""

    affinity: Float32[np.ndarray, "offsets h w"]
    """In [0, 1]; 0 where there is no pair."""
    offsets: tuple[tuple[int, int], ...]
    """(dy, dx) from the first point of a pair to the second."""
    edge: Float32[np.ndarray, "h w"] | None
    """Probability of an edge at each point, for the form that has edges."""


class PairMethod(Method):
    """One player, `affinitynet`; base of the methods of stage `train_affinitynet`.

    Args:
        parameters: of the form.
        classes: number of foreground classes, which no form uses.
        rng: keys the initialisation of what is trained from scratch.
        weights: see `seedbed.methods.table.build_method`.
    """

    GRID_STRIDE: ClassVar[int]
    """Input pixels per cell of the grid."""
    SMALLEST_REDUCTION: ClassVar[int] = 1
    """The form does not read backbone maps with a smaller stride than this."""

    def __init__(
        self,
        parameters: PairParameters,
        *,
        classes: int,
        rng: int,
        weights: InitialWeights | None = None,
    ):
        from seedbed.networks.backbones import build_backbone, seeded
        from seedbed.refine.affinity_labels import pair_offsets

        backbone = build_backbone(
            parameters.backbone,
            parameters.output_stride,
            weights or parameters.weights,
            rng=rng,
            smallest_reduction=self.SMALLEST_REDUCTION,
            pooled_stem=self.reads_pooled_stem(parameters),
            allow_mask_trained=parameters.allow_mask_trained,
        )
        with seeded(rng):
            self.affinitynet: nn.Module = self.build_network(backbone, parameters)
        self.mean, self.std, self.provenance = backbone.mean, backbone.std, backbone.provenance
        self.offsets = pair_offsets(parameters.radius)
        self.radius, self.pairs = parameters.radius, parameters.pairs
        self.batch_norm = parameters.batch_norm
        self._whole = max(backbone.reductions)
        self.train()

    def reads_pooled_stem(self, parameters: Any) -> bool:
        """Whether the first map is read behind the max-pool of the stem."""
        return False

    def build_network(self, backbone: Backbone, parameters: Any) -> nn.Module:
        """The form's network on the backbone; its random numbers are keyed."""
        raise NotImplementedError

    def networks(self) -> dict[str, nn.Module]:
        """The AffinityNet."""
        return {"affinitynet": self.affinitynet}

    def on_epoch_start(self, epoch: int, context: EpochContext) -> None:
        """Warn once, in the log, of kinds of pairs that the training set does not have."""
        if epoch or context.examples is None:
            return
        from seedbed.methods.guards import KINDS_OF_PAIRS

        for kind in self._missing(context.examples):
            context.log(
                f"warning: no image has {KINDS_OF_PAIRS[kind]}. AffinityNet does not learn from {kind} pairs then; "
                "change `regions`, or look at what made them"
            )

    def facts(self, examples: Examples, device: str) -> Mapping[str, Any]:
        """Kinds of pairs that the training set does not have, if any."""
        missing = self._missing(examples)
        return {MISSING: missing} if missing else {}

    def _missing(self, examples: Examples) -> list[str]:
        from seedbed.methods.guards import missing_pairs

        return missing_pairs(examples.fields(image_id)[REGIONS] for image_id in examples.ids)

    def affinity(self, output: Tensor, offsets: Offsets) -> Tensor:
        """Affinities [b offsets h w], differentiable, from the network's output [b *channels h w]."""
        raise NotImplementedError

    def walk_pairs(
        self, output: Tensor, radius: int | None
    ) -> tuple[Tensor, tuple[tuple[int, int], ...], Tensor | None]:
        """Affinities [offsets h w], offsets and edges [h w] from one image's output [1 *channels h w], for the walk.

        Args:
            radius: pairs nearer than this, in cells; None for the form's own.
        """
        raise NotImplementedError

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """bg/4 + fg/4 + neg/2 over the pairs of the confident regions (eq. 3).

        Raises:
            ValueError: the batch has no confident regions.
        """
        import torch

        from seedbed.losses.affinity import affinity_loss
        from seedbed.refine.affinity_labels import affinity_labels, nearest_labels

        if REGIONS not in batch.fields:
            raise ValueError("AffinityNet is trained on confident regions, but the batch has none")
        output = self.affinitynet(batch.images).float()
        regions = nearest_labels(batch.fields[REGIONS], (output.shape[-2], output.shape[-1]))
        labels = affinity_labels(regions.to(torch.uint8), self.offsets, self.pairs)
        loss = affinity_loss(self.affinity(output, self.offsets), *labels)
        parts = {"background": loss.background, "foreground": loss.foreground, "negative": loss.negative}
        yield Objective("affinitynet", loss.total, parts)

    def image_pairs(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        *,
        scale: float = 1.0,
        flip: bool = False,
        radius: int | None = None,
        device: str | torch.device = "cpu",
    ) -> PixelPairs:
        """The pairs of an image's grid points; the network is in evaluation mode, on `device`.

        The image is padded on the right and at the bottom to whole cells of the coarsest feature map, so that the
        maps align with each other and with those of the mirrored image; the grid is cropped to ⌈H/stride⌉ × ⌈W/stride⌉.

        Args:
            image: RGB.
            scale: the image is resized by this factor first.
            flip: average the network's output (features or edge logits) with the mirrored image's.
            radius: pairs nearer than this, in cells; None for the form's own.
            device: where to compute.
        """
        import torch
        from torch.nn import functional

        from seedbed.cam.inference import network_input
        from seedbed.mirror import with_mirror_image

        with torch.no_grad():
            pixels = network_input(image, scale, self.mean, self.std, device)
            h, w = pixels.shape[2:]
            padding = (0, -w % self._whole, 0, -h % self._whole)
            pixels = functional.pad(pixels, padding) if any(padding) else pixels
            if flip:
                plain, mirrored = with_mirror_image(self.affinitynet, pixels)
                output = (plain + mirrored) / 2
            else:
                output = self.affinitynet(pixels)
            del pixels
            output = output[..., : -(-h // self.GRID_STRIDE), : -(-w // self.GRID_STRIDE)].float()
            affinity, offsets, edge = self.walk_pairs(output, radius)
        return PixelPairs(affinity.cpu().numpy(), offsets, None if edge is None else edge.cpu().numpy())
