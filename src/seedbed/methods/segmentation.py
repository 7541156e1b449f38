"""A segmentation network trained on label maps: pseudo masks, confident regions, or the true masks."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from seedbed.losses.segmentation import pixel_cross_entropy
from seedbed.methods.base import Batch, Method, Objective, Progress
from seedbed.methods.table import SegmentationParameters
from seedbed.networks.segmenters import build_segmenter
from seedbed.networks.weights import InitialWeights


class SegmentationMethod(Method):
    """One player, `segmenter`, with K = C + 1 outputs."""

    def __init__(
        self,
        parameters: SegmentationParameters,
        *,
        classes: int,
        rng: int,
        weights: InitialWeights | None = None,
    ):
        super().__init__()
        segmenter = build_segmenter(
            parameters.architecture,
            parameters.backbone,
            classes + 1,
            parameters.output_stride,
            weights or parameters.weights,
            batch_norm=parameters.batch_norm,
            rng=rng,
            allow_mask_trained=parameters.allow_mask_trained,
        )
        self.mean, self.std, self.provenance = segmenter.mean, segmenter.std, segmenter.provenance
        self.label_smoothing = parameters.label_smoothing
        self.segmenter: nn.Module = segmenter

    def networks(self) -> dict[str, nn.Module]:
        """The segmenter."""
        return {"segmenter": self.segmenter}

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Pixel cross-entropy over the labelled pixels.

        Raises:
            ValueError: the batch has no label maps.
        """
        if batch.label_maps is None:
            raise ValueError(
                "a segmenter is trained on label maps, but the batch has none; give the stage labels"
            )
        loss = pixel_cross_entropy(self.segmenter(batch.images), batch.label_maps, self.label_smoothing)
        yield Objective("segmenter", loss, {})
