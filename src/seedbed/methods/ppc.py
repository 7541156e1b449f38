"""PPC: pixel-to-prototype contrast on SEAM (Du et al. 2022, arXiv:2110.07110, §3).

    L = L_SEAM + w (L_cross-prototype + L_cross-label + L_intra)

Each view's pixels are compared with the other view's prototypes under their own labels, with their own prototypes under
the other view's labels, and within the view. Labels and prototypes follow from the refined maps of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from seedbed.labels import IGNORE
from seedbed.methods.base import MethodEntry, Objective, Progress
from seedbed.methods.cam import ClassMeanParameters
from seedbed.methods.seam import SeamMethod, SeamParameters

if TYPE_CHECKING:
    from torch import nn

    from seedbed.input.batch import Batch
    from seedbed.networks.backbones import Backbone


class ContrastParameters(ClassMeanParameters):
    """What methods that compare pixels with prototypes share."""

    embedding_width: int = Field(128, ge=1)
    """Channels of a pixel's embedding."""
    contrast_weight: float = Field(0.1, ge=0)
    """Factor on each term of the contrast."""
    temperature: float = Field(0.1, gt=0)
    """τ, which divides the similarities."""
    prototype_share: float = Field(0.125, gt=0, le=1)
    """Pixels of a batch that make a prototype, as a share of the cells of one image (PPC's code: 32 of 256)."""
    contrast_background: float = Field(0.2, ge=0, le=1)
    """Pixels are background where no present class scores more."""

    padding: Literal["left_out", "taken"] = "left_out"
    """Cells that are mostly padding: `taken` for background as in the published code, or not compared at all."""

    def prototype_pixels(self, cells: int) -> int:
        """Pixels per prototype, at least one, where an image has so many cells."""
        return max(1, int(cells * self.prototype_share))


class PpcParameters(SeamParameters, ContrastParameters):
    """SEAM with pixel-to-prototype contrast."""

    absent_classes: Literal["left_out", "taken"] = "left_out"
    """Maps of classes that an image does not have: `taken` into the prototypes as in the published code, or not."""
    background_prototype: Literal["complement", "constant"] = "complement"
    """Background's pixels: those least like any class; or, as in the published code, arbitrary ones, since background
    has one `constant` score: here all, of which those are a sample."""
    ranked: Literal["negatives", "all"] = "negatives"
    """Semi-hard prototypes are ranked among the `negatives` (paper), or among `all` as in the published code, where a
    pixel's own prototype may be among them."""


class PpcMethod(SeamMethod):
    """One player, `classifier`, a `PixelNetwork` with embeddings."""

    settings: PpcParameters

    def build_network(self, backbone: Backbone, classes: int, parameters: Any, **options: Any) -> nn.Module:
        """The CAM network with the pixel correlation module and the projection."""
        from seedbed.networks.pixel_network import PixelNetwork

        width = parameters.embedding_width
        return PixelNetwork(backbone, classes, correlation=True, embedding_width=width, **options)

    def objectives(self, batch: Batch, progress: Progress) -> Iterator[Objective]:
        """SEAM's loss and the three terms of the contrast, on the second view's cells, each averaged over the views.

        Prototypes are those of this process's micro-batch.

        Raises:
            SeedbedError: the class maps have collapsed.
            ValueError: the second view is a single cell.
        """
        import torch

        from seedbed.losses import prototypes as losses
        from seedbed.losses.equivariance import resized, stretched

        p, image_labels = self.settings, batch.labels
        counted = batch.valid if p.padding == "left_out" else torch.ones_like(batch.valid)
        views = self.compare_views(batch, progress)
        grid = (views.second.cam_logits.shape[2], views.second.cam_logits.shape[3])
        inside = losses.cells_inside(counted, grid)
        embeddings, labels, prototypes = [], [], []
        for view in (views.first, views.second):
            assert view.embeddings is not None
            assert view.refined_cams is not None
            scores = stretched(resized(view.refined_cams[:, 1:], grid))
            weights = losses.pixel_weights(
                scores, image_labels, p.contrast_background, p.absent_classes, p.background_prototype
            )
            count = p.prototype_pixels(grid[0] * grid[1])
            embeddings.append(resized(view.embeddings, grid))
            shown = losses.pixel_labels(scores, image_labels, p.contrast_background)
            labels.append(shown.where(inside, IGNORE))
            prototypes.append(losses.class_prototypes(embeddings[-1], weights * inside[:, None], count))
        uniform = torch.rand(2, *labels[0].shape).to(labels[0].device)
        terms: dict[str, list[Any]] = {"cross_prototype": [], "cross_label": [], "intra_view": []}
        for own, other in ((0, 1), (1, 0)):
            pixels, tau = embeddings[own], p.temperature
            terms["cross_prototype"].append(losses.contrast_loss(pixels, labels[own], prototypes[other], tau))
            terms["cross_label"].append(losses.contrast_loss(pixels, labels[other], prototypes[own], tau))
            terms["intra_view"].append(
                losses.intra_view_loss(pixels, labels[own], prototypes[own], uniform[own], tau, p.ranked)
            )
        contrast = {name: (one + two) / 2 for name, (one, two) in terms.items()}
        loss = views.loss + p.contrast_weight * torch.stack(list(contrast.values())).sum()
        yield Objective("classifier", loss, views.parts | contrast)


ENTRY = MethodEntry(PpcParameters, PpcMethod, "train_classifier", offers=("pcm",))
