"""A segmentation network trained on label maps: pseudo masks, confident regions, or the true masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from seedbed.artifacts.meanings import TRUE_MASKS
from seedbed.methods.base import Method, MethodEntry, MethodParameters, Objective, Progress
from seedbed.networks.architectures import architecture_fault

if TYPE_CHECKING:
    from torch import nn

    from seedbed.input.batch import Batch
    from seedbed.networks.weights import InitialWeights

LABELS = "labels"


class SegmentationParameters(MethodParameters):
    """A segmentation network on label maps."""

    architecture: str = "deeplabv3plus"
    """A key of `seedbed.networks.architectures.SEGMENTERS`, or one that an installed package brings."""
    output_stride: Literal[8, 16, 32] | None = None
    """Output stride of the encoder; null for the architecture's usual one."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """a in (1 - a) y + a/K."""
    robustness: float = Field(0.0, ge=0, le=1)
    """q of the generalised cross-entropy (1 - p^q) / q for noisy labels (Zhang & Sabuncu 2018); 0 is cross-entropy."""

    @field_validator("architecture")
    @classmethod
    def _known_architecture(cls, name: str) -> str:
        if fault := architecture_fault(name):
            raise ValueError(fault)
        return name

    def faults(self) -> Iterator[str]:
        """What is wrong with parameters that are complete."""
        yield from super().faults()
        if self.robustness and self.label_smoothing:
            yield "expected robustness or label_smoothing, got both; set one of them to 0"
        if fault := architecture_fault(
            self.architecture, self.output_stride, getattr(self, "batch_size", None)
        ):
            yield fault


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
        from seedbed.networks.segmenters import build_segmenter

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
        self.label_smoothing, self.robustness = parameters.label_smoothing, parameters.robustness
        self.segmenter: nn.Module = segmenter

    def networks(self) -> dict[str, nn.Module]:
        """The segmenter."""
        return {"segmenter": self.segmenter}

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Pixel cross-entropy over the labelled pixels.

        Raises:
            ValueError: the batch has no label maps.
        """
        from seedbed.losses.segmentation import pixel_cross_entropy

        if LABELS not in batch.fields:
            raise ValueError(
                "a segmenter is trained on label maps, but the batch has none; give the stage labels"
            )
        loss = pixel_cross_entropy(
            self.segmenter(batch.images), batch.fields[LABELS], self.label_smoothing, self.robustness
        )
        yield Objective("segmenter", loss, {})


ENTRY = MethodEntry(
    SegmentationParameters,
    SegmentationMethod,
    "train_segmenter",
    reads={LABELS: ("label_maps", TRUE_MASKS)},
)
