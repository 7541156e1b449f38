"""SEAM: class maps that follow the scale of the image (Wang et al. 2020, arXiv:2004.04581, §3).

    L = L_cls + L_ER + L_ECR

L_cls is the classification of two views, L_ER the distance of their class maps, L_ECR that of each view's maps, refined
by the pixel correlation module, to the other view's plain ones. The published CAM is the refined one (`dump_cams`:
`form: pcm`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from seedbed.methods.base import MethodEntry, Objective, Progress
from seedbed.methods.cam import CamMethod, ClassMeanParameters

if TYPE_CHECKING:
    from torch import Tensor, nn

    from seedbed.input.batch import Batch
    from seedbed.networks.backbones import Backbone
    from seedbed.networks.pixel_network import PixelOutput


class SeamParameters(ClassMeanParameters):
    """Two views of one network, with the pixel correlation module."""

    view_scale: float = Field(0.3, gt=0, lt=1)
    """Factor on the side of the crop that makes the second view."""
    equivariance_weight: float = Field(1.0, ge=0)
    """Factor on L_ER, the distance of the views' class maps."""
    cross_weight: float = Field(1.0, ge=0)
    """Factor on L_ECR, the distance of each view's refined maps to the other's plain ones."""
    cross_share: float = Field(0.2, gt=0, le=1)
    """Share of each image's differences, the largest, that L_ECR averages."""
    cross_hardest: Literal["entries", "pixels"] = "entries"
    """What that share is taken of: `entries`, outputs times pixels (published code), or `pixels` (paper)."""
    minimum_weight: float = Field(1.0, ge=0)
    """Factor on the mean of the lowest quarter of the refined maps; 1 in the published code, not in the paper."""


class Views(NamedTuple):
    """What one step of SEAM found."""

    first: PixelOutput
    second: PixelOutput
    loss: Tensor
    parts: dict[str, Tensor]


class SeamMethod(CamMethod):
    """One player, `classifier`, a `PixelNetwork`, which each step passes twice."""

    def __init__(self, parameters: SeamParameters, **options: Any):
        super().__init__(parameters, **options)
        self.settings = parameters

    def build_network(self, backbone: Backbone, classes: int, parameters: Any, **options: Any) -> nn.Module:
        """The CAM network with the pixel correlation module."""
        from seedbed.networks.pixel_network import PixelNetwork

        return PixelNetwork(backbone, classes, correlation=True, embedding_width=0, **options)

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """L_cls + L_ER + L_ECR.

        Raises:
            SeedbedError: the class maps have collapsed.
            ValueError: the second view is a single cell.
        """
        views = self.compare_views(batch, progress)
        yield Objective("classifier", views.loss, views.parts)

    def compare_views(self, batch: Batch, progress: Progress) -> Views:
        """Both passes, and SEAM's loss with its parts.

        Raises:
            SeedbedError: the class maps have collapsed.
            ValueError: the second view is a single cell.
        """
        from torch.nn.functional import pad

        from seedbed.losses import equivariance as losses
        from seedbed.methods.guards import check_cams_vary

        p, present = self.settings, batch.labels[:, :, None, None]
        present_outputs = pad(present, (0, 0, 0, 0, 1, 0), value=1.0)  # background is everywhere
        outputs = None if p.loss_classes is None else p.loss_classes + 1
        whole = (batch.images.shape[2], batch.images.shape[3])
        small = (max(1, int(whole[0] * p.view_scale)), max(1, int(whole[1] * p.view_scale)))
        first = self.classifier(batch.images)
        check_cams_vary(first.cam_logits, batch.labels, progress)
        second = self.classifier(losses.resized(batch.images, small))
        _check_cells(second.cam_logits, small)
        plain, refined, minima, classifications = [], [], [], []
        for view, size in ((first, whole), (second, small)):
            logits, maps = losses.resized(view.cam_logits, size), losses.resized(view.refined_cams, size)
            plain.append(losses.resized(losses.stretched(logits), small) * present)
            refined.append(losses.resized(losses.stretched(maps), small) * present_outputs)
            minima.append(losses.minimum_pooling_loss(maps[:, 1:] * present))
            classifications.append(self._classify(view.class_logits, batch.labels))
        cross = [
            losses.cross_equivariance_loss(target, maps, p.cross_share, p.cross_hardest, outputs)
            for target, maps in zip(reversed(plain), refined, strict=True)
        ]
        parts = {
            "classification": (classifications[0] + classifications[1]) / 2,
            "minimum": (minima[0] + minima[1]) / 2,
            "equivariance": self.class_factor * losses.equivariance_loss(*plain),
            "cross_equivariance": cross[0] + cross[1],
        }
        loss = parts["classification"] + p.minimum_weight * parts["minimum"]
        loss = loss + p.equivariance_weight * parts["equivariance"]
        loss = loss + p.cross_weight * parts["cross_equivariance"]
        return Views(first, second, loss, parts)

    def _classify(self, class_logits: Tensor, labels: Tensor) -> Tensor:
        from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels

        smoothed = smooth_labels(labels, self.label_smoothing)
        return self.class_factor * multilabel_soft_margin(class_logits, smoothed)


def _check_cells(cam_logits: Tensor, small: tuple[int, int]) -> None:
    if cam_logits.shape[2:].numel() == 1:
        raise ValueError(
            f"the second view of {small[0]} x {small[1]} pixels has a single cell, so there is nothing to compare; "
            "raise the crop or view_scale, or lower output_stride"
        )


ENTRY = MethodEntry(SeamParameters, SeamMethod, "train_classifier", offers=("pcm",))
