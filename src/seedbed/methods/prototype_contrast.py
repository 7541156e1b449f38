"""The simpler pixel-to-prototype contrast of the self-training paper on pets (§2.2), on one view.

    L = L_cls + w L_contrast

A class's prototype is the mean of the embeddings, each of unit length, of its top K pixels; every pixel is drawn to its
class's prototype. Other CAMs, the input `initial_cams`, may say which pixels show which class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from seedbed.labels import IGNORE
from seedbed.methods.base import MethodEntry, Objective, Progress
from seedbed.methods.cam import CamMethod
from seedbed.methods.ppc import ContrastParameters

if TYPE_CHECKING:
    from torch import nn

    from seedbed.input.batch import Batch
    from seedbed.networks.backbones import Backbone

INITIAL = "initial_cams"
"""Input and field: the CAMs that choose the pixels; without it those of the classifier itself."""


class PrototypeContrastParameters(ContrastParameters):
    """A CAM classifier whose pixels are compared with prototypes of the classes."""


class PrototypeContrastMethod(CamMethod):
    """One player, `classifier`, a `PixelNetwork` with embeddings alone."""

    def __init__(self, parameters: PrototypeContrastParameters, **options: Any):
        super().__init__(parameters, **options)
        self.settings = parameters

    def build_network(self, backbone: Backbone, classes: int, parameters: Any, **options: Any) -> nn.Module:
        """The CAM network with the projection."""
        from seedbed.networks.pixel_network import PixelNetwork

        width = parameters.embedding_width
        return PixelNetwork(backbone, classes, correlation=False, embedding_width=width, **options)

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """Classification and contrast; prototypes are those of this process's micro-batch.

        Raises:
            SeedbedError: the class maps have collapsed.
        """
        import torch
        from torch.nn.functional import adaptive_avg_pool2d

        from seedbed.losses import prototypes as losses
        from seedbed.losses.equivariance import stretched
        from seedbed.losses.multilabel import multilabel_soft_margin, smooth_labels
        from seedbed.methods.guards import check_cams_vary

        p = self.settings
        counted = batch.valid if p.padding == "left_out" else torch.ones_like(batch.valid)
        output = self.classifier(batch.images)
        check_cams_vary(output.cam_logits, batch.labels, progress)
        grid = (output.cam_logits.shape[2], output.cam_logits.shape[3])
        scores = stretched(output.cam_logits.detach())
        if INITIAL in batch.fields:
            scores = adaptive_avg_pool2d(batch.fields[INITIAL], grid)
        inside = losses.cells_inside(counted, grid)
        weights = losses.pixel_weights(scores, batch.labels, p.contrast_background) * inside[:, None]
        count = p.prototype_pixels(grid[0] * grid[1])
        prototypes = losses.class_prototypes(output.embeddings, weights, count, "unit")
        labels = losses.pixel_labels(scores, batch.labels, p.contrast_background).where(inside, IGNORE)
        smoothed = smooth_labels(batch.labels, self.label_smoothing)
        parts = {
            "classification": self.class_factor * multilabel_soft_margin(output.class_logits, smoothed),
            "contrast": losses.contrast_loss(output.embeddings, labels, prototypes, p.temperature),
        }
        yield Objective("classifier", parts["classification"] + p.contrast_weight * parts["contrast"], parts)


ENTRY = MethodEntry(
    PrototypeContrastParameters,
    PrototypeContrastMethod,
    "train_classifier",
    reads={INITIAL: ("cams", "refined_cams")},
    optional=(INITIAL,),
)
