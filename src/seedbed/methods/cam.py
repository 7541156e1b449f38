"""The ordinary CAM classifier: multi-label soft margin on the averages of class maps (Zhou et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from seedbed.methods.base import Method, MethodEntry, MethodParameters, Objective, Progress

if TYPE_CHECKING:
    from torch import nn

    from seedbed.input.batch import Batch
    from seedbed.networks.backbones import Backbone
    from seedbed.networks.weights import InitialWeights


class CamParameters(MethodParameters):
    """A classifier whose last feature map is scored cell by cell."""

    output_stride: Literal[8, 16, 32] = 16
    """Input pixels per cell of the class maps."""
    dilated: bool = True
    """Dilate the layers after a stride that the output stride removes; false is IRN's and Puzzle-CAM's ResNet."""
    conv_head: bool | None = None
    """Score after the 1x1 convolution at the end of EfficientNets; null: if the family has one."""
    frozen_stages: int = Field(0, ge=0)
    """First stages of the backbone that are not trained."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Probability of dropping a channel of the last feature map."""
    head_init: Literal["kaiming", "xavier", "torch"] = "kaiming"
    """Initialisation of the convolution that gives the class scores."""
    adaptation_channels: int = Field(0, ge=0)
    """Channels of a 3x3 convolution with ReLU between backbone and head; 0: none. SC-CAM's paper has 512."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """a in (1 - a) y + a/2."""

    def class_factor(self, classes: int) -> float:
        """What losses that are means over the classes are multiplied by; 1 leaves them means."""
        return 1.0


class ClassMeanParameters(CamParameters):
    """A CAM classifier whose losses are means over the classes, of any number."""

    loss_classes: int | None = Field(None, ge=1)
    """Divide the sum over classes by this number instead of C: the number of classes that learning rates and weights of
    losses were found with. Published ones are of VOC, 20; on 6 classes a mean has 3.3 times its gradient per class."""

    def class_factor(self, classes: int) -> float:
        """C / `loss_classes`."""
        return classes / (self.loss_classes or classes)


def build_cam_backbone(parameters: Any, rng: int, weights: InitialWeights | None) -> Backbone:
    """The backbone that the fields of `CamParameters` ask for; `weights`, if given, are used instead of theirs."""
    from seedbed.networks.backbones import build_backbone

    return build_backbone(
        parameters.backbone,
        parameters.output_stride,
        weights or parameters.weights,
        rng=rng,
        conv_head=parameters.conv_head,
        dilated=parameters.dilated,
        allow_mask_trained=parameters.allow_mask_trained,
    )


class CamMethod(Method):
    """One player, `classifier`, a `CamNetwork`."""

    def __init__(
        self, parameters: CamParameters, *, classes: int, rng: int, weights: InitialWeights | None = None
    ):
        import torch

        backbone = build_cam_backbone(parameters, rng, weights)
        self.mean, self.std, self.provenance = backbone.mean, backbone.std, backbone.provenance
        self.label_smoothing = parameters.label_smoothing
        self.class_factor = parameters.class_factor(classes)
        self.classifier = self.build_network(
            backbone,
            classes,
            parameters,
            batch_norm=parameters.batch_norm,
            frozen_stages=parameters.frozen_stages,
            dropout=parameters.dropout,
            head_init=parameters.head_init,
            adaptation_channels=parameters.adaptation_channels,
            generator=torch.Generator().manual_seed(rng),
        )

    def build_network(self, backbone: Backbone, classes: int, parameters: Any, **options: Any) -> nn.Module:
        """The classifier on its backbone; a method whose network does more builds it here.

        Args:
            backbone: as `parameters` say.
            classes: number of foreground classes, C.
            parameters: of the method.
            options: of `CamNetwork`.
        """
        from seedbed.networks.cam_network import CamNetwork

        return CamNetwork(backbone, classes, **options)

    def networks(self) -> dict[str, nn.Module]:
        """The classifier."""
        return {"classifier": self.classifier}

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """The classification loss.

        Raises:
            SeedbedError: the class maps have collapsed.
        """
        from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels
        from seedbed.methods.guards import check_cams_vary

        output = self.classifier(batch.images)
        check_cams_vary(output.cam_logits, batch.labels, progress)
        loss = multilabel_soft_margin(output.class_logits, smooth_labels(batch.labels, self.label_smoothing))
        yield Objective("classifier", self.class_factor * loss, {})


ENTRY = MethodEntry(ClassMeanParameters, CamMethod, "train_classifier")
